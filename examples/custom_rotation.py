"""A rotation policy of one's own: a file ends where the application says `checkpoint`, and a hook tells what is durable."""

import sys

from kafka2parquet import (
    DefaultPartitioner,
    FirstOf,
    FsspecStorage,
    JsonConverter,
    KafkaPythonConsumer,
    PerRecordRotation,
    RecordCountRotation,
    SinkTask,
)
from kafka2parquet.events import Event, FilePublished
from kafka2parquet.rotation.base import FlushStats
from kafka2parquet.rows import Row


class CheckpointRotation(PerRecordRotation):
    """Ends the flush before each record of kind `checkpoint`. Asked for every record: simple, but slower than columns."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        """Whether the flush ends before this record."""
        return row.values.get("kind") == "checkpoint"


def report(event: Event) -> None:
    """Hooks are told of everything that happens; metrics are made the same way."""
    if isinstance(event, FilePublished):
        print(f"{event.rows} rows in {event.key}", flush=True)


def main(bootstrap: str, topic: str, url: str) -> None:
    """Stop when everything that was in the topic is taken."""
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
