"""Fetched pieces to columns, a bounded number of decompressed bytes at a time.

How large a batch is when it is decompressed is known only afterwards. So batches are decompressed one after the other until
there is enough for a step. The batches behind them stay compressed until the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
from kafka.record.util import calc_crc32c

from kafka2parquet.consumers.columns import CRC_FROM, HEADER, Batch, decode
from kafka2parquet.consumers.decompression import MOST_BATCH_BYTES, CorruptDataError, Decompressor, WrongChecksumError
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import ConsumedBatch

if TYPE_CHECKING:
    from kafka2parquet.consumers.record_batches import FetchedBatches, Header

_CODEC = 0x07
_APPEND_TIME = 0x08
#: What a record counts for at least: its offset, its times and the views of its content take about so many bytes.
_RECORD_BYTES = 64

_decompressor = Decompressor()


@attrs.frozen
class DecodeLimits:
    """How much is decompressed at a time.

    Attributes:
        step_bytes: no further batch is decompressed once there are so many bytes.
        step_records: no further batch is decompressed once there are so many records.
        batch_bytes: a batch that decompresses to more is corrupt.
    """

    step_bytes: int = 16 << 20
    step_records: int = 1 << 15
    batch_bytes: int = MOST_BATCH_BYTES


@attrs.frozen(eq=False)
class Decoded:
    """What came of some pieces.

    Attributes:
        batches: the columns of the leading record batches.
        left: pieces with the record batches behind these. The first of them may be corrupt.
    """

    batches: Sequence[ConsumedBatch]
    left: Sequence[FetchedBatches]

    @property
    def size_bytes(self) -> int:
        """Decompressed bytes."""
        return sum(batch.size_bytes for batch in self.batches)


def decode_some(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> Decoded:
    """Check and decompress record batches from the first one on, and make columns. At least one record batch is taken.

    Args:
        pieces: one or more that follow each other in one partition and have one leader epoch; one of an old format alone.
        limits: of this call.

    Raises:
        CorruptRecordBatchError: the first record batch has a wrong checksum, is too large, or its bytes are not records.
    """
    if pieces[0].legacy is not None:
        return Decoded([pieces[0].decode_legacy(limits.batch_bytes)], pieces[1:])
    try:
        return _decode_runs(pieces, limits)
    except CorruptDataError:
        return _decode_singly(pieces, limits)


def _decode_runs(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> Decoded:
    taken: list[ConsumedBatch] = []
    size_bytes = records = 0
    is_plain = len(pieces) == 1 and not any(header.attributes & _CODEC for header in pieces[0].headers)
    fetched = pieces[0].data if is_plain else None
    run = _Run(pieces[0].first_offset, fetched)
    for number, piece in enumerate(pieces):
        data, position = memoryview(piece.data), piece.first_offset
        for index, header in enumerate(piece.headers):
            if size_bytes >= limits.step_bytes or records >= limits.step_records:
                return _stopped(taken, run, pieces, number, index)
            try:
                body = _body(data, header, limits)
            except CorruptDataError as error:
                if taken or run.headers:
                    return _stopped(taken, run, pieces, number, index)
                raise _corrupt(pieces, error) from error
            if run.headers and run.size_bytes + len(body) > limits.step_bytes:  # a large body is not copied to join others
                taken.append(run.columns(piece, position))
                run = _Run(position, fetched)
            run.add(header, body)
            size_bytes += len(body)
            records += header.records
            del body
            position = header.last_offset + 1
    taken.append(run.columns(pieces[-1], pieces[-1].next_offset))
    return Decoded(taken, ())


def _stopped(taken: Sequence[ConsumedBatch], run: _Run, pieces: Sequence[FetchedBatches], number: int, index: int) -> Decoded:
    """All that was taken before the batch with that index in the piece with that number."""
    piece = pieces[number]
    position = piece.headers[index - 1].last_offset + 1 if index else piece.first_offset
    headers = piece.headers[index:]
    records = sum(header.records for header in headers)
    rest = attrs.evolve(piece, headers=headers, first_offset=position, records=records)
    return Decoded([*taken, run.columns(piece, position)], [rest, *pieces[number + 1 :]])


def _decode_singly(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> Decoded:
    """The batches before one whose body doesn't hold its records, each by itself: together they don't say which one it is."""
    taken: list[ConsumedBatch] = []
    left, single = pieces, attrs.evolve(limits, step_bytes=1, step_records=1)
    while left and sum(batch.size_bytes for batch in taken) < limits.step_bytes:
        try:
            decoded = _decode_runs(left, single)
        except CorruptDataError as error:
            if taken:
                break
            raise _corrupt(left, error) from error
        except CorruptRecordBatchError:
            if taken:
                break
            raise
        taken += decoded.batches
        left = decoded.left
    return Decoded(taken, left)


class _Run:
    """Record batches that are decoded together: decoding few large ones costs less than many small ones."""

    def __init__(self, first_offset: int, fetched: bytes | None) -> None:
        """Begin without batches; `fetched` holds the bodies of all that come, where these are not compressed."""
        self.headers: list[Header] = []
        self.size_bytes = 0
        self.records = 0
        self._first_offset = first_offset
        self._fetched = fetched
        self._bodies: list[bytes | memoryview] = []
        self._batches: list[Batch] = []

    def add(self, header: Header, body: bytes | memoryview) -> None:
        """Add the next batch."""
        start = self.size_bytes if self._fetched is None else header.start + HEADER.size
        self.headers.append(header)
        self._bodies.append(body)
        self._batches.append(_batch_of(header, start, start + len(body)))
        self.size_bytes += len(body)
        self.records += header.records

    def columns(self, piece: FetchedBatches, next_offset: int) -> ConsumedBatch:
        """The columns of all records, and that they reach up to `next_offset`. `piece` is any of those that they come from.

        Raises:
            CorruptDataError: some body doesn't hold its records.
        """
        content = self._fetched
        if content is None:
            content = b"".join(self._bodies)
        self._bodies.clear()
        columns = decode(content, self._batches, self._first_offset)
        covered = attrs.evolve(piece, first_offset=self._first_offset, next_offset=next_offset)
        return covered.batch_of(columns, max(len(content), self.records * _RECORD_BYTES))


def _batch_of(header: Header, start: int, end: int) -> Batch:
    return Batch(
        base_offset=header.base_offset,
        base_timestamp_ms=header.base_timestamp_ms,
        max_timestamp_ms=header.max_timestamp_ms,
        append_time=bool(header.attributes & _APPEND_TIME),
        records=header.records,
        start=start,
        end=end,
    )


def _body(data: memoryview, header: Header, limits: DecodeLimits) -> bytes | memoryview:
    """The records of a batch.

    Raises:
        CorruptDataError: the checksum is wrong, or the batch is too large.
    """
    if calc_crc32c(data[header.start + CRC_FROM : header.end]) != header.crc:
        raise WrongChecksumError
    if not 0 <= header.records * _RECORD_BYTES <= limits.batch_bytes:
        raise CorruptDataError(f"it says that it holds {header.records} records")
    return _decompressor.decompress(
        header.attributes & _CODEC, data[header.start + HEADER.size : header.end], limits.batch_bytes
    )


def _corrupt(pieces: Sequence[FetchedBatches], error: CorruptDataError) -> CorruptRecordBatchError:
    """The error of the first batch, met at the position before all pieces.

    It knows where the next batch begins: by the header of that one, where the batch itself can't be trusted.
    """
    headers = [(piece, header) for piece in pieces for header in piece.headers]
    piece, header = headers[0]
    next_offset: int | None = header.last_offset + 1
    if isinstance(error, WrongChecksumError):
        next_offset = headers[1][1].base_offset if len(headers) > 1 else None
    alone = attrs.evolve(piece, headers=[header])
    return alone.corrupt(str(error), header.base_offset, pieces[0].first_offset, next_offset)
