"""Discovery: what is published is found by one listing, and each footer is read once."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.testing import MemoryStorage
from tests.support.sink_world import SinkWorld

HOUR_MS = 3_600_000
RECORDS = 60


class CountingStorage(MemoryStorage):
    """A storage that counts listings and reads of footers."""

    def __init__(self) -> None:
        super().__init__()
        self.read_keys: collections.Counter[str] = collections.Counter()

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        self.read_keys[key] += 1
        return super().read_metadata(key)


def test_each_footer_is_read_once() -> None:
    """After offsets are set back to the beginning, each file is read once, including files of keys and rejects."""
    world = SinkWorld()
    world.storage = storage = CountingStorage()
    for number in range(RECORDS):
        value = b"no JSON" if number % 7 == 3 else b'{"a":%d}' % number
        world.append(value, key=b"%d" % number, time_ms=number % 3 * HOUR_MS)
    parts: dict[str, Any] = {
        "partitioner": HourlyPartitioner(),
        "views": RecordViews(keys=True),
        "tolerance": "skip",
        "quarantine": True,
    }
    world.run(RECORDS - 10, rotation=RecordCountRotation(10), **parts)
    before = dict(storage.objects)
    storage.read_keys.clear()
    end = world.committed
    assert end is not None
    world.kafka.commit("group", "events", 0, 0)
    world.run(end, rotation=RecordCountRotation(1000), **parts)
    assert before == storage.objects
    assert dict.fromkeys(before, 1) == storage.read_keys
