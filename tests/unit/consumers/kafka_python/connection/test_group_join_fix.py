"""repair_join: the result of a group join is not lost between two polls."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from kafka2parquet.consumers.kafka_python.connection.group_join_fix import repair_join


class Coordinator:
    """The parts of kafka-python's coordinator that the fix uses."""

    def __init__(self) -> None:
        self._generation = 1
        self.joins = 0
        self.rejoin_requested = 0
        self.is_rebalancing = True

    def rebalance_in_progress(self) -> bool:
        return self.is_rebalancing

    def request_rejoin(self) -> None:
        self.rejoin_requested += 1

    async def _do_join_and_sync_async(self) -> str:
        self.joins += 1
        return f"assignment {self.joins}"

    async def _on_join_complete_async(self, *arguments: Any) -> str:
        return "complete"

    async def _on_join_prepare_async(self, *arguments: Any) -> str:
        return "prepared"


class Consumer:
    """A consumer with this coordinator."""

    def __init__(self, coordinator: object) -> None:
        self._coordinator = coordinator


@pytest.fixture
def coordinator() -> Coordinator:
    coordinator = Coordinator()
    assert repair_join(Consumer(coordinator))
    return coordinator


def test_an_unread_result_is_returned_again(coordinator: Coordinator) -> None:
    """A join that finished between two polls is not repeated until its result is read."""
    assert "assignment 1" == asyncio.run(coordinator._do_join_and_sync_async())
    assert "assignment 1" == asyncio.run(coordinator._do_join_and_sync_async())
    assert "complete" == asyncio.run(coordinator._on_join_complete_async())
    assert "assignment 2" == asyncio.run(coordinator._do_join_and_sync_async())


def test_a_result_of_another_generation_is_dropped(coordinator: Coordinator) -> None:
    """A result counts only in its own generation, and while the rebalance is in progress."""
    asyncio.run(coordinator._do_join_and_sync_async())
    coordinator._generation = 2
    assert "assignment 2" == asyncio.run(coordinator._do_join_and_sync_async())
    coordinator.is_rebalancing = False
    assert "assignment 3" == asyncio.run(coordinator._do_join_and_sync_async())


def test_a_join_stays_needed_until_its_result_is_read(coordinator: Coordinator) -> None:
    """Preparing a join requests it, so that a change of metadata can't make the coordinator forget it."""
    assert "prepared" == asyncio.run(coordinator._on_join_prepare_async())
    assert 1 == coordinator.rejoin_requested


def test_an_unknown_version_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A coordinator with other internals is not patched, and a warning is logged."""
    with caplog.at_level(logging.WARNING):
        assert not repair_join(Consumer(object()))
    assert ["This version of kafka-python is unknown: a group join may get lost and be repeated."] == caplog.messages
