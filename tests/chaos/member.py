"""One member of the group: `python -m tests.chaos.member JSON`, a process that is killed, frozen and woken from outside.

It writes to its standard output each named point that it passes and each truncation that it reports, and kills itself at the
point that its settings name.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import signal
import sys
from typing import Any

import pyarrow as pa

from kafka2parquet import (
    CompressedBytesRotation,
    DeliverySettings,
    FileSettings,
    FirstOf,
    FsspecStorage,
    HourlyPartitioner,
    JsonConverter,
    KafkaDeadLetterQueue,
    KafkaPythonConsumer,
    MemoryBudget,
    MetadataColumns,
    ObjectTags,
    RecordCountRotation,
    RecordTimeRotation,
    RejectPolicy,
    RetryPolicy,
    ScheduledRotation,
    SinkTask,
)
from kafka2parquet.converters import SchemaContract, SchemaVersions
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.events import (
    BoundaryAdopted,
    Event,
    FilePublished,
    FlushCut,
    IntentCommitted,
    LogTruncated,
    OffsetCommitted,
    PartitionStarted,
)
from kafka2parquet.partitioners import RecordFieldTimestamp
from kafka2parquet.rotation import PerRecordRotation, RotationPolicy
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.rotation.policies import MaxOpenFilesRotation
from kafka2parquet.rows import Row
from kafka2parquet.storage import Storage
from kafka2parquet.storage.options import S3Options
from tests.chaos.setups import SETUPS, TRUNCATED, Setup

#: The named points of the protocol; a process may die right after each.
POINTS = ("start", "cut", "intent", "anchor", "sibling", "end", "adoption")


class RandomRotation(PerRecordRotation):
    """A rotation policy whose boundaries can't be derived from the records again."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        return random.random() < 0.001


def rotation(name: str) -> RotationPolicy:
    """Makes a rotation policy with a clock, so that everything is flushed in the end."""
    clock = ScheduledRotation(datetime.timedelta(seconds=2))
    policies: dict[str, RotationPolicy] = {
        "clock": clock,
        "rows": FirstOf(RecordCountRotation(1_500), clock),
        "time": FirstOf(RecordTimeRotation(datetime.timedelta(minutes=20)), clock),
        "bytes": FirstOf(CompressedBytesRotation(30_000), clock),
        "files": FirstOf(MaxOpenFilesRotation(2), clock),
        "random": FirstOf(RandomRotation(), clock),
    }
    return policies[name]


ROTATIONS = ("clock", "rows", "time", "bytes", "files", "random")

#: Of a setup whose schema is given.
SCHEMA = pa.schema(
    [("partition", pa.int32()), ("index", pa.int64()), ("half", pa.float64()), ("time", pa.timestamp("ms", "UTC"))]
)


def parts_of(setup: Setup, settings: dict[str, Any], storage: Storage) -> dict[str, Any]:
    """Makes the parts of a task that are equal in all members of the group."""
    if setup.contract:
        converter = JsonConverter(learned=SchemaContract(SchemaVersions(storage), settings["topic"]))
    else:
        converter = JsonConverter(SCHEMA, on_unknown_field="ignore", timestamps="epoch_ms")
    columns = ("partition", "offset", "timestamp")
    return {
        "converter": converter,
        "partitioner": HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("time")),
        "metadata_columns": MetadataColumns(columns if setup.views else (*columns, "key")),
        "files": FileSettings(
            views=RecordViews(keys=True, headers=True) if setup.views else None, tags=ObjectTags() if setup.tags else None
        ),
        "rejects": RejectPolicy(
            tolerance="skip",
            tombstones="write" if setup.views else "report",
            quarantine=setup.quarantine,
            dead_letters=KafkaDeadLetterQueue(
                bootstrap_servers=settings["bootstrap"],
                topic=settings["dead_letters"],
                reporter=FailureReporter("chaos", 0),
                replication_factor=settings.get("replicas", 3),
                producer_settings={"request_timeout_ms": 5_000, "reconnect_backoff_max_ms": 1000},
                admin_settings={"request_timeout_ms": 5_000},
            ),
        ),
    }


def point_of(event: Event) -> str | None:
    """Returns the named point that an event stands for."""
    if isinstance(event, FilePublished):
        return "anchor" if event.is_anchor else "sibling"
    names = {
        PartitionStarted: "start",
        FlushCut: "cut",
        IntentCommitted: "intent",
        OffsetCommitted: "end",
        BoundaryAdopted: "adoption",
    }
    return names.get(type(event))


def main(settings: dict[str, Any]) -> None:
    """Runs until SIGTERM, or dies when it passes the point `die_at` for the `die_after`-th time (in `die_partition`)."""
    left = settings.get("die_after", 1)
    setup = {**SETUPS, TRUNCATED.name: TRUNCATED}[settings["setup"]]

    def hook(event: Event) -> None:
        nonlocal left
        if isinstance(event, LogTruncated):
            report = {"partition": event.topic_partition.partition, "offset": event.offset, "position": event.position}
            sys.stdout.write(f"{json.dumps(report)}\n")
            sys.stdout.flush()
        point = point_of(event)
        if point is None:
            return
        sys.stdout.write(f"{point}\n")
        sys.stdout.flush()
        if point == settings.get("die_at") and settings.get("die_partition") in (None, event.topic_partition.partition):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    storage = FsspecStorage(
        f"s3://{settings['bucket']}",
        S3Options(
            endpoint_url=settings["s3"],
            access_key_id=settings["key"],
            secret_access_key=settings["secret"],
            region="us-east-1",
            connect_timeout_s=2.0,
            read_timeout_s=5.0,
            request_timeout_s=10.0,
        ),
    )
    task = SinkTask(
        consumer=KafkaPythonConsumer(
            bootstrap_servers=settings["bootstrap"],
            group_id=settings["group"],
            topics=[settings["topic"]],
            group_instance_id=settings.get("instance"),
            client_settings={
                "session_timeout_ms": 6000,
                "heartbeat_interval_ms": 500,
                "metadata_max_age_ms": 2000,
                "request_timeout_ms": 12_000,
                "fetch_max_wait_ms": 100,
                "reconnect_backoff_max_ms": 1000,
            },
            gather_max_wait_s=0.2,
        ),
        rotation=rotation(settings["rotation"]),
        storage=storage,
        budget=MemoryBudget(settings.get("memory_bytes", 4 << 20)),
        hooks=[hook],
        delivery=DeliverySettings(
            on_data_loss="continue" if setup.truncated else "fail", storage_retry=RetryPolicy(first_s=0.1, longest_s=1.0)
        ),
        **parts_of(setup, settings, storage),
    )
    signal.signal(signal.SIGTERM, lambda *_: task.stop())
    task.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
