"""The keys of records as one column, by a converter of keys."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.arrays import one_array
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import DATA_EXCEPTION, ConsumedBatch, Reject, Stage
from kafka2parquet.rows import MixedRows, Rows
from kafka2parquet.schema.lattice import SchemaConflict, unify
from kafka2parquet.schema.required_fields import without_needless_nulls


def records_of(rows: Rows) -> ConsumedBatch:
    """The records that the rows were made of."""
    if len(rows) == len(rows.batch):
        return rows.batch
    return rows.batch.filter(pc.is_in(rows.batch.offsets, rows.offsets))


def key_column(records: ConsumedBatch, converter: RecordConverter | None) -> tuple[pa.Array, Sequence[Reject]]:
    """The key of each record, null where it has none, or could not be converted: then it is among the rejects.

    Args:
        records: one or more.
        converter: of keys; bytes as they are without one. Keys with several members become structs.
    """
    if converter is None:
        return records.keys.cast(pa.binary()), ()
    keyed = records.filter(pc.is_valid(records.keys)) if records.keys.null_count else records
    if not len(keyed):
        return pa.nulls(len(records), pa.string()), ()
    converted = converter.convert(attrs.evolve(keyed, values=keyed.keys))
    rejects = [records.reject_offset(r.offset, Stage.KEY, f"key: {r.reason}", r.exception) for r in converted.rejects]
    if not converted.groups:
        return pa.nulls(len(records), pa.string()), rejects
    fitting, misfits = _fitting(converted.groups)
    rejects += [
        records.reject_offset(offset, Stage.KEY, f"key: {reason}", DATA_EXCEPTION)
        for rows, reason in misfits
        for offset in rows.offsets.to_pylist()
    ]
    rows = MixedRows.of(fitting)
    column = _as_column(rows)
    if len(rows) == len(records):
        return column, rejects
    return without_needless_nulls(column.take(pc.index_in(records.offsets, rows.offsets))), rejects


def _fitting(groups: Sequence[Rows]) -> tuple[list[Rows], list[tuple[Rows, str]]]:
    """The groups that one column holds, and those whose keys have another type than keys before them, with the reason."""
    fitting: list[Rows] = []
    misfits: list[tuple[Rows, str]] = []
    for group in groups:
        try:
            unify([each.table.schema for each in (*fitting, group)])
            fitting.append(group)
        except SchemaConflict as conflict:
            misfits.append((group, f"its type is another one than that of the keys before it: {conflict}"))
    return fitting, misfits


def _as_column(rows: Rows | MixedRows) -> pa.Array:
    """The column of keys that are single values; a struct of the columns of others."""
    table = rows.table
    is_struct = any(group.value_schema is not None and group.value_schema.type == "struct" for group in rows.groups)
    if table.column_names == ["value"] and not is_struct:
        return one_array(table.column(0))
    if not table.num_columns:
        return pa.array([{}] * len(rows), pa.struct([]))
    return one_array(table.to_struct_array())
