"""The keys of records as one column, by a converter of keys."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rows import MixedRows, Rows
from kafka2parquet.schema.lattice import SchemaConflict, unify
from kafka2parquet.schema.required_fields import without_needless_nulls
from kafka2parquet.util.arrays import one_array


class KeyTypesDifferError(Exception):
    """Keys of several types, which no column holds together."""

    def __init__(self, groups: Sequence[Rows]) -> None:
        """Say so of keys that were converted.

        Args:
            groups: the keys, as rows of each schema.
        """
        super().__init__("the keys have types that no column holds together")
        self._groups = groups

    def parts(self, rows: Rows) -> list[Rows]:
        """The rows with keys of each type; those without a key, or whose key is a reject, are with the first ones."""
        offsets: dict[tuple[bool, pa.Schema], list[pa.Array]] = {}
        for group in self._groups:
            offsets.setdefault((_is_single(group), group.table.schema), []).append(group.offsets)
        _, *others = map(pa.concat_arrays, offsets.values())
        first = rows.filter(pc.invert(pc.is_in(rows.offsets, pa.concat_arrays(others))))
        return [first, *(rows.filter(pc.is_in(rows.offsets, other)) for other in others)]


def key_column(records: ConsumedBatch, converter: RecordConverter | None) -> tuple[pa.Array, Sequence[Reject]]:
    """The key of each record, null where it has none, or could not be converted: then it is among the rejects.

    Args:
        records: one or more.
        converter: of keys; bytes as they are without one. Keys with several members become structs.

    Raises:
        KeyTypesDifferError: the keys have to be converted type by type.
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
    if not _fit_together(converted.groups):
        raise KeyTypesDifferError(converted.groups)
    rows = MixedRows.of(converted.groups)
    column = _as_column(rows)
    if len(rows) == len(records):
        return column, rejects
    return without_needless_nulls(column.take(pc.index_in(records.offsets, rows.offsets))), rejects


def _fit_together(groups: Sequence[Rows]) -> bool:
    """Whether one column holds the keys of all groups."""
    if len({_is_single(group) for group in groups}) > 1:
        return False
    try:
        unify([*dict.fromkeys(group.table.schema for group in groups)])
    except SchemaConflict:
        return False
    return True


def _is_single(rows: Rows) -> bool:
    """Whether keys are single values, not structs."""
    return rows.table.column_names == ["value"] and (rows.value_schema is None or rows.value_schema.type != "struct")


def _as_column(rows: Rows | MixedRows) -> pa.Array:
    """The column of keys that are single values; a struct of the columns of others."""
    table = rows.table
    if all(_is_single(group) for group in rows.groups):
        return one_array(table.column(0))
    if not table.num_columns:
        return pa.array([{}] * len(rows), pa.struct([]))
    return one_array(table.to_struct_array())
