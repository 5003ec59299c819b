"""Record batches of a given producer."""

from __future__ import annotations

from kafka.record.util import calc_crc32c

from kafka2parquet.testing.broker.record_batches import HEADER, build_batches, read_header

_CHECKED_FROM = 21
_TRANSACTIONAL = 0x10


def produced_batch(
    records: int,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    *,
    timestamp_ms: int = 1_767_225_600_000,
    transactional: bool = False,
) -> bytes:
    """Makes one batch of records with the same time, by default without a producer."""
    (batch,) = build_batches([b"value"] * records, [timestamp_ms] * records)
    header = read_header(batch)._replace(
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        attributes=_TRANSACTIONAL if transactional else 0,
    )
    crc = calc_crc32c(HEADER.pack(*header)[_CHECKED_FROM:] + batch[HEADER.size :])
    return HEADER.pack(*header._replace(crc=crc)) + batch[HEADER.size :]
