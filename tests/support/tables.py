"""A sink in memory Kafka with its files in a local folder, tables over the files, and readers of tables."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import deltalake
import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from kafka2parquet import MetadataColumns
from kafka2parquet.bounded import drain
from kafka2parquet.cli.main import main
from kafka2parquet.clock import SystemClock
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage import FsspecStorage
from kafka2parquet.tables import (
    CatalogFollower,
    CommittedOffsets,
    DataFile,
    DeltaTarget,
    IcebergTarget,
    LogId,
    TableTarget,
)
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryRecord
from tests.support.sink_world import TOPIC, SinkWorld


class MemoryTopicLog:
    """A `TopicLog` of the topic in memory."""

    def __init__(self, kafka: MemoryKafka, partitions: int = 1, topic_id: str = f"id-of-{TOPIC}") -> None:
        self.kafka = kafka
        self.partitions = partitions
        self.topic_id = topic_id
        self.asked: list[tuple[int, int, int]] = []

    def committed(self) -> CommittedOffsets:
        found = {partition: self.kafka.committed("group", TOPIC, partition) for partition in range(self.partitions)}
        return CommittedOffsets("", self.topic_id, {number: each.offset for number, each in found.items() if each is not None})

    def has_values(self, topic_partition: TopicPartition, start: int, end: int) -> bool | None:
        self.asked.append((topic_partition.partition, start, end))
        log = self.kafka.log(topic_partition)
        if start < log.start:
            return None
        return any(record.value is not None for record in log.records[start - log.start : end - log.start])


class TableWorld(SinkWorld):
    """A sink that writes to a local folder, with the offset of each row in a column."""

    def __init__(self, folder: Path, partitions: int = 1) -> None:
        super().__init__()
        if partitions > 1:
            self.kafka = MemoryKafka()
            self.kafka.create_topic(TOPIC, partitions)
        self.folder = folder / "files"
        self.files = FsspecStorage(str(self.folder))
        self.storage = self.files  # type: ignore[assignment]  # tasks take any storage
        self.log = MemoryTopicLog(self.kafka, partitions)

    def write(self, *values: bytes | None, partition: int = 0, time_ms: int = 0, **parts: Any) -> None:
        """Appends records, and runs the sink until all are committed."""
        self.kafka.append(TOPIC, partition, [MemoryRecord(value, timestamp_ms=time_ms) for value in values])
        parts = {"metadata_columns": MetadataColumns(("partition", "offset", "timestamp")), **parts}
        consumer = MemoryConsumer(self.kafka, group_id="group", topics=[TOPIC])
        drain(self.task(consumer=consumer, clock=SystemClock(), **parts))

    def follower(self, target: TableTarget, **settings: Any) -> CatalogFollower:
        return CatalogFollower(target, self.files, TOPIC, self.log, **{"clock": self.clock, **settings})


def active_delta_files(table: Path) -> list[Path]:
    """Replays the log of a Delta table without a Delta library, and returns the active files."""
    active: set[str] = set()
    for version in sorted((table / "_delta_log").glob("*.json")):
        for action in map(json.loads, version.read_text().splitlines()):
            if "remove" in action:
                active.discard(action["remove"]["path"])
            elif "add" in action:
                active.add(action["add"]["path"])
    return [table / unquote(path) for path in sorted(active)]


def offsets_in(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Reads partition and offset of each row of Parquet files with DuckDB, sorted."""
    if not files:
        return []
    query = (
        "select _kafka_partition, _kafka_offset from read_parquet(?, hive_partitioning=false, union_by_name=true) order by all"
    )
    with duckdb.connect() as connection:
        return connection.execute(query, [[str(path) for path in files]]).fetchall()


def publish(arguments: Sequence[str], log: str, variables: Mapping[str, str]) -> None:
    """Runs `kafka2parquet publish` in a separate process."""
    os.environ.update(variables)
    with Path(log).open("a") as output, contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        sys.exit(main(["publish", *arguments]))


class Died(BaseException):
    """The end of a follower's process."""


class MemoryTable:
    """A table that is a list."""

    def __init__(self) -> None:
        self.name = "memory"
        self.found: dict[LogId, int] = {}
        self.files: list[DataFile] = []
        self.errors: list[Exception] = []
        self.conflicts = 0

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        if self.errors:
            raise self.errors.pop()
        return {log: self.found[log] for log in logs if log in self.found}

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        if self.conflicts:
            self.conflicts -= 1
            return False
        self.files += files
        self.found.update(positions)
        return True

    @property
    def keys(self) -> list[str]:
        return [file.key for file in self.files]


class Disturbed:
    """A target that calls a function before and after its transactions."""

    def __init__(
        self,
        target: TableTarget,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self.target = target
        self.before = before
        self.after = after
        self.name = target.name

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        return self.target.positions(logs)

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        self.before()
        done = self.target.commit(files, positions)
        self.after()
        return done


class DeltaUnderTest:
    """A Delta table in the topic's folder."""

    kind = "delta"

    def __init__(self, world: TableWorld) -> None:
        self.world = world
        self.path = world.folder / "topics" / TOPIC

    def target(self, **settings: Any) -> TableTarget:
        return DeltaTarget(self.world.files, f"topics/{TOPIC}", **settings)

    def compact(self) -> None:
        deltalake.DeltaTable(self.path).optimize.compact()

    def files(self) -> list[Path]:
        return active_delta_files(self.path)

    def offsets(self) -> list[tuple[int, int]]:
        return offsets_in(self.files())


def sql_catalog(folder: Path, **settings: str) -> SqlCatalog:
    """Returns a new connection to the catalogue of a folder. The connection is closed once nobody refers to the catalogue."""
    catalog = SqlCatalog("test", uri=f"sqlite:///{folder}/catalog.db", **settings)
    weakref.finalize(catalog, catalog.engine.dispose)
    return catalog


class IcebergUnderTest:
    """An Iceberg table of a catalogue in SQLite."""

    kind = "iceberg"

    def __init__(self, world: TableWorld) -> None:
        self.world = world
        self.folder = world.folder.parent
        self.catalog()  # makes the tables of the catalogue, which two connections at once can't

    def catalog(self) -> Any:
        return sql_catalog(self.folder, warehouse=f"file://{self.folder}/warehouse")

    def target(self, **settings: Any) -> TableTarget:
        return IcebergTarget(self.catalog, f"raw.{TOPIC}", **settings)

    def table(self) -> Any:
        return self.catalog().load_table(f"raw.{TOPIC}")

    def compact(self) -> None:
        table = self.table()
        table.overwrite(table.scan().to_arrow())

    def files(self) -> list[Path]:
        paths = self.table().inspect.files()["file_path"].to_pylist()
        return [Path(path.removeprefix("file://")) for path in paths]

    def offsets(self) -> list[tuple[int, int]]:
        return offsets_in(self.files())


Table = DeltaUnderTest | IcebergUnderTest
