"""The values of a table follower's status. Each is frozen, and can be read from any thread."""

from __future__ import annotations

import datetime
from typing import Literal

import attrs

from kafka2parquet.records import TopicPartition

TableStateName = Literal["starting", "running", "stopped", "failed"]
"""What a follower is doing.

| word       | meaning |
| ---------- | ------- |
| `starting` | has not read the table's positions yet |
| `running`  | has read them, and waits for the next round or is in one; also during an outage |
| `stopped`  | its loop has ended in order |
| `failed`   | a round has ended with an error that waiting doesn't cure, and no round has got further since |
"""


@attrs.frozen
class TablePartitionStatus:
    """How far a table is with one topic-partition.

    Attributes:
        topic_partition: the topic-partition.
        position: all rows below this offset are in the table; None before the first flush.
        committed: committed offset of the sink's group when the round began; None without one.
        lag_offsets: offsets that are committed and not in the table; None before the first flush.
        problem: what keeps the table from taking more; "" if nothing does.
    """

    topic_partition: TopicPartition
    position: int | None
    committed: int | None
    lag_offsets: int | None
    problem: str = ""


@attrs.frozen
class TableStatus:
    """One follower: a topic, and the table in which its files are registered.

    Attributes:
        table: the table's name, without credentials.
        topic: the topic.
        at: the time of this status.
        state: what the follower is doing.
        started_at: when the follower was made, or when its current loop began.
        interval_s: pause between two rounds of the loop, in seconds; None unless a loop was started.
        last_step_at: when the last step ended; None before the first one. A step is a transaction, the rest of a round, or a
            round that failed. A thread that hangs makes no steps.
        last_round_at: when the last complete round ended; None before the first one.
        last_transaction_at: when files were last added to the table; None if this follower has added none.
        up: whether the last round got all answers that it needed from Kafka, the store and the catalogue; None before the first
            answer.
        error: the text of the error that ended the last round; "" if none did.
        files: files that the follower has registered.
        rows: rows in these files.
        partitions: the topic-partitions with committed offsets, in their order, as the last step found them.
    """

    table: str
    topic: str
    at: datetime.datetime
    state: TableStateName
    started_at: datetime.datetime
    interval_s: float | None = None
    last_step_at: datetime.datetime | None = None
    last_round_at: datetime.datetime | None = None
    last_transaction_at: datetime.datetime | None = None
    up: bool | None = None
    error: str = ""
    files: int = 0
    rows: int = 0
    partitions: tuple[TablePartitionStatus, ...] = ()
