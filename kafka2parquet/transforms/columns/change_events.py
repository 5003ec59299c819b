"""Recognizes and classifies Debezium's change events, and reads fields from them.

An event has `op` (`c` created, `r` read by a snapshot, `u` updated, `d` deleted, `t` truncated), `before` and `after` (the
database row, null if it didn't or doesn't exist), `source` and other fields. Debezium itself checks the name of the schema.
Rows without a schema are recognized by their columns. Each row is classified independently of the rows beside it, because the
same records have to give the same rows, however they were polled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.schema.field_paths import is_path, resolve
from kafka2parquet.transforms.columns.paths import column_at

Mask = npt.NDArray[np.bool_]

#: Values of `op` in Debezium's change events. Messages of a database's log (`m`) are not changes of rows.
_OPERATIONS = ("c", "r", "u", "d", "t")
_STATES = ("before", "after")
#: The places where Debezium looks for a field that is named without a struct. All other fields are in `source`.
_AROUND = {
    "op": "",
    "ts_ms": "",
    "ts_us": "",
    "ts_ns": "",
    "id": "transaction",
    "data_collection_order": "transaction",
    "total_order": "transaction",
}


@attrs.frozen(eq=False)
class ChangeEvents:
    """Rows by kind of event. Each mask has one boolean for each row.

    Attributes:
        states: events with the current state of a database row.
        deletions: events with only the previous state of a deleted row.
        truncations: events of a truncated table.
        empty_deletions: events of a deletion without the deleted row.
        unclear: other events without a row.
        others: rows that are not events.
    """

    states: Mask
    deletions: Mask
    truncations: Mask
    empty_deletions: Mask
    unclear: Mask
    others: Mask


def change_events(rows: Rows) -> ChangeEvents | None:
    """Classify rows; None if their columns are not those of change events."""
    table = rows.table
    structs = [name for name in (*_STATES, "source") if _is_struct(table, name)]
    if not structs or not _is_text(table, "op"):
        return None
    if rows.value_schema is not None and not any(name in table.column_names for name in _STATES):
        return None
    operations = table.column("op").cast(pa.string())
    marked = np.logical_or.reduce([_is_there(table, name) for name in structs])
    events = _numpy(pc.is_in(operations, pa.array(_OPERATIONS))) & marked
    before, after = _is_there(table, "before"), _is_there(table, "after")
    neither = events & ~before & ~after
    truncated, deleted = (_numpy(pc.is_in(operations, pa.array([operation]))) for operation in ("t", "d"))
    return ChangeEvents(
        states=events & after,
        deletions=events & before & ~after,
        truncations=neither & truncated,
        empty_deletions=neither & deleted,
        unclear=neither & ~truncated & ~deleted,
        others=~events,
    )


def _is_struct(table: pa.Table, name: str) -> bool:
    index = table.schema.get_field_index(name)
    return index >= 0 and bool(pa.types.is_struct(table.schema.field(index).type))


def _is_text(table: pa.Table, name: str) -> bool:
    index = table.schema.get_field_index(name)
    if index < 0:
        return False
    type_ = table.schema.field(index).type
    type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
    return any(is_kind(type_) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_there(table: pa.Table, name: str) -> Mask:
    index = table.schema.get_field_index(name)
    return _numpy(table.column(index).is_valid()) if index >= 0 else np.zeros(table.num_rows, np.bool_)


def _numpy(booleans: pa.ChunkedArray) -> Mask:
    array: Mask = booleans.to_numpy()
    return array


@attrs.frozen
class AddedField:
    """A field of change events to add as a column.

    Attributes:
        paths: possible paths of the field; the first existing path counts.
        name: name of the column.
    """

    paths: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, text: str, prefix: str) -> AddedField:
        """Parse an entry of Debezium's `add.fields`: `field` or `struct.field`, optionally followed by `:name`.

        Raises:
            ConfigurationError: the text has another form.
        """
        path, colon, name = (part.strip() for part in text.partition(":"))
        if not is_path(path) or (colon and not name) or ":" in name:
            raise ConfigurationError(
                Problem("add.fields", f"add.fields: {text!r} isn't of the form field or struct.field, with or without :name.")
            )
        around = "" if "." in path else _AROUND.get(path, "source")
        paths = (f"{around}.{path}", path) if around else (path,)
        return cls(paths, prefix + (name or path.replace(".", "_")))


def added_columns(table: pa.Table, added: Sequence[AddedField]) -> Iterator[tuple[pa.Field, pa.ChunkedArray]]:
    """Yield the columns of the added fields that the events have."""
    for field in added:
        parts = next((parts for parts in (resolve(table.schema, path) for path in field.paths) if parts is not None), None)
        if parts is not None:
            found, column = column_at(table, parts)
            yield found.with_name(field.name).with_nullable(True), column
