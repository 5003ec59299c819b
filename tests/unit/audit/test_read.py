"""An audit of files in a store."""

from __future__ import annotations

import pytest

from kafka2parquet import ObjectNaming, RecordCountRotation
from kafka2parquet.audit.coverage import Kind
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.records import TopicPartition
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.sink_world import TOPIC, SinkWorld

DAMAGED = "topics/events/partition=0/events+0+0000000010.snappy.parquet"


@pytest.mark.parametrize("footer", ["", "{", '{"version": 99}', '{"version": 1, "start": 5}'])
def test_a_damaged_footer_is_a_finding(footer: str) -> None:
    """A file whose footer can't be read is named, its offsets are a gap, and the other files count."""
    world = SinkWorld()
    world.append(*[b"{}"] * 30)
    world.run(30, rotation=RecordCountRotation(10))
    stored = world.storage.objects[DAMAGED]
    world.storage.objects[DAMAGED] = StoredObject(stored.content, {METADATA_KEY: footer})
    stray = "topics/events/partition=0/copy.parquet"
    world.storage.objects[stray] = world.storage.objects[DAMAGED]

    audit = read_coverage(world.storage, ObjectNaming(), TOPIC, {TopicPartition(TOPIC, 0): 30})

    (coverage,) = audit.coverages
    assert [Kind.DAMAGED_FOOTER, Kind.GAP] == [finding.kind for finding in coverage.findings]
    assert coverage.findings[0].text.startswith(f"{DAMAGED}: its footer can't be read: ")
    assert (10, 20) == (coverage.findings[1].start, coverage.findings[1].end)
    assert [(Kind.DAMAGED_FOOTER, True)] == [(finding.kind, stray in finding.text) for finding in audit.strays]
    assert 20 == coverage.rows
