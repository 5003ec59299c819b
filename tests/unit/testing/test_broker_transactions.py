"""Transactional producers of the embedded broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kafka2parquet.testing.broker.coordinator import CommittedOffset, GroupCoordinator
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.topics import Topics
from kafka2parquet.testing.broker.transactions import TransactionCoordinator
from tests.support.record_batches import produced_batch

TIMEOUT_S = 60.0
TARGET = ("topic", 0)


class Scene:
    """A topic, a group, and a producer whose transaction includes both."""

    def __init__(self) -> None:
        self.topics = Topics(default_partitions=1)
        self.log = self.topics.create("topic").partitions[0]
        self.groups = GroupCoordinator(initial_rebalance_delay_s=0.0)
        self.transactions = TransactionCoordinator(self.topics, self.groups, lambda: 1000)
        self.producer_id, self.epoch = self.transactions.init_producer("id", TIMEOUT_S)

    def begin(self, now: float = 0.0) -> None:
        self.transactions.add_partitions("id", self.producer_id, self.epoch, {TARGET}, now)
        self.transactions.add_group("id", self.producer_id, self.epoch, "group", now)
        self.log.append(produced_batch(2, self.producer_id, self.epoch, 0, transactional=True))
        self.groups.offsets("group").commit(TARGET, CommittedOffset(7, -1, ""), self.producer_id)

    def end(self, *, commit: bool) -> None:
        self.transactions.end("id", self.producer_id, self.epoch, commit=commit)


def code_of(action: Callable[[], object]) -> int:
    with pytest.raises(BrokerError) as caught:
        action()
    return caught.value.code


def test_idempotent_producers_have_different_ids() -> None:
    """Each producer without a transactional id gets a new producer id."""
    scene = Scene()

    first, second = scene.transactions.init_producer(None, TIMEOUT_S), scene.transactions.init_producer(None, TIMEOUT_S)

    assert first[0] != second[0]
    assert (0, 0) == (first[1], second[1])


@pytest.mark.parametrize(("commit", "committed", "aborted"), [(True, {TARGET: CommittedOffset(7, -1, "")}, 0), (False, {}, 1)])
def test_ending_reaches_partitions_and_groups(commit: bool, committed: dict[object, object], aborted: int) -> None:
    """The end of a transaction appends a marker to the log, and applies or drops the offsets."""
    scene = Scene()
    scene.begin()
    before = dict(scene.groups.committed("group")), scene.log.last_stable_offset
    scene.end(commit=commit)
    read = scene.log.read(0, 1 << 20, committed_only=True, at_least_one=True)

    assert ({}, 0) == before
    assert (committed, 3) == (scene.groups.committed("group"), scene.log.last_stable_offset)
    assert aborted == len(read.aborted)


def test_offsets_are_unstable_until_the_end() -> None:
    """Offsets of an open transaction are unstable: consumers that ask for stable offsets have to wait."""
    scene = Scene()
    scene.begin()
    before = scene.groups.offsets("group").is_unstable(TARGET)
    scene.end(commit=True)

    assert [True, False] == [before, scene.groups.offsets("group").is_unstable(TARGET)]


def test_ending_twice_the_same_way_changes_nothing() -> None:
    """Repeating the end of a transaction changes nothing; the opposite end is an error."""
    scene = Scene()
    scene.begin()
    scene.end(commit=True)
    scene.end(commit=True)

    assert 3 == scene.log.end
    assert ErrorCode.INVALID_TXN_STATE == code_of(lambda: scene.end(commit=False))


def test_a_new_producer_aborts_and_fences_the_old_one() -> None:
    """A new producer gets the same id and the next epoch, and aborts the open transaction."""
    scene = Scene()
    scene.begin()
    newer = scene.transactions.init_producer("id", TIMEOUT_S)

    assert (scene.producer_id, scene.epoch + 1) == newer
    assert 3 == scene.log.last_stable_offset
    assert ErrorCode.PRODUCER_FENCED == code_of(lambda: scene.end(commit=True))
    assert ErrorCode.INVALID_PRODUCER_EPOCH == code_of(
        lambda: scene.transactions.check_write("id", scene.producer_id, scene.epoch, TARGET)
    )


def test_a_fenced_producer_gets_no_new_epoch() -> None:
    """Only the current producer may ask for a new epoch."""
    scene = Scene()
    scene.transactions.init_producer("id", TIMEOUT_S)

    assert ErrorCode.PRODUCER_FENCED == code_of(
        lambda: scene.transactions.init_producer("id", TIMEOUT_S, scene.producer_id, scene.epoch)
    )


def test_transactions_that_take_too_long_are_aborted() -> None:
    """A transaction times out, counted from its first partition or group, and is aborted."""
    scene = Scene()
    scene.begin(now=5.0)
    expired = [scene.transactions.expire(5.0 + TIMEOUT_S - 1), scene.transactions.expire(5.0 + TIMEOUT_S)]

    assert [False, True] == expired
    assert 3 == scene.log.last_stable_offset
    assert ErrorCode.PRODUCER_FENCED == code_of(lambda: scene.end(commit=True))


def test_writing_outside_of_a_transaction_is_refused() -> None:
    """A write to a partition that is not in the transaction is an error."""
    scene = Scene()

    assert ErrorCode.INVALID_TXN_STATE == code_of(
        lambda: scene.transactions.check_write("id", scene.producer_id, scene.epoch, TARGET)
    )


def test_strangers_are_refused() -> None:
    """A producer id that doesn't belong to its transactional id, and an unknown transactional id, are errors."""
    scene = Scene()

    codes = [
        code_of(lambda: scene.transactions.check("id", scene.producer_id + 1, scene.epoch)),
        code_of(lambda: scene.transactions.check("other id", scene.producer_id, scene.epoch)),
        code_of(lambda: scene.transactions.check_write("other id", scene.producer_id, scene.epoch, TARGET)),
    ]

    assert [ErrorCode.INVALID_PRODUCER_ID_MAPPING] * 3 == codes


def test_a_topic_that_was_deleted_meanwhile_does_not_matter() -> None:
    """A transaction ends normally although one of its topics was deleted."""
    scene = Scene()
    scene.begin()
    scene.topics.delete("topic")
    scene.end(commit=True)

    assert {TARGET: CommittedOffset(7, -1, "")} == scene.groups.committed("group")
