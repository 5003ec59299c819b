"""Footers that say what can't be, and metadata that was cut off: an error that names the object, and nothing is committed."""

from __future__ import annotations

import json

import pytest

from kafka2parquet.errors import DamagedFooterError, UnknownMetadataError
from kafka2parquet.events import FilePublished, IntentCommitted
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

ANCHOR = "topics/events/partition=0/events+0+0000000010.snappy.parquet"


def a_world(*, is_committed: bool) -> SinkWorld:
    """Makes flushes of ten records. The second one is published and, if the test asks for that, committed."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(20, die_at=None if is_committed else lambda event: isinstance(event, FilePublished) and event.key == ANCHOR)
    return world


def damage(world: SinkWorld, change: dict[str, object]) -> None:
    stored = world.storage.objects[ANCHOR]
    text = json.dumps({**json.loads(stored.metadata[METADATA_KEY]), **change})
    world.storage.objects[ANCHOR] = StoredObject(stored.content, {METADATA_KEY: text})


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize(
    "change", [{"end": 10**6}, {"end": 10}, {"end": 10**30}, {"end": "20"}, {"siblings": 5}, {"version": 2}], ids=str
)
def test_nothing_is_committed_that_the_log_does_not_have(change: dict[str, object], is_committed: bool) -> None:
    """A damaged anchor is an error and nothing is committed, whether the anchor is found by its intent or by listing."""
    world = a_world(is_committed=is_committed)
    damage(world, change)
    if is_committed:
        world.kafka.commit("group", TOPIC, 0, 5)
    before = world.kafka.committed("group", TOPIC, 0)
    with pytest.raises(DamagedFooterError, match=r"events\+0\+0000000010.snappy.parquet") as raised:
        world.run(30)
    assert raised.value.key == ANCHOR
    assert before == world.kafka.committed("group", TOPIC, 0)


def test_a_restored_footer_is_all_that_it_takes() -> None:
    """Once the footer is restored, each record behind the flush is written once."""
    world = a_world(is_committed=False)
    stored = world.storage.objects[ANCHOR]
    damage(world, {"end": 10**6})
    with pytest.raises(DamagedFooterError, match="restore it, or delete"):
        world.run(30)
    world.storage.objects[ANCHOR] = stored
    world.run(30)
    assert world.offsets() == dict.fromkeys(range(30), 1)


@pytest.mark.parametrize("cut", [1, 5, 9, 30, 80])
def test_metadata_that_was_cut_off_is_not_believed(cut: int) -> None:
    """An intent is refused if the end of its anchor's key is missing, since the rest would name another object."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(10, die_at=lambda event: isinstance(event, IntentCommitted))
    intent = world.kafka.committed("group", TOPIC, 0)
    assert intent is not None
    world.kafka.commit("group", TOPIC, 0, intent.offset, intent.metadata[:-cut])
    with pytest.raises(UnknownMetadataError, match="damaged"):
        world.run(30)
    assert not world.storage.objects
    world.kafka.commit("group", TOPIC, 0, intent.offset, intent.metadata)
    world.run(30)
    assert world.offsets() == dict.fromkeys(range(30), 1)
