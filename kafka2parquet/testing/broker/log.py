"""The log of one topic-partition: raw record batches, producer sequences, transactions, log start."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Sequence

import attrs

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.record_batches import BatchHeader, control_batch, find_timestamp, place, split_batches

_SEQUENCE_MASK = 0x7FFFFFFF
_BATCHES_REMEMBERED = 5  # the number of batches that an idempotent producer may have in flight


@attrs.frozen
class StoredBatch:
    """A record batch in the log.

    Attributes:
        base_offset: offset of the first record.
        last_offset: offset of the last record.
        max_timestamp_ms: newest timestamp in the batch.
        end_bytes: number of bytes ever appended to the log, up to the end of this batch.
        data: the batch in its wire format.
    """

    base_offset: int
    last_offset: int
    max_timestamp_ms: int
    end_bytes: int
    data: bytes


@attrs.frozen
class AbortedTransaction:
    """An aborted transaction, whose records readers of committed records skip.

    Attributes:
        producer_id: the producer whose records were aborted.
        first_offset: offset of the transaction's first record in this partition.
        marker_offset: offset of the abort marker.
    """

    producer_id: int
    first_offset: int
    marker_offset: int


@attrs.frozen
class Read:
    """The result of reading one partition."""

    data: bytes = b""
    aborted: Sequence[AbortedTransaction] = ()


@attrs.define(eq=False)
class _ProducerState:
    epoch: int
    next_sequence: int = -1  # -1: any
    appended: list[tuple[int, int]] = attrs.Factory(list)  # (base sequence, base offset) of the last few batches


_last_offset = operator.attrgetter("last_offset")


class PartitionLog:
    """The log of one topic-partition. Batches keep the bytes that producers sent, with compression, headers and timestamps.

    Not thread-safe: only the broker's event loop may use it.
    """

    def __init__(self) -> None:
        self._batches: list[StoredBatch] = []
        self._start = 0
        self._end = 0
        self._appended_bytes = 0
        self._producers: dict[int, _ProducerState] = {}
        self._open_transactions: dict[int, int] = {}  # producer id: first offset
        self._aborted: list[AbortedTransaction] = []

    @property
    def start(self) -> int:
        """The log start: the first offset that can be read."""
        return self._start

    @property
    def end(self) -> int:
        """The log end, which is also the high watermark: the offset that the next record will get."""
        return self._end

    @property
    def last_stable_offset(self) -> int:
        """The first offset of the oldest open transaction; the log end if no transaction is open."""
        return min(self._open_transactions.values(), default=self._end)

    @property
    def size_bytes(self) -> int:
        """The total size in bytes of the batches that can be read."""
        return sum(len(batch.data) for batch in self._batches)

    def append(self, data: bytes, *, check_crc: bool = True) -> int:
        """Append record batches and return the base offset of the first batch.

        A batch that an idempotent producer repeats is not appended again; its existing offset is returned.

        Raises:
            BrokerError: a batch is corrupt, has a fenced epoch or is out of sequence. The batches before it stay appended.
        """
        first_offset: int | None = None
        for header, batch in split_batches(data, check_crc=check_crc):
            base_offset = self._duplicate_of(header)
            if base_offset is None:
                base_offset = self._add(header, batch)
            if first_offset is None:
                first_offset = base_offset
        return self._end if first_offset is None else first_offset

    def end_transaction(self, producer_id: int, producer_epoch: int, timestamp_ms: int, *, commit: bool) -> None:
        """Append the marker that commits or aborts a producer's transaction, and refuse older epochs from now on."""
        first_offset = self._open_transactions.pop(producer_id, None)
        ((header, batch),) = split_batches(control_batch(producer_id, producer_epoch, timestamp_ms, commit=commit))
        marker_offset = self._add(header, batch)
        if first_offset is not None and not commit:
            self._aborted.append(AbortedTransaction(producer_id, first_offset, marker_offset))
        state = self._producers.get(producer_id)
        if state is None or state.epoch != producer_epoch:
            self._producers[producer_id] = _ProducerState(producer_epoch)

    def leave_gap(self, offsets: int) -> None:
        """Skip `offsets` offsets before the next record, as if compaction had removed their records."""
        self._end += offsets

    def delete_before(self, offset: int) -> int:
        """Move the log start up to `offset` (-1: to the log end), and return the log start. The log start never moves back.

        Raises:
            BrokerError: the offset is after the log end.
        """
        if offset == -1:
            offset = self._end
        if not 0 <= offset <= self._end:
            raise BrokerError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if offset > self._start:
            self._start = offset
            del self._batches[: self._index(offset)]
        return self._start

    def readable_bytes(self, offset: int, *, committed_only: bool) -> int:
        """Return the total size in bytes of the batches that `read` can return from `offset` on.

        Raises:
            BrokerError: the offset is outside the log.
        """
        first, last = self._readable(offset, committed_only)
        return self._batches[last - 1].end_bytes - self._begin_bytes(first) if first < last else 0

    def read(self, offset: int, max_bytes: int, *, committed_only: bool, at_least_one: bool) -> Read:
        """Return whole batches, starting with the batch that contains `offset`.

        Args:
            offset: the first offset wanted. The first batch may start before it.
            max_bytes: maximum size in bytes of all batches together.
            committed_only: whether to stop at the last stable offset, and to return aborted transactions.
            at_least_one: whether to return the first batch even if it is larger than `max_bytes`, so that a reader proceeds.

        Raises:
            BrokerError: the offset is outside the log.
        """
        first, last = self._readable(offset, committed_only)
        limit_bytes = self._begin_bytes(first) + max_bytes
        stop = bisect.bisect_right(self._batches, limit_bytes, first, last, key=operator.attrgetter("end_bytes"))
        if stop == first and at_least_one:
            stop = min(first + 1, last)
        if stop == first:
            return Read()
        batches = self._batches[first:stop]
        aborted = [
            transaction
            for transaction in (self._aborted if committed_only else ())
            if transaction.marker_offset >= offset and transaction.first_offset <= batches[-1].last_offset
        ]
        return Read(b"".join([batch.data for batch in batches]), aborted)

    def offset_for_time(self, timestamp_ms: int) -> tuple[int, int] | None:
        """Return offset and timestamp of the first record that is not older than a timestamp; None if all are older."""
        for batch in self._batches:
            if batch.max_timestamp_ms >= timestamp_ms:
                found = find_timestamp(batch.data, timestamp_ms, self._start)
                if found is not None:
                    return found
        return None

    def newest_timestamp(self) -> tuple[int, int] | None:
        """Return offset and timestamp of the first record with the newest timestamp; None for an empty log."""
        newest = max((batch.max_timestamp_ms for batch in self._batches), default=None)
        return None if newest is None else self.offset_for_time(newest)

    def _index(self, offset: int) -> int:
        """Return the index of the first batch that ends at or after `offset`."""
        return bisect.bisect_left(self._batches, offset, key=_last_offset)

    def _readable(self, offset: int, committed_only: bool) -> tuple[int, int]:
        if not self._start <= offset <= self._end:
            raise BrokerError(ErrorCode.OFFSET_OUT_OF_RANGE)
        # a transaction starts with a batch, so the last stable offset is never inside a batch
        last = self._index(self.last_stable_offset) if committed_only else len(self._batches)
        return self._index(offset), last

    def _begin_bytes(self, index: int) -> int:
        if index == len(self._batches):
            return self._appended_bytes
        return self._batches[index].end_bytes - len(self._batches[index].data)

    def _duplicate_of(self, header: BatchHeader) -> int | None:
        """Return the base offset of a repeated batch; None for a new one. Refuses batches that break the sequence."""
        if header.producer_id < 0:
            return None
        state = self._producers.get(header.producer_id)
        if state is not None and header.producer_epoch < state.epoch:
            raise BrokerError(ErrorCode.INVALID_PRODUCER_EPOCH)
        if state is None or header.producer_epoch > state.epoch:
            state = self._producers[header.producer_id] = _ProducerState(header.producer_epoch)
        for base_sequence, base_offset in state.appended:
            if base_sequence == header.base_sequence:
                return base_offset
        if state.next_sequence not in (-1, header.base_sequence):
            raise BrokerError(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
        state.next_sequence = (header.base_sequence + header.last_offset_delta + 1) & _SEQUENCE_MASK
        state.appended = [*state.appended[1 - _BATCHES_REMEMBERED :], (header.base_sequence, self._end)]
        return None

    def _add(self, header: BatchHeader, batch: bytearray) -> int:
        base_offset = self._end
        place(batch, base_offset)
        self._appended_bytes += len(batch)
        last_offset = base_offset + header.last_offset_delta
        self._batches.append(StoredBatch(base_offset, last_offset, header.max_timestamp_ms, self._appended_bytes, bytes(batch)))
        self._end = last_offset + 1
        if header.is_transactional and not header.is_control:
            self._open_transactions.setdefault(header.producer_id, base_offset)
        return base_offset
