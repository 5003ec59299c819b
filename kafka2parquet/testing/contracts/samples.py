"""Records and rows for contract tests, and readings of what parts make of them that can be compared."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.records import ConsumedBatch, Reject, TopicPartition
from kafka2parquet.rows import Rows

#: When flushes are opened in contract tests.
NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)
_TOPIC_PARTITION = TopicPartition("contract", 3)
_FIRST_OFFSET = 100
_FIRST_TIMESTAMP_MS = 1_779_019_200_000


def batch_of(values: Sequence[bytes | None]) -> ConsumedBatch:
    """Return records with these values, at offsets with gaps, with keys; every fifth record has no timestamp."""
    count = len(values)
    offsets = _FIRST_OFFSET + np.arange(count) + np.arange(count) // 3 * 2
    batch = ConsumedBatch.of_values(_TOPIC_PARTITION, values, first_offset=_FIRST_OFFSET)
    return attrs.evolve(
        batch,
        offsets=pa.array(offsets, pa.int64()),
        timestamps_ms=pa.array([None if n % 5 == 4 else _FIRST_TIMESTAMP_MS + 1000 * n for n in range(count)], pa.int64()),
        keys=pa.array([b"key %d" % number for number in range(count)], pa.binary_view()),
        next_offset=int(offsets[-1]) + 1 if count else _FIRST_OFFSET,
    )


def rows_of(table: pa.Table, *, tombstones: bool = False) -> Rows:
    """Return rows with these columns, one for each record of a sample batch: offsets have gaps, some timestamps are null.

    Args:
        table: the columns.
        tombstones: whether the records have no value. The table then has no columns.
    """
    batch = batch_of([None if tombstones else b"value %d" % number for number in range(table.num_rows)])
    return Rows(batch, batch.offsets, batch.timestamps_ms, table, tombstones=tombstones)


def parts_of(count: int) -> Iterator[list[tuple[int, int]]]:
    """Yield ways of splitting `count` records into batches: (start, length) of each batch. The first way is one batch."""
    for length in (count, 1, 2, 3, 5):
        yield [(start, min(length, count - start)) for start in range(0, count, length)]
    yield [(0, count - 1), (count - 1, 1)]


def row_values(groups: Iterable[Rows]) -> dict[int, Any]:
    """Return the values of each row, by its offset. Null members are left out, as other batches may lack their columns."""
    return {
        offset: (_without_nulls(row), rows.tombstones, rows.topic)
        for rows in groups
        for offset, row in zip(rows.offsets.to_pylist(), rows.table.to_pylist(), strict=True)
    }


def rejected(rejects: Iterable[Reject]) -> dict[int, str]:
    """Return the stage at which each reject failed, by its offset."""
    return {reject.offset: f"reject at stage {reject.stage.value}" for reject in rejects}


def all_offsets(groups: Iterable[Rows], rejects: Iterable[Reject] = (), tombstones: pa.Array | None = None) -> list[int]:
    """Return the offsets of all rows, rejects and tombstones, sorted. An offset that occurs twice is in the list twice."""
    offsets = [offset for rows in groups for offset in rows.offsets.to_pylist()]
    offsets += [reject.offset for reject in rejects]
    return sorted(offsets + ([] if tombstones is None else tombstones.to_pylist()))


def check_order(groups: Iterable[Rows]) -> None:
    """Check that each group's columns are of equal length, with rising offsets.

    Raises:
        AssertionError: a group's columns differ in length, or its offsets don't rise.
    """
    for rows in groups:
        offsets = rows.offsets.to_pylist()
        assert sorted(set(offsets)) == offsets
        assert (len(offsets), len(offsets)) == (rows.table.num_rows, len(rows.timestamps_ms))


def check_timestamps(groups: Iterable[Rows], batch: ConsumedBatch) -> None:
    """Check that each row has the Kafka timestamp of its record.

    Raises:
        AssertionError: a row has another timestamp.
    """
    timestamps_ms = dict(zip(batch.offsets.to_pylist(), batch.timestamps_ms.to_pylist(), strict=True))
    for rows in groups:
        assert [timestamps_ms[offset] for offset in rows.offsets.to_pylist()] == rows.timestamps_ms.to_pylist()


def check_rejects(rejects: Iterable[Reject], batch: ConsumedBatch) -> None:
    """Check that each reject carries its record, as `ConsumedBatch.rejects` makes rejects, and a reason.

    Raises:
        AssertionError: a reject doesn't.
    """
    places = {offset: place for place, offset in enumerate(batch.offsets.to_pylist())}
    for reject in rejects:
        assert reject.offset in places
        place = places[reject.offset]
        expected = batch.reject(place, reject.stage, reject.reason, reject.exception)
        assert expected == reject
        assert reject.reason.strip()


def check_fingerprints(one: object, again: object, others: Sequence[object]) -> None:
    """Check fingerprints of parts.

    Args:
        one: the fingerprint of a part.
        again: the fingerprint of a part with the same settings.
        others: the fingerprints of parts with other settings.

    Raises:
        AssertionError: a fingerprint isn't a text, differs for the same settings, or is the same for other settings.
    """
    assert isinstance(one, str)
    assert one
    assert one == again
    assert len({one, *others}) == 1 + len(others)


def contents(value: ConsumedBatch | Rows) -> dict[str, Any]:
    """Return everything in a batch or in rows, as Python values, to see later whether something was changed."""
    return {name: _plain(getattr(value, name)) for name in (field.name for field in attrs.fields(type(value)))}


def _plain(value: Any) -> Any:
    if isinstance(value, ConsumedBatch):
        return contents(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, pa.Table):
        return value.schema, value.to_pylist()
    return value.to_pylist() if isinstance(value, pa.Array) else value


def _without_nulls(value: Any) -> Any:
    """Return a value without the null members of dicts. NaN becomes a text, so that it equals itself."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return "NaN" if isinstance(value, float) and value != value else value
