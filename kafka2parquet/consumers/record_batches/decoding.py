"""Decodes fetched pieces to columns, a bounded number of decompressed bytes at a time.

The decompressed size of a batch is known only afterwards. So batches are decompressed one after the other until there is enough
for a step. Later batches stay compressed until the next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from kafka.record.util import calc_crc32c

from kafka2parquet.consumers.record_batches.columns import decode
from kafka2parquet.consumers.record_batches.decompression import (
    MOST_BATCH_BYTES,
    CorruptDataError,
    Decompressor,
    WrongChecksumError,
)
from kafka2parquet.consumers.record_batches.fetched_batches import FetchedBatches
from kafka2parquet.consumers.record_batches.headers import CODEC, CRC_FROM, HEADER_BYTES, Headers
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.util.display import counted

#: Each record counts as at least this many bytes: the memory for its offset, its timestamp and the views of its content.
_RECORD_BYTES = 64

_decompressor = Decompressor()


@attrs.frozen
class DecodeLimits:
    """Limits for decompression.

    Attributes:
        step_bytes: a step ends when this many bytes are decompressed.
        step_records: a step ends when this many records are decompressed.
        batch_bytes: a batch that decompresses to more bytes than this is corrupt.
    """

    step_bytes: int = 16 << 20
    step_records: int = 1 << 15
    batch_bytes: int = MOST_BATCH_BYTES


@attrs.frozen(eq=False)
class Decoded:
    """The result of decoding some pieces.

    Attributes:
        batches: the columns of the decoded leading record batches.
        left: pieces with the remaining record batches. The first remaining batch may be corrupt.
    """

    batches: Sequence[ConsumedBatch]
    left: Sequence[FetchedBatches]

    @property
    def size_bytes(self) -> int:
        """Decompressed bytes of all batches."""
        return sum(batch.size_bytes for batch in self.batches)


def decode_some(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> Decoded:
    """Check, decompress and decode record batches from the start of `pieces`: at least one, and as many as the limits allow.

    Args:
        pieces: one or more consecutive pieces of one partition with the same leader epoch. A piece in an old format must be
            alone.
        limits: limits for this call.

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
    is_plain = len(pieces) == 1 and not (pieces[0].headers["attributes"] & CODEC).any()
    fetched = pieces[0].data if is_plain else None
    run = _Run(pieces[0].first_offset, fetched)
    for number, piece in enumerate(pieces):
        data, first = memoryview(piece.data), 0  # `first` is the index of the piece's first batch in the run
        for index, batch in enumerate(_rows(piece.headers)):
            if size_bytes >= limits.step_bytes or records >= limits.step_records:
                return _stopped(taken, run, pieces, number, (first, index))
            try:
                body = _body(data, batch, limits)
            except CorruptDataError as error:
                if taken or run.bodies:
                    return _stopped(taken, run, pieces, number, (first, index))
                raise _corrupt(pieces, error) from error
            if run.bodies and run.size_bytes + len(body) > limits.step_bytes:  # a large body is not copied to join others
                position = _position(piece, index)
                run.headers.append(piece.headers[first:index])
                taken.append(run.columns(piece, position))
                run, first = _Run(position, fetched), index
            run.bodies.append(body)
            run.size_bytes += len(body)
            size_bytes += len(body)
            records += batch[-1]
            del body
        run.headers.append(piece.headers[first:])
    taken.append(run.columns(pieces[-1], pieces[-1].next_offset))
    return Decoded(taken, ())


_Row = tuple[int, int, int, int, int]


def _rows(headers: Headers) -> Iterator[_Row]:
    """Yield the start, end, checksum, attributes and number of records of each batch."""
    return zip(*(headers[name].tolist() for name in ("start", "end", "crc", "attributes", "records")), strict=True)


def _position(piece: FetchedBatches, index: int) -> int:
    """Return the position before a batch of a piece."""
    return int(piece.headers["last_offset"][index - 1]) + 1 if index else piece.first_offset


def _stopped(
    taken: Sequence[ConsumedBatch], run: _Run, pieces: Sequence[FetchedBatches], number: int, indices: tuple[int, int]
) -> Decoded:
    """Return the decoded batches and what is left.

    In the piece `number`, the run holds the batches from the first index on, and the batches from the second index on are left.
    """
    piece, (first, index) = pieces[number], indices
    position, headers = _position(piece, index), piece.headers[index:]
    rest = attrs.evolve(piece, headers=headers, first_offset=position, records=int(headers["records"].sum()))
    run.headers.append(piece.headers[first:index])
    return Decoded([*taken, run.columns(piece, position)], [rest, *pieces[number + 1 :]])


def _decode_singly(pieces: Sequence[FetchedBatches], limits: DecodeLimits) -> Decoded:
    """Decode batches one by one, up to the batch whose body doesn't hold its records.

    If batches are decoded together, the error doesn't show which of them is damaged.
    """
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
    """Record batches that are decoded together, which costs less than decoding many small batches one by one."""

    def __init__(self, first_offset: int, fetched: bytes | None) -> None:
        """Start without batches. `fetched` is the memory that holds all bodies, if these are not compressed."""
        self.headers: list[Headers] = []
        self.bodies: list[bytes | memoryview] = []
        self.size_bytes = 0
        self._first_offset = first_offset
        self._fetched = fetched

    def columns(self, piece: FetchedBatches, next_offset: int) -> ConsumedBatch:
        """Decode all records to columns that extend to `next_offset`. `piece` is any of the pieces with these batches.

        Raises:
            CorruptDataError: a body doesn't hold its records.
        """
        headers = np.concatenate(self.headers)
        sizes = np.array([len(body) for body in self.bodies], np.int64)
        content = self._fetched
        if content is None:
            content = b"".join(self.bodies)
            starts = np.cumsum(sizes) - sizes
        else:
            starts = headers["start"] + HEADER_BYTES
        self.bodies.clear()
        columns = decode(content, headers, starts, starts + sizes, self._first_offset)
        covered = attrs.evolve(piece, first_offset=self._first_offset, next_offset=next_offset)
        return covered.batch_of(columns, max(len(content), int(headers["records"].sum()) * _RECORD_BYTES))


def _body(data: memoryview, batch: _Row, limits: DecodeLimits) -> bytes | memoryview:
    """Check and decompress the body of a batch.

    Raises:
        CorruptDataError: the checksum is wrong, or the batch is too large.
    """
    start, end, crc, attributes, records = batch
    if calc_crc32c(data[start + CRC_FROM : end]) != crc:
        raise WrongChecksumError
    if not 0 <= records * _RECORD_BYTES <= limits.batch_bytes:
        raise CorruptDataError(f"its header says that it holds {counted(records, 'record')}")
    body = data[start + HEADER_BYTES : end]
    codec = attributes & CODEC
    return _decompressor.decompress(codec, body, limits.batch_bytes) if codec else body


def _corrupt(pieces: Sequence[FetchedBatches], error: CorruptDataError) -> CorruptRecordBatchError:
    """Return the error for the first batch of the pieces.

    If the batch's own header can't be trusted, the header of the following batch gives `next_offset`.
    """
    piece = next(piece for piece in pieces if len(piece.headers))
    headers = np.concatenate([each.headers for each in pieces])
    next_offset: int | None = int(headers["last_offset"][0]) + 1
    if isinstance(error, WrongChecksumError):
        next_offset = int(headers["base_offset"][1]) if len(headers) > 1 else None
    alone = attrs.evolve(piece, headers=piece.headers[:1])
    return alone.corrupt(str(error), int(headers["base_offset"][0]), pieces[0].first_offset, next_offset)
