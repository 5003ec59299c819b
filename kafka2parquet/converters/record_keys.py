"""Converts the keys of records to one column."""

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
    """The keys have several types, which one column can't hold."""

    def __init__(self, groups: Sequence[Rows]) -> None:
        """Make the error.

        Args:
            groups: the converted keys, as rows of each schema.
        """
        super().__init__("the keys have types that one column can't hold together")
        self._groups = groups

    def parts(self, rows: Rows) -> list[Rows]:
        """Split the rows by the types of their keys. Rows without a key, or with a rejected key, are in the first part."""
        offsets: dict[tuple[bool, pa.Schema], list[pa.Array]] = {}
        for group in self._groups:
            offsets.setdefault((_is_single(group), group.table.schema), []).append(group.offsets)
        _, *others = map(pa.concat_arrays, offsets.values())
        first = rows.filter(pc.invert(pc.is_in(rows.offsets, pa.concat_arrays(others))))
        return [first, *(rows.filter(pc.is_in(rows.offsets, other)) for other in others)]


def key_column(records: ConsumedBatch, converter: RecordConverter | None) -> tuple[pa.Array, Sequence[Reject]]:
    """Return the key of each record, and the rejects. The key is null if it is missing or could not be converted.

    Args:
        records: one or more records.
        converter: converts keys; without it, keys stay bytes. Keys with several members become structs.

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
    """Whether one column can hold the keys of all groups."""
    if len({_is_single(group) for group in groups}) > 1:
        return False
    try:
        unify([*dict.fromkeys(group.table.schema for group in groups)])
    except SchemaConflict:
        return False
    return True


def _is_single(rows: Rows) -> bool:
    """Whether the keys are single values instead of structs."""
    return rows.table.column_names == ["value"] and (rows.value_schema is None or rows.value_schema.type != "struct")


def _as_column(rows: Rows | MixedRows) -> pa.Array:
    """Return the column of keys that are single values, or a struct of the columns of other keys."""
    table = rows.table
    if all(_is_single(group) for group in rows.groups):
        return one_array(table.column(0))
    if not table.num_columns:
        return pa.array([{}] * len(rows), pa.struct([]))
    return one_array(table.to_struct_array())
