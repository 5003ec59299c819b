"""Parts as users write them. `tests/unit/test_types_of_public_names.py` checks their types and runs them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.clock import Clock
from kafka2parquet.converters import PerRecordConverter, RecordConverter
from kafka2parquet.dead_letters import DeadLetterFuture, DeadLetterQueue
from kafka2parquet.errors import Kafka2ParquetError, RejectedRecordError
from kafka2parquet.events import Event, FilePublished, OffsetCommitted, RecordRejected
from kafka2parquet.partitioners import Partitioner, PerRecordPartitioner
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rotation import Cut, Due, FlushStats, PerRecordRotation, RotationPolicy
from kafka2parquet.rows import Converted, Partitioned, PartitionedRows, Row, Rows, Transformed
from kafka2parquet.storage import AlreadyExists, Published, StagedFile, Storage
from kafka2parquet.transforms import Predicate, TableTransform, Transform

#: pyarrow makes these functions when it is imported, so type checkers don't know them.
compute: Any = pc


class KeyValueConverter(PerRecordConverter):
    """Decodes `name=value;name=value`."""

    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        """Make a column of each name."""
        return dict(pair.split("=", 1) for pair in value.decode().split(";"))


class SizeConverter(RecordConverter):
    """Writes the size of each value, and rejects empty values."""

    @property
    def fingerprint(self) -> str:
        """Name the format; the class has no settings."""
        return "size"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Work on whole columns."""
        sizes = compute.binary_length(batch.values.cast(pa.large_binary()))
        empty = np.flatnonzero(sizes.to_numpy() == 0).tolist()
        rejects: Sequence[Reject] = batch.rejects(empty, Stage.DECODE, ["the value is empty"] * len(empty))
        rows = Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"size": sizes}))
        return Converted(rows.filter(compute.greater(sizes, 0)), rejects)


class CountryPartitioner(PerRecordPartitioner):
    """A folder for each country."""

    @property
    def fingerprint(self) -> str:
        """Name the rule; the class has no settings."""
        return "country"

    def encode(self, row: Row) -> str:
        """Name the folder."""
        return f"country={row.values['country']}"


class OneFolder(Partitioner):
    """Puts all rows into one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @property
    def fingerprint(self) -> str:
        """Name the folder."""
        return f"one-{self._folder}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Work on whole columns."""
        codes = pa.array(np.zeros(len(rows), np.int32))
        return Partitioned(PartitionedRows(rows, (self._folder,), codes, rows.timestamps_ms))


class CheckpointRotation(PerRecordRotation):
    """Ends a flush before each checkpoint."""

    def should_rotate(self, stats: FlushStats, row: Row) -> bool:
        """Look at one row."""
        return stats.rows > 0 and row.values.get("kind") == "checkpoint"


class HourOrRows(RotationPolicy):
    """Ends a flush an hour after it was opened, or after a number of rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        """Count rows."""
        missing = self._rows - stats.rows
        return Cut(missing, "rows") if missing <= len(batch) else None

    def due_at(self, stats: FlushStats) -> Due | None:
        """Look at the clock."""
        return Due(stats.opened_at + datetime.timedelta(hours=1), "hour")


class AddRegion(TableTransform):
    """Adds a column."""

    def __init__(self, region: str) -> None:
        self._region = region

    @property
    def fingerprint(self) -> str:
        """Name the value."""
        return f"region-{self._region}"

    def transform(self, table: pa.Table) -> pa.Table:
        """Work on the table alone."""
        return table.append_column("region", pa.repeat(self._region, table.num_rows))


class FirstOfMonth(Transform):
    """Leaves out all rows but those of the first day of a month."""

    @property
    def fingerprint(self) -> str:
        """Name the rule; the class has no settings."""
        return "first-of-month"

    def apply(self, rows: Rows) -> Transformed:
        """Work on whole columns."""
        days = compute.day(rows.timestamps_ms.cast(pa.timestamp("ms")))
        kept = rows.filter(compute.fill_null(compute.equal(days, 1), False))
        return Transformed(attrs.evolve(kept, table=kept.table))


class IsLarge(Predicate):
    """Chooses records whose value has more than some bytes."""

    def __init__(self, size: str = "1000") -> None:
        self._size = int(size)

    @property
    def fingerprint(self) -> str:
        """Name the size."""
        return f"large-{self._size}"

    def holds(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Look at the records as they were sent."""
        sizes = compute.fill_null(compute.binary_length(rows.records.values.cast(pa.large_binary())), 0)
        return np.asarray(sizes.to_numpy() > self._size)


class Metrics:
    """A hook that counts."""

    def __init__(self) -> None:
        self.files = 0
        self.committed = 0
        self.reasons: list[str] = []

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        if isinstance(event, FilePublished):
            self.files += 1
        elif isinstance(event, OffsetCommitted):
            self.committed = event.offset
        elif isinstance(event, RecordRejected):
            self.reasons.append(f"{event.reject.topic_partition}: {event.reject.stage.value}: {event.reject.reason}")


class Done:
    """A letter that is durable at once."""

    def done(self) -> bool:
        """It is."""
        return True

    def result(self) -> None:
        """Nothing went wrong."""


class LettersInMemory:
    """A dead-letter queue that keeps letters in a list."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    @property
    def pending_bytes(self) -> int:
        """Nothing waits."""
        return 0

    def prepare(self) -> DeadLetterFuture:
        """Nothing has to be connected."""
        return Done()

    def send(self, reject: Reject) -> DeadLetterFuture:
        """Keep a letter."""
        self.letters.append(json.dumps({"offset": reject.offset, "reason": reject.reason}))
        return Done()

    def close(self, timeout_s: float) -> None:
        """Nothing has to be released."""


class CountingStorage:
    """A storage around another one."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.published_bytes = 0

    @property
    def url(self) -> str:
        """The same place."""
        return self._inner.url

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """Count the bytes of new files."""
        outcome = self._inner.publish(key, file)
        if isinstance(outcome, Published):
            self.published_bytes += file.size_bytes
        return outcome


class LocalClock:
    """A clock that is an hour late."""

    def now(self) -> datetime.datetime:
        """The wall clock."""
        return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)

    def monotonic(self) -> float:
        """Seconds."""
        return 0.0


def why_it_stopped(error: Kafka2ParquetError) -> str:
    """Say what to look at."""
    if isinstance(error, RejectedRecordError):
        return f"{error.topic}-{error.partition} at {error.offset}: {error.stage}: {error.reason}"
    return str(error)


LETTERS: DeadLetterQueue = LettersInMemory()
CLOCK: Clock = LocalClock()
