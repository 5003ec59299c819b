"""A custom rotation policy: a file ends where the application says `checkpoint`, and a hook reports each published file."""

import sys

from kafka2parquet import (
    DefaultPartitioner,
    FirstOf,
    FsspecStorage,
    JsonConverter,
    KafkaPythonConsumer,
    RecordCountRotation,
    SinkTask,
)
from kafka2parquet.events import Event, FilePublished
from kafka2parquet.rotation import FlushStats, PerRecordRotation
from kafka2parquet.rows import Row


class CheckpointRotation(PerRecordRotation):
    """Ends the flush before each record of kind `checkpoint`.

    Simple, but slower than a policy that works on columns.
    """

    reason = "checkpoint"

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        """Return whether the flush ends before this record."""
        return row.values.get("kind") == "checkpoint"


def report(event: Event) -> None:
    """Print each published file. Hooks receive every event; metrics can be made the same way."""
    if isinstance(event, FilePublished):
        print(f"{event.rows} rows in {event.key}", flush=True)


def main(bootstrap: str, topic: str, url: str) -> None:
    """Read everything that is in the topic, then stop."""
    with SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="parquet-sink", topics=topic),
        converter=JsonConverter(),
        partitioner=DefaultPartitioner(),
        rotation=FirstOf(CheckpointRotation(), RecordCountRotation(100_000)),
        storage=FsspecStorage(url),
        hooks=[report],
    ) as task:
        caught_up = False
        while not caught_up:
            result = task.step(timeout_s=0.5)
            caught_up = result.partitions > 0 and result.unread == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
