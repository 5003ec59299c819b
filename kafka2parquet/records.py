"""Records as they come from Kafka: batches in columns, and single rejected records."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.util.arrays import chosen_views
from kafka2parquet.util.display import counted
from kafka2parquet.util.secrets import without_credentials
from kafka2parquet.util.varints import read_varint

__all__ = [
    "ConsumedBatch",
    "Reject",
    "Stage",
    "TopicPartition",
    "View",
    "decode_headers",
]


@attrs.frozen(order=True)
class TopicPartition:
    """One ordered log; the unit of assignment and commit."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


#: The parts of a record that can be written to a separate file beside the file of values.
View = Literal["keys", "headers"]


class Stage(enum.Enum):
    """The stage at which a record was rejected."""

    FETCH = "fetch"
    KEY = "key"
    DECODE = "decode"
    TRANSFORM = "transform"
    TIMESTAMP = "timestamp"
    PARTITION = "partition"
    WRITE = "write"


@attrs.frozen(eq=False)
class ConsumedBatch:
    """Records of one topic-partition as the consumer delivers them: columns of equal length, in offset order.

    The batch covers the offsets [first_offset, next_offset). Some offsets may lack a record: transaction markers, aborted
    records, and gaps left by compaction. A batch without records only moves the position.

    Attributes:
        topic_partition: the topic-partition of all records.
        offsets: int64, ascending.
        timestamps_ms: int64, milliseconds since the epoch; null for a record without a timestamp (Kafka's -1).
        timestamp_types: int8; 0 is create time, 1 is log-append time.
        keys: binary_view; null for a record without a key.
        values: binary_view; null for a tombstone.
        headers: binary_view; each record's header section as sent (count, then key and value each with its length, all
            lengths zigzag varints); null for a record without headers. `decode_headers` decodes one section.
        first_offset: position before the batch.
        next_offset: position after the batch; commit this offset when the whole batch is durable.
        leader_epoch: leader epoch of all records of the batch, -1 if unknown.
        high_watermark: next offset that readers could see at the broker at the time of the fetch, None if unknown.
        size_bytes: decompressed bytes that the columns keep alive.
    """

    topic_partition: TopicPartition
    offsets: pa.Array
    timestamps_ms: pa.Array
    timestamp_types: pa.Array
    keys: pa.Array
    values: pa.Array
    headers: pa.Array
    first_offset: int
    next_offset: int
    leader_epoch: int = -1
    high_watermark: int | None = None
    size_bytes: int = 0

    @classmethod
    def of_values(
        cls,
        topic_partition: TopicPartition,
        values: Sequence[bytes | None],
        *,
        first_offset: int = 0,
        timestamps_ms: Sequence[int] | None = None,
    ) -> ConsumedBatch:
        """Return a batch of records at consecutive offsets, with the given values, optional times, and nothing else."""
        count = len(values)
        return cls(
            topic_partition=topic_partition,
            offsets=pa.array(range(first_offset, first_offset + count), pa.int64()),
            timestamps_ms=pa.nulls(count, pa.int64()) if timestamps_ms is None else pa.array(timestamps_ms, pa.int64()),
            timestamp_types=pa.array([0] * count, pa.int8()),
            keys=pa.nulls(count, pa.binary_view()),
            values=pa.array(values, pa.binary_view()),
            headers=pa.nulls(count, pa.binary_view()),
            first_offset=first_offset,
            next_offset=first_offset + count,
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def filter(self, mask: pa.Array) -> ConsumedBatch:
        """Return the records for which the boolean `mask` is true. The batch still covers the same range of offsets."""
        return attrs.evolve(
            self,
            offsets=self.offsets.filter(mask),
            timestamps_ms=self.timestamps_ms.filter(mask),
            timestamp_types=self.timestamp_types.filter(mask),
            keys=filter_view(self.keys, mask),
            values=filter_view(self.values, mask),
            headers=filter_view(self.headers, mask),
        )

    def take(self, rows: npt.NDArray[np.int64]) -> ConsumedBatch:
        """Return the records at the indices `rows` without copying their content. The range of offsets stays the same."""
        indices = pa.array(rows, pa.int64())
        return attrs.evolve(
            self,
            offsets=self.offsets.take(indices),
            timestamps_ms=self.timestamps_ms.take(indices),
            timestamp_types=self.timestamp_types.take(indices),
            keys=chosen_views(self.keys, rows),
            values=chosen_views(self.values, rows),
            headers=chosen_views(self.headers, rows),
        )

    def slice(self, start: int, length: int) -> ConsumedBatch:
        """Return the records [start, start + length) without copying. The range of offsets stays the same."""
        columns = ("offsets", "timestamps_ms", "timestamp_types", "keys", "values", "headers")
        return attrs.evolve(self, **{name: getattr(self, name).slice(start, length) for name in columns})

    def since(self, offset: int) -> ConsumedBatch:
        """Return the part of the batch from `offset` on. The offset must be between `first_offset` and `next_offset`."""
        wanted = pa.array(self.offsets.to_numpy() >= offset)
        return attrs.evolve(self.filter(wanted), first_offset=offset)

    def before(self, offset: int) -> ConsumedBatch:
        """Return the records before `offset` without copying. The batch still covers the same range of offsets."""
        return self.slice(0, int(np.searchsorted(self.offsets.to_numpy(), offset)))

    def split(self, most_bytes: int) -> list[ConsumedBatch]:
        """Split the batch into runs whose keys, values and headers take at most `most_bytes`. A larger record is a run alone.

        The runs share the memory of the batch; only the last run's `size_bytes` counts it.
        """
        if self.size_bytes <= most_bytes or len(self) < 2:
            return [self]
        ends = np.cumsum(sum(_lengths(column) for column in (self.keys, self.values, self.headers)))
        offsets, runs, start, first_offset = self.offsets.to_numpy(), [], 0, self.first_offset
        while start < len(self):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + most_bytes, side="right")))
            is_last = stop == len(self)
            next_offset = self.next_offset if is_last else int(offsets[stop])
            size_bytes = self.size_bytes if is_last else 0
            run = self.slice(start, stop - start)
            runs.append(attrs.evolve(run, first_offset=first_offset, next_offset=next_offset, size_bytes=size_bytes))
            start, first_offset = stop, next_offset
        return runs

    def reject(self, row: int, stage: Stage, reason: str, exception: str = "") -> Reject:
        """Return the record at index `row` as a reject with its raw bytes."""
        return self.rejects([row], stage, [reason], exception)[0]

    def rejects(
        self, rows: Sequence[int], stage: Stage, reasons: Sequence[str], exception: str | Sequence[str] = ""
    ) -> list[Reject]:
        """Return the records at the indices `rows` as rejects, each with its reason from `reasons`.

        `exception` is one class name for all rejects, or a class name for each.
        """
        if not rows:
            return []
        chosen = pa.array(rows, pa.int64())
        columns = (
            self.offsets.take(chosen).to_pylist(),
            self.timestamps_ms.take(chosen).to_pylist(),
            *([column[row].as_py() for row in rows] for column in (self.keys, self.values, self.headers)),
            reasons,
            [exception] * len(rows) if isinstance(exception, str) else exception,
        )
        return [
            Reject(self.topic_partition, offset, stage, reason, exception, timestamp_ms, key, value, _readable_headers(headers))
            for offset, timestamp_ms, key, value, headers, reason, exception in zip(*columns, strict=True)
        ]

    def reject_offset(self, offset: int, stage: Stage, reason: str, exception: str = "") -> Reject:
        """Return the record at `offset` as a reject. The batch must contain the offset."""
        return self.reject_offsets(np.array([offset]), stage, [reason], exception)[0]

    def reject_offsets(
        self, offsets: npt.NDArray[np.int64], stage: Stage, reasons: Sequence[str], exception: str | Sequence[str] = ""
    ) -> list[Reject]:
        """Return the records at `offsets` as rejects, as `rejects` does. The batch must contain all of the offsets."""
        return self.rejects(np.searchsorted(self.offsets.to_numpy(), offsets).tolist(), stage, reasons, exception)


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return the length of each value of a binary_view column, read from its view. The consumer's nulls have length 0."""
    views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)
    return views[column.offset : column.offset + len(column), 0].astype(np.int64)


def filter_view(column: pa.Array, mask: pa.Array) -> pa.Array:
    """Filter a binary_view column by a boolean mask. Copies the column.

    Replaces `column.filter(mask)` until Arrow has a filter kernel for binary_view (apache/arrow#43010).
    """
    return column.cast(pa.large_binary()).filter(mask).cast(pa.binary_view())


def decode_headers(section: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
    """Decode one record's header section to (key, value) pairs (Kafka protocol, record format v2).

    Bytes of a key that are not UTF-8 become U+FFFD, as in Kafka's Java client.

    Raises:
        ValueError: the section is malformed.
    """
    if section is None:
        return ()
    position = 0

    def varint() -> int:
        nonlocal position
        number, position = read_varint(section, position)
        return number

    def take(length: int) -> bytes:
        nonlocal position
        if not 0 <= length <= len(section) - position:
            raise ValueError(f"a header of {counted(length, 'byte')}, but only {len(section) - position} are left")
        position += length
        return section[position - length : position]

    try:
        pairs = []
        for _ in range(varint()):
            key = take(varint()).decode(errors="replace")
            length = varint()
            pairs.append((key, None if length == -1 else take(length)))
    except IndexError:
        raise ValueError("the header section ends too early") from None
    if position != len(section):
        raise ValueError(f"the header section is {counted(len(section), 'byte')} long, but its headers take {position}")
    return tuple(pairs)


def _readable_headers(section: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
    """Decode the headers of a reject. Returns no headers if the section is malformed, which may be why it was rejected."""
    try:
        return decode_headers(section)
    except ValueError:
        return ()


#: Kafka Connect's exception classes for most rejects: unreadable or unwritable data, and a record without a folder.
DATA_EXCEPTION = "org.apache.kafka.connect.errors.DataException"
PARTITION_EXCEPTION = "io.confluent.connect.storage.errors.PartitionException"


def _as_text(reason: str) -> str:
    """Hide credentials in a reason, and escape lone surrogates, which names quoted from a record may contain."""
    reason = without_credentials(reason)
    return reason if reason.isascii() else reason.encode("utf-8", "backslashreplace").decode()


@attrs.frozen
class Reject:
    """A record that can't be written, with everything that is needed to inspect or replay it.

    Attributes:
        topic_partition: the topic-partition of the record.
        offset: the record's offset.
        stage: the stage at which the record failed.
        reason: why the record failed.
        exception: the exception class that Kafka Connect reports; "" to derive the class from the stage.
        timestamp_ms: the record's Kafka timestamp in milliseconds, None if it has none.
        key: the key as sent.
        value: the value as sent. For an unreadable record batch, the bytes of the whole batch.
        headers: the headers as sent; empty if the header section is malformed.
    """

    topic_partition: TopicPartition
    offset: int
    stage: Stage
    reason: str = attrs.field(converter=_as_text)
    exception: str = ""
    timestamp_ms: int | None = None
    key: bytes | None = attrs.field(default=None, repr=False)
    value: bytes | None = attrs.field(default=None, repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = attrs.field(default=(), repr=False)


def is_kept(offsets: pa.Array, rejects: Sequence[Reject]) -> pa.Array:
    """Return a boolean mask of the offsets that are not among the rejects."""
    rejected = np.array([reject.offset for reject in rejects], np.int64)
    return pa.array(~np.isin(offsets.to_numpy(), rejected))
