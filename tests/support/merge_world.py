"""A sink with hourly folders, or folders without time, whose files are merged; and readers of the merged files."""

from __future__ import annotations

import collections
import datetime
import json
from typing import Any

import pyarrow.parquet as pq

from kafka2parquet import HourlyPartitioner, MetadataColumns, ObjectNaming
from kafka2parquet.compaction import PlannedTopic, UnitResult, run_unit
from kafka2parquet.compaction.planning import TopicPlanner
from kafka2parquet.completeness import Completeness
from kafka2parquet.merged import MergePlan, MergeResult
from kafka2parquet.merged.plan import FileFormat
from kafka2parquet.merged.reading import MergedTopic, merged_naming, read_merged
from tests.support.hours_world import HOUR_MS, MINUTE_MS, HoursWorld
from tests.support.sink_world import TOPIC

TWO_HOURS = datetime.timedelta(hours=2)
FORMAT = FileFormat("zstd", None, "own", 64 << 20)


class Once:
    """A back-off that gives up after the first attempt."""

    def pause_s(self, attempt: int, elapsed_s: float) -> float | None:
        return None


class MergeWorld(HoursWorld):
    """A sink whose rows have their offsets in a column. Four rows make a flush."""

    naming = ObjectNaming()

    def __init__(self, partitions: int = 3, storage: Any = None) -> None:
        super().__init__(partitions)
        if storage is not None:
            self.storage = storage

    @property
    def merged(self) -> ObjectNaming:
        return merged_naming(ObjectNaming(compression="zstd"))

    def sink(self, *, flush: bool = True, rows: int = 4, **parts: Any) -> None:
        columns = MetadataColumns(("partition", "offset", "timestamp"))
        super().sink(flush=flush, rows=rows, **{"metadata_columns": columns, **parts})

    def fill(self, begin_ms: int, hours: int, per_hour: int = 10) -> None:
        """Appends records of some hours to all partitions, and then one of the next hour, so that the hours are complete."""
        for hour in range(hours):
            for number in range(per_hour):
                for partition in self.log:
                    self.arrive(partition, begin_ms + hour * HOUR_MS + number * MINUTE_MS)
            self.clock.advance(3600)
        for partition in self.log:
            self.arrive(partition, begin_ms + hours * HOUR_MS)

    def planner(self, *, by_time: bool = True, storage: Any = None, **settings: Any) -> TopicPlanner:
        storage = storage if storage is not None else self.storage
        defaults: dict[str, Any] = {
            "naming": self.naming,
            "merged": self.merged,
            "file_format": FORMAT,
            "target_bytes": 1 << 20,
            "older_than": TWO_HOURS,
            "completeness": self.completeness_on if by_time else None,
            "clock": self.clock,
        }
        return TopicPlanner(storage, TOPIC, **{**defaults, **settings})

    def completeness_on(self, storage: Any) -> Completeness:
        return Completeness(storage, TOPIC, HourlyPartitioner(), clock=self.clock, merged=self.merged)

    def plan(self, *, write: bool = True, **settings: Any) -> PlannedTopic:
        return self.planner(**settings).plan(self.offsets_of_group, write=write)

    def compact(self, *, storage: Any = None, **settings: Any) -> list[UnitResult]:
        """Plans and runs all units in this thread."""
        storage = storage if storage is not None else self.storage
        return [run_unit(unit, storage, retry=Once()) for unit in self.plan(storage=storage, **settings).units]

    def read_merged(self) -> MergedTopic:
        return read_merged(self.storage, self.merged, TOPIC)

    def keys(self, part: str) -> list[str]:
        """Returns the keys that contain a text, ordered."""
        return sorted(key for key in self.storage.list("") if part in key)

    def plans(self) -> dict[str, MergePlan]:
        return {key: MergePlan.from_bytes(self.storage.read(key) or b"") for key in self.keys("/_merge-")}

    def results(self) -> dict[str, MergeResult]:
        return {key: MergeResult.from_bytes(self.storage.read(key) or b"") for key in self.keys("/_merged-")}

    def rows_under(self, prefix: str, *, counting: bool = False) -> collections.Counter[tuple[int, int]]:
        """Counts partition and offset of each row of the files of values under a prefix.

        Args:
            prefix: the prefix.
            counting: whether to read only the merged files that results list.
        """
        listed = {output.key for result in self.results().values() for output in result.outputs}
        found: collections.Counter[tuple[int, int]] = collections.Counter()
        for key in self.keys(".parquet"):
            if key.startswith(prefix) and ".keys." not in key and ".headers." not in key and (key in listed or not counting):
                with self.storage.open(key) as source:
                    table = pq.ParquetFile(source).read(["_kafka_partition", "_kafka_offset"])
                found.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return found

    def closed_rows(self, until_ms: int) -> collections.Counter[tuple[int, int]]:
        """Counts partition and offset of each record that is older than a time."""
        return collections.Counter(
            (partition, record.offset)
            for partition, records in self.log.items()
            for record in records
            if record.time_ms < until_ms
        )


def objects_of(storage: Any, part: str) -> dict[str, Any]:
    """Returns the JSON objects whose keys contain a text."""
    return {key: json.loads(storage.read(key)) for key in storage.list("") if part in key}
