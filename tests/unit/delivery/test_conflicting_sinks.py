"""Two sinks that write to one place, or two places that one group writes to."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet import SinkTask
from kafka2parquet.delivery.settings import DeliverySettings
from kafka2parquet.errors import ConflictingSinkError
from kafka2parquet.events import Event, FilePublished, IntentCommitted
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.testing import InlineExecutor, MemoryConsumer
from tests.support.sink_world import TOPIC, SinkWorld

TAKE_OVER = DeliverySettings(take_over=True)


def a_world(records: int = 30) -> SinkWorld:
    world = SinkWorld()
    world.append(*[b"{}"] * records)
    return world


def of_group(world: SinkWorld, group: str) -> dict[str, Any]:
    return {"consumer": MemoryConsumer(world.kafka, group_id=group, topics=[TOPIC])}


def run_other(world: SinkWorld, until: int, **parts: Any) -> None:
    """Runs a task of another group until its committed offset is `until`."""

    def is_done() -> bool:
        found = world.kafka.committed("other", TOPIC, 0)
        return found is not None and found.offset == until and " c " in found.metadata

    task = world.task(**of_group(world, "other"), **parts)
    try:
        world.step_until(task, is_done)
    finally:
        task.close(flush=False)


def by_turns(*tasks: SinkTask) -> None:
    for _ in range(500):
        for task in tasks:
            task.step(0)


@pytest.mark.parametrize("first_start", ["earliest", "latest"])
def test_a_group_that_comes_later_is_refused(first_start: Any) -> None:
    """The error names both groups and the file of the first group; nothing is written or committed."""
    world = a_world()
    world.run(20)
    before = dict(world.storage.objects)
    with pytest.raises(ConflictingSinkError, match=r"events\+0\+0.*group 'group', and this sink belongs to the group 'other'"):
        run_other(world, 30, first_start=first_start)
    assert world.kafka.committed("other", TOPIC, 0) is None
    assert before == world.storage.objects


def test_groups_that_began_together_meet_at_the_first_common_key() -> None:
    """The second group to publish a key is refused, and the first one continues exactly once."""
    world = a_world()
    first = world.task(executor=InlineExecutor())
    second = world.task(executor=InlineExecutor(), **of_group(world, "other"))
    with pytest.raises(ConflictingSinkError, match="group 'group', and this sink belongs to the group 'other'"):
        by_turns(first, second)
    second.close()
    world.append(*[b"{}"] * 10)
    world.step_until(first, lambda: world.committed == 40)
    first.close()
    assert set(world.offsets().values()) == {1}


@pytest.mark.parametrize("point", [None, IntentCommitted, FilePublished])
def test_a_sink_that_takes_over_goes_on_exactly(point: type[Event] | None) -> None:
    """A sink that takes over continues after the published files, whatever offset the other group has committed."""
    world = a_world()
    world.run(20, die_at=None if point is None else lambda event: isinstance(event, point))
    run_other(world, 30, delivery=TAKE_OVER)
    assert world.offsets() == dict.fromkeys(range(30), 1)


def test_another_topics_dir_under_the_same_group_is_refused() -> None:
    """The error names both places. A sink that may take over continues at the committed offset."""
    world = a_world()
    world.run(20)
    with pytest.raises(ConflictingSinkError, match=r"writes to memory://test/topics, and this one writes to .*elsewhere"):
        world.run(30, naming=ObjectNaming(topics_dir="elsewhere"))
    world.run(30, naming=ObjectNaming(topics_dir="elsewhere"), delivery=TAKE_OVER)
    assert world.offsets() == dict.fromkeys(range(30), 1)
    world.append(*[b"{}"] * 10)
    world.run(40, naming=ObjectNaming(topics_dir="elsewhere"))
    assert world.offsets() == dict.fromkeys(range(40), 1)


def test_an_offset_that_was_set_by_hand_names_no_place() -> None:
    """An operator who sets offsets by hand can write everything again elsewhere without another setting."""
    world = a_world()
    world.run(20)
    world.kafka.commit("group", TOPIC, 0, 0)
    world.run(30, naming=ObjectNaming(topics_dir="elsewhere"))
    assert world.offsets() == {**dict.fromkeys(range(20), 2), **dict.fromkeys(range(20, 30), 1)}
