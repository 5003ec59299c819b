"""Raw record batches from kafka-python's fetcher, through a replacement for its class `PartitionRecords`.

kafka-python's fetcher creates one `PartitionRecords` for each partition in a fetch response. It only uses `bool()`, `take`,
`drain`, `topic_partition`, `next_fetch_offset`, `leader_epoch` and, in its own callback, `bytes_read`. So kafka-python keeps
control of positions, epochs, pauses, seeks and rebalances. `take` only walks the headers of the batches, so that the next fetch
is sent at once. Another thread later checks checksums, decompresses and builds columns, with `decode_some`.
"""

from __future__ import annotations

import collections
import struct
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.legacy_records import LegacyRecordBatch
from kafka.record.util import encode_varint

from kafka2parquet.consumers.record_batches.columns import Columns, decode
from kafka2parquet.consumers.record_batches.decompression import (
    CorruptDataError,
    Decompressor,
    WrongChecksumError,
    unreadable_is_corrupt,
)
from kafka2parquet.consumers.record_batches.headers import (
    CODEC,
    CONTROL,
    HEADER_BYTES,
    MAGIC_AT,
    NO_HEADERS,
    TRANSACTIONAL,
    Headers,
    legacy_end,
    moved_together,
    read_headers,
    whole_batches,
)
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import ConsumedBatch, TopicPartition

_decompressor = Decompressor()


@attrs.frozen(eq=False)
class FetchedBatches:
    """Fetched batches of one partition. Immutable.

    Attributes:
        topic_partition: topic-partition of the batches.
        data: the fetched bytes, without the bytes of skipped batches if most of the bytes are skipped.
        headers: headers of the batches with readable records; empty if only markers and aborted records were fetched.
        legacy: bounds of a single batch in an old format (before Kafka 0.11); None for the current format.
        first_offset: position before the batches.
        next_offset: position after the batches.
        leader_epoch: leader epoch of all batches.
        records: number of records according to the headers.
    """

    topic_partition: TopicPartition
    data: bytes
    headers: Headers
    legacy: tuple[int, int] | None
    first_offset: int
    next_offset: int
    leader_epoch: int
    records: int

    @property
    def size_bytes(self) -> int:
        """Fetched bytes held in memory."""
        return len(self.data)

    def decode_legacy(self, most_bytes: int) -> ConsumedBatch:
        """Decode a batch in an old format, which may decompress to at most `most_bytes`.

        Raises:
            CorruptRecordBatchError: the checksum is wrong, or the bytes are not records.
        """
        bounds = self.legacy or (0, 0)
        try:
            return self.batch_of(_legacy_columns(self.data, bounds, self.first_offset, most_bytes), self.size_bytes)
        except CorruptDataError as error:
            next_offset = None if isinstance(error, WrongChecksumError) else self.next_offset
            raise self.corrupt(str(error), self.first_offset, next_offset=next_offset) from error

    @property
    def content(self) -> bytes:
        """The bytes of the batches, as fetched."""
        bounds = zip(self.headers["start"].tolist(), self.headers["end"].tolist(), strict=True)
        return b"".join(self.data[start:end] for start, end in bounds)

    def corrupt(
        self, reason: str, base_offset: int, offset: int | None = None, next_offset: int | None = None
    ) -> CorruptRecordBatchError:
        """Return the error for a corrupt batch.

        Args:
            reason: what is wrong with the batch.
            base_offset: base offset of the batch, which may differ from the position.
            offset: position at which the batch was found, if it differs from `base_offset`.
            next_offset: position after the batch, None if unknown.
        """
        return CorruptRecordBatchError(
            f"{self.topic_partition}: the record batch at offset {base_offset} is corrupt: {reason}. Nothing is committed past"
            " it. Inspect the segment with Kafka's DumpLogSegments. To skip the batch, set the group's offset to the next"
            " batch with Kafka's tools.",
            topic=self.topic_partition.topic,
            partition=self.topic_partition.partition,
            offset=base_offset if offset is None else offset,
            next_offset=next_offset,
            content=self.content,
        )

    def batch_of(self, columns: Columns, size_bytes: int) -> ConsumedBatch:
        """Return a `ConsumedBatch` with these columns, which keep `size_bytes` of memory alive."""
        return ConsumedBatch(
            topic_partition=self.topic_partition,
            offsets=columns.offsets,
            timestamps_ms=columns.timestamps_ms,
            timestamp_types=columns.timestamp_types,
            keys=columns.keys,
            values=columns.values,
            headers=columns.headers,
            first_offset=self.first_offset,
            next_offset=self.next_offset,
            leader_epoch=self.leader_epoch,
            size_bytes=size_bytes,
        )


class ColumnarPartitionRecords:
    """Replaces `kafka.consumer.fetcher.Fetcher.PartitionRecords`, and takes the same arguments.

    Can go once kafka-python's fetcher returns raw record batches.
    """

    def __init__(
        self,
        fetch_offset: int,
        tp: Any,
        records: Any,
        key_deserializer: Any = None,
        value_deserializer: Any = None,
        check_crcs: bool = True,
        isolation_level: Any = IsolationLevel.READ_UNCOMMITTED,
        aborted_transactions: Any = None,
        metric_aggregator: Any = None,
        on_drain: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.topic_partition = tp
        self.next_fetch_offset = fetch_offset
        self.leader_epoch = -1
        self.bytes_read = 0
        self._records_read = 0
        self._read_committed = isolation_level == IsolationLevel.READ_COMMITTED
        aborted = sorted(aborted_transactions or [], key=lambda transaction: transaction.first_offset)
        self._aborted = collections.deque(aborted)
        self._aborted_producers: set[int] = set()
        self._metric_aggregator = metric_aggregator
        self._on_drain = on_drain
        self._data = bytes(records._buffer)  # the buffer is bytes already, so nothing is copied
        self._position = 0
        self._open = True

    def __bool__(self) -> bool:
        return self._open

    def drain(self) -> None:
        """Drop the remaining batches."""
        if self._open:
            self._open = False
            self._data = b""
            if self._metric_aggregator:
                self._metric_aggregator.record(self.topic_partition, self.bytes_read, self._records_read)
            self._on_drain(self)

    def take(self, n: int | None = None) -> list[FetchedBatches]:
        """Return the next batches as one `FetchedBatches`; [] if no batches are left.

        Raises:
            CorruptRecordBatchError: the headers are invalid; the next poll fetches them again.
        """
        if not self._open:
            return []
        first_offset = self.next_fetch_offset
        try:
            taken = self._walk()
        except (struct.error, CorruptDataError, IndexError, ValueError) as error:
            topic_partition = TopicPartition(*self.topic_partition)
            nothing = FetchedBatches(topic_partition, b"", NO_HEADERS, None, first_offset, first_offset, -1, 0)
            self.drain()
            raise nothing.corrupt(str(error), first_offset) from error
        if taken is None:
            self.drain()
            return []
        return [taken]

    def _walk(self) -> FetchedBatches | None:
        """Read headers from the end of the last walk on. Returns None if no whole batch is left."""
        data, start = self._data, self._position
        end = legacy_end(data, start)
        if end is not None:
            return self._legacy(start, end)
        starts, end = whole_batches(data, start)
        if not starts:
            return None
        headers = read_headers(data, starts, end)
        self.leader_epoch = int(headers["leader_epoch"][0])
        changes = np.flatnonzero(headers["leader_epoch"] != self.leader_epoch)
        if len(changes):  # a piece has one leader epoch; the next walk takes the rest
            headers = headers[: changes[0]]
        taken, end = headers[~self._are_skipped(headers)], int(headers["end"][-1])
        next_offset = max(self.next_fetch_offset, int(headers["last_offset"].max()) + 1)
        data, kept = _without_skipped(data, taken)
        return self._piece(data, kept, None, next_offset, end)

    def _legacy(self, start: int, end: int) -> FetchedBatches:
        (base_offset,) = struct.unpack_from(">q", self._data, start)  # a compressed batch has its last record's offset here
        next_offset = max(self.next_fetch_offset, base_offset + 1)
        return self._piece(self._data[start:end], NO_HEADERS, (0, end - start), next_offset, end)

    def _piece(
        self, data: bytes, headers: Headers, legacy: tuple[int, int] | None, next_offset: int, position: int
    ) -> FetchedBatches:
        taken = FetchedBatches(
            topic_partition=TopicPartition(*self.topic_partition),
            data=data,
            headers=headers,
            legacy=legacy,
            first_offset=self.next_fetch_offset,
            next_offset=next_offset,
            leader_epoch=self.leader_epoch,
            records=int(headers["records"].sum()),
        )
        self.bytes_read += position - self._position
        self._position, self.next_fetch_offset = position, next_offset
        self._records_read += taken.records
        return taken

    def _are_skipped(self, headers: Headers) -> npt.NDArray[np.bool_]:
        """Return a mask of the batches without readable records: transaction markers, and aborted records."""
        attributes = headers["attributes"]
        skipped: npt.NDArray[np.bool_] = attributes & CONTROL != 0
        if self._read_committed:
            of_transactions = (attributes & (CONTROL | TRANSACTIONAL) != 0) & (headers["producer_id"] >= 0)
            for index in np.flatnonzero(of_transactions).tolist():
                producer_id, last_offset = int(headers["producer_id"][index]), int(headers["last_offset"][index])
                while self._aborted and self._aborted[0].first_offset <= last_offset:
                    self._aborted_producers.add(self._aborted.popleft().producer_id)
                if not skipped[index]:
                    skipped[index] = producer_id in self._aborted_producers
                elif self._is_abort_marker(headers[index : index + 1]):
                    self._aborted_producers.discard(producer_id)
        return skipped

    def _is_abort_marker(self, header: Headers) -> bool:
        """Return whether a control batch aborts a transaction.

        A control record's key holds its version and its type, two bytes each. Type 0 is an abort.
        """
        body = memoryview(self._data)[int(header["start"][0]) + HEADER_BYTES : int(header["end"][0])]
        data = bytes(_decompressor.decompress(int(header["attributes"][0]) & CODEC, body))
        bounds = np.array([0]), np.array([len(data)])
        key: bytes = decode(data, header, *bounds, int(header["base_offset"][0])).keys[0].as_py()
        return bool(struct.unpack(">hh", key[:4])[1] == 0)


def _without_skipped(data: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """Return the bytes of the batches in `headers`, and the headers with positions in these bytes.

    Copies the batches only if most of the fetched bytes are skipped, as in an aborted transaction.
    """
    kept_bytes = int((headers["end"] - headers["start"]).sum())
    if kept_bytes > len(data) // 2:
        return data, headers
    bounds = zip(headers["start"].tolist(), headers["end"].tolist(), strict=True)
    return b"".join(data[start:end] for start, end in bounds), moved_together(headers)


class _BoundedLegacyBatch(LegacyRecordBatch):  # type: ignore[misc]  # kafka-python has no types
    """A batch in an old format that may decompress to at most `most_bytes`."""

    most_bytes = 0

    def _decompress(self, key_offset: int) -> bytes:
        if self.compression_type == self.CODEC_LZ4 and self.magic == 0:
            return bytes(super()._decompress(key_offset))  # frames with Kafka's wrong header checksum; only xxhash reads them
        (key_bytes,) = struct.unpack_from(">i", self._buffer, key_offset)
        value = key_offset + 4 + max(key_bytes, 0)
        (value_bytes,) = struct.unpack_from(">i", self._buffer, value)
        body = self._buffer[value + 4 : value + 4 + max(value_bytes, 0)]
        return bytes(_decompressor.decompress(self.compression_type, body, self.most_bytes))


def _legacy_columns(data: bytes, bounds: tuple[int, int], first_offset: int, most_bytes: int) -> Columns:
    """Decode records in the formats before Kafka 0.11 one by one, because such topics are rare."""
    batch = _BoundedLegacyBatch(memoryview(data)[bounds[0] : bounds[1]], data[bounds[0] + MAGIC_AT])
    batch.most_bytes = most_bytes
    if not batch.validate_crc():
        raise WrongChecksumError
    try:
        with unreadable_is_corrupt():
            return columns_of([record for record in batch if record.offset >= first_offset])
    except (AssertionError, IndexError, CorruptRecordError) as error:  # kafka-python's, for instance for a nested batch
        raise CorruptDataError(f"its records can't be read: {error or type(error).__name__}") from error


def columns_of(records: Sequence[Any]) -> Columns:
    """Build columns from kafka-python's record objects, one by one."""
    times = [None if record.timestamp is None or record.timestamp < 0 else record.timestamp for record in records]
    return Columns(
        offsets=pa.array([record.offset for record in records], pa.int64()),
        timestamps_ms=pa.array(times, pa.int64()),
        timestamp_types=pa.array([record.timestamp_type or 0 for record in records], pa.int8()),
        keys=pa.array([record.key for record in records], pa.binary_view()),
        values=pa.array([record.value for record in records], pa.binary_view()),
        headers=pa.array([_header_section(record.headers) for record in records], pa.binary_view()),
    )


def _header_section(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """Encode a record's headers as on the wire; None for a record without headers."""
    if not headers:
        return None
    section = bytearray()
    encode_varint(len(headers), section.append)
    for key, value in headers:
        for content in (key.encode(), value):
            encode_varint(-1 if content is None else len(content), section.append)
            section += content or b""
    return bytes(section)
