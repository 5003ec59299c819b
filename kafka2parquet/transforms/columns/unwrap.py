"""Unwrap: turns Debezium's change events into database rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows, in_order, without_columns
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.lattice import conform, unify
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.columns.change_events import AddedField, ChangeEvents, Mask, added_columns, change_events
from kafka2parquet.transforms.columns.paths import members
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.union import Column, Union
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.arrays import one_array

Deletes = Literal["drop", "rewrite", "tombstone"]
Tombstones = Literal["pass", "drop"]
_DELETED = "__deleted"
#: How to handle deletions and tombstones, by Debezium's names of modes.
_MODES: Mapping[str, tuple[Deletes, Tombstones]] = {
    "drop": ("drop", "drop"),
    "tombstone": ("tombstone", "drop"),
    "rewrite": ("rewrite", "drop"),
    "rewrite-with-tombstone": ("rewrite", "pass"),
}
#: How to handle deletions, by the values of Debezium's older property.
_HANDLING: Mapping[str, Deletes] = {"drop": "drop", "rewrite": "rewrite", "none": "tombstone"}
_NAMES = ("add.fields", "add.fields.prefix", "delete.tombstone.handling.mode")
_OLDER_NAMES = ("delete.handling.mode", "drop.tombstones")
_NO_HEADERS = "Headers stay as they were sent; use add.fields."
_NO_DROPS = "Use kafka2parquet.transforms:Drop after this transform, with the names of the fields."
#: Debezium's properties that are not supported here, with advice.
_INSTEAD: Mapping[str, str] = {
    "add.headers": _NO_HEADERS,
    "add.headers.prefix": _NO_HEADERS,
    "add.source.fields": "Use add.fields, with source. before each name.",
    "drop.fields.header.name": _NO_DROPS,
    "operation.header": "Headers stay as they were sent; use add.fields=op.",
    "replace.null.with.default": "Leave it out: the converter decides it (value.converter.replace.null.with.default).",
    "route.by.field": "The content of a record can't rename its topic; for other folders use a partitioner by field.",
}
#: Values of these properties that have no effect in Debezium either.
_NOTHING: Mapping[str, str] = {"operation.header": "false", "replace.null.with.default": "true"}
#: Properties that only matter together with an unsupported one.
_WITHOUT_EFFECT = ("drop.fields.from.key", "drop.fields.keep.schema.compatible")


@checked
class Unwrap(Transform):
    """Turns Debezium's change events into database rows, as Debezium's ExtractNewRecordState does.

    The columns are the fields of `after`. Events of truncated tables are dropped. Rows that are not change events stay
    unchanged. An event without the row that its operation needs is rejected.
    """

    def __init__(
        self,
        *,
        deletes: Deletes = "drop",
        tombstones: Tombstones = "drop",
        add_fields: Sequence[Name] = (),
        prefix: str = "__",
    ) -> None:
        """Choose how to handle deletions, and which fields to add.

        Args:
            deletes: how to handle events of deleted rows. `drop` drops them. `rewrite` writes the previous row, and adds a
                column `__deleted` with the text `true`, or `false` for other events. `tombstone` turns them into tombstones.
            tombstones: how to handle tombstones, which Debezium sends after each deletion. `drop` drops them, `pass` keeps
                them.
            add_fields: fields of events to add as columns, such as `op` (column `__op`), `source.ts_ms` (`__source_ts_ms`), or
                `source.ts_ms:changed_at` (`__changed_at`). A name without a struct is looked up in Debezium's order: `op` and
                `ts_ms` in the event, `id`, `total_order` and `data_collection_order` in `transaction`, other names in
                `source`, and then in the event. Fields that events lack are not added.
            prefix: prefix of the names of added columns.

        Raises:
            ConfigurationError: a choice is unknown, a field has another form, or two columns have the same name.
        """
        self._deletes = deletes
        self._tombstones = tombstones
        self._added = tuple(AddedField.of(text, prefix) for text in add_fields)
        names = [field.name for field in self._added] + ([_DELETED] if deletes == "rewrite" else [])
        if len(set(names)) < len(names):
            raise ConfigurationError(
                Problem("add.fields", f"add.fields: two columns have the same name: {', '.join(sorted(names))}.")
            )

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Unwrap:
        """Read Debezium's properties `add.fields`, `add.fields.prefix` (`__`) and `delete.tombstone.handling.mode`.

        The mode `drop` drops deletions and tombstones. `tombstone` turns deletions into tombstones and drops the original
        tombstones. `rewrite` writes deletions and drops tombstones. `rewrite-with-tombstone` writes deletions and keeps
        tombstones. Without a mode, Debezium's older properties apply: `delete.handling.mode` (`drop`, or `rewrite`, or `none`
        for tombstones) and `drop.tombstones` (`true`).
        """
        refused = [
            Problem(name, f"{name}: {advice}")
            for name, advice in _INSTEAD.items()
            if properties.get(name, "").lower() not in ("", _NOTHING.get(name))
        ]
        if refused:
            raise ConfigurationError(refused)
        known = {name: text for name, text in properties.items() if name not in (*_INSTEAD, *_WITHOUT_EFFECT)}
        given = TransformProperties(known, "Unwrap", *_NAMES, *_OLDER_NAMES)
        deletes, tombstones = _handling(given)
        prefix = given.text("add.fields.prefix")
        return cls(
            deletes=deletes,
            tombstones=tombstones,
            add_fields=given.items("add.fields") if given.text("add.fields") else (),
            prefix=prefix if prefix is not None else "__",
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies all settings."""
        return f"unwrap-{self._deletes}-{self._tombstones}-{[(field.paths, field.name) for field in self._added]}"

    def apply(self, rows: Rows) -> Transformed:
        """Replace events with their rows."""
        events = change_events(rows)
        if events is None:
            return Transformed(rows)
        unwrapped = _Unwrapped(rows, rows.table.schema)
        for name, mask in (("after", events.states), *([("before", events.deletions)] if self._deletes == "rewrite" else [])):
            self._unwrap(unwrapped, name, mask)
        self._refuse_empty(unwrapped, events)
        if self._deletes == "tombstone":
            unwrapped.take_values_away(events.deletions)
        if rows.value_schema is None:
            unwrapped.add_others(events.others)
        else:
            unwrapped.refuse(events.others, "op is not a change of a row, although the schema is that of change events.")
        return unwrapped.result()

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Drop or keep the tombstones."""
        return Transformed(rows if self._tombstones == "pass" else rows.slice(0, 0))

    def _unwrap(self, unwrapped: _Unwrapped, name: str, mask: Mask) -> None:
        """Use the fields of the struct `name` and the added fields as the columns of the rows in `mask`."""
        index = unwrapped.schema.get_field_index(name)
        if index < 0:
            return
        field = unwrapped.schema.field(index)
        if not pa.types.is_struct(field.type):
            reason = f"{name} is {field.type}, which doesn't have fields. Events of MongoDB contain JSON text there."
            unwrapped.refuse(mask, reason)
            return
        chosen = pa.array(mask)
        table = members(field, unwrapped.rows.table.column(index).filter(chosen))
        columns: list[Column] = list(zip(table.schema, table.columns, strict=True))
        if self._deletes == "rewrite":
            is_deleted = pa.repeat("true" if name == "before" else "false", len(table))
            columns.append((pa.field(_DELETED, pa.string()), is_deleted))
        columns += [(added, column.filter(chosen)) for added, column in added_columns(unwrapped.rows.table, self._added)]
        unwrapped.add(mask, columns, preferred=range(len(table.column_names), len(columns)))

    def _refuse_empty(self, unwrapped: _Unwrapped, events: ChangeEvents) -> None:
        unwrapped.refuse(events.unclear, "after is null, and so is before: the event has no row.")
        if self._deletes == "rewrite":
            reason = "before is null: the event of the deletion doesn't say what was deleted, so it can't be rewritten."
            unwrapped.refuse(events.empty_deletions, reason)


class _Unwrapped:
    """Collects tables, each with some of the rows, and rejects."""

    def __init__(self, rows: Rows, schema: pa.Schema) -> None:
        self.rows = rows
        self.schema = schema
        self._united: pa.Schema | None = None
        self._parts: list[tuple[Mask, pa.Table]] = []
        self._refusals = Refusals(len(rows))
        self._tombstones: list[Rows] = []

    def refuse(self, mask: Mask, reason: str) -> None:
        """Reject the rows in `mask`."""
        self._refusals.add(mask, reason)

    def take_values_away(self, mask: Mask) -> None:
        """Turn the rows in `mask` into tombstones."""
        if mask.any():
            rows = attrs.evolve(self.rows, table=without_columns(len(self.rows)), value_schema=None, tombstones=True)
            self._tombstones.append(rows.filter(pa.array(mask)))

    def add(self, mask: Mask, columns: Sequence[Column], *, preferred: Collection[int] = ()) -> None:
        """Add the columns of the rows in `mask`. Columns count even without rows, so that all tables have the same columns.

        If a column's type is incompatible with the column of other rows, the rows with a value in it are rejected.
        """
        refusals = Refusals(int(np.count_nonzero(mask)))
        union = Union("Unwrap", refusals)
        columns = union.by_names(columns, preferred=preferred)
        if self._united is not None:
            columns = [self._fitted(union, self._united, field, values) for field, values in columns]
        self._refusals.add_all(refusals, mask)
        table = without_columns(int(np.count_nonzero(mask)))
        if columns:
            schema = pa.schema([field for field, _ in columns])
            table = pa.Table.from_arrays([values for _, values in columns], schema=schema)
        self._united = table.schema if self._united is None else unify([self._united, table.schema])
        self._parts.append((mask, table))

    @staticmethod
    def _fitted(union: Union, united: pa.Schema, field: pa.Field, values: pa.Array | pa.ChunkedArray) -> Column:
        index = united.get_field_index(field.name)
        if index < 0:
            return field, values
        array = one_array(values) if isinstance(values, pa.ChunkedArray) else values
        _, fitted = union.fitted(united.field(index), field, array, field.name)
        return field.with_type(fitted.type), fitted

    def add_others(self, mask: Mask) -> None:
        """Add the rows in `mask` unchanged. Columns in which all of them are null are dropped: they belong to events."""
        if mask.any():
            others = self.rows.table.filter(pa.array(mask))
            columns = zip(others.schema, others.columns, strict=True)
            self.add(mask, [(field, values) for field, values in columns if values.null_count < len(others)])

    def result(self) -> Transformed:
        """Return all added rows in their original order, and the rejects."""
        filled = [(mask, table) for mask, table in self._parts if len(table)]
        rejects = self._refusals.rejects(self.rows)
        if not filled or self._united is None:
            return Transformed(self.rows.slice(0, 0), rejects, self._tombstones)
        kept = np.logical_or.reduce([mask for mask, _ in filled])
        rows = attrs.evolve(self.rows, table=without_columns(len(self.rows)))
        rows = rows if kept.all() else rows.filter(pa.array(kept))
        schema = _row_schema(self.rows.value_schema)
        rows = attrs.evolve(rows, table=self._table(filled, self._united), value_schema=schema)
        rows = rows.filter(pa.array(self._refusals.kept[kept])) if rejects else rows
        return Transformed(rows, rejects, self._tombstones)

    def _table(self, filled: Sequence[tuple[Mask, pa.Table]], schema: pa.Schema) -> pa.Table:
        return in_order([conform(table, schema) for _, table in filled], [np.flatnonzero(mask) for mask, _ in filled])


def _handling(given: TransformProperties) -> tuple[Deletes, Tombstones]:
    """Return how to handle deletions and tombstones. Debezium's older properties count only if the newer one isn't set."""
    mode = given.text("delete.tombstone.handling.mode")
    if mode:
        if mode.lower() not in _MODES:
            raise ConfigurationError(
                Problem(
                    "delete.tombstone.handling.mode",
                    f"delete.tombstone.handling.mode: {mode!r} is not one of {', '.join(_MODES)}.",
                )
            )
        return _MODES[mode.lower()]
    older = given.text("delete.handling.mode") or "drop"
    if older.lower() not in _HANDLING:
        raise ConfigurationError(
            Problem("delete.handling.mode", f"delete.handling.mode: {older!r} is not one of {', '.join(_HANDLING)}.")
        )
    return _HANDLING[older.lower()], "drop" if given.flag("drop.tombstones", default=True) else "pass"


def _row_schema(schema: ConnectSchema | None) -> ConnectSchema | None:
    """Return the schema of the database rows; None for events without a schema."""
    if schema is None:
        return None
    states = [field.schema for field in schema.row_schema.fields if field.name in ("after", "before")]
    return next((state for state in states if state.type == "struct"), schema)
