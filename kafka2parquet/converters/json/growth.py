"""Grows a learned schema record by record, or reports why a record doesn't fit.

Walking through a record changes the tree of the schema in place. So the last members see what the first members added, and the
cost depends on the size of the record, not of the schema. If the record turns out not to fit, all its changes are undone: a
refused record leaves no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json.columns import OnMisfit
from kafka2parquet.converters.json.numbers import has_inexact, is_exact, whole_number
from kafka2parquet.converters.json.parse_record import MAX_DEPTH, JsonNumber, RecordRefused, json_text
from kafka2parquet.converters.json.rescue import element_path, member_path
from kafka2parquet.converters.json.shape import Kind, Shape, scalar_fits
from kafka2parquet.schema.column_rules import MAX_LEVELS, ColumnRules, field_bytes, measured
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import SchemaConflict, merge

_INT64 = range(-(2**63), 2**63)
_MOST_PATH = 200
_EXPECTED = {
    Kind.BOOLEAN: "bool",
    Kind.INT64: "int64",
    Kind.EXACT: "int64",
    Kind.DOUBLE: "double",
    Kind.STRING: "string",
    Kind.LIST: "an array",
    Kind.STRUCT: "an object",
}


class Growth:
    """The growing columns of a topic.

    Attributes:
        shape: the columns.
        has_grown: whether the columns have changed since the start of the batch.
        fields: the number of fields, including those inside structs.
        fields_before: the number of fields at the start of the batch.
        settings: the arguments of the constructor except the schema.
        has_any: whether some column, at any depth, holds arbitrary JSON.
    """

    def __init__(self, schema: pa.Schema, rules: ColumnRules, on_misfit: OnMisfit, rescue_column: str) -> None:
        """Start from the known columns.

        Args:
            schema: the known columns.
            rules: which columns the schema may have.
            on_misfit: what to do with values that don't fit.
            rescue_column: the column that keeps rescued values; with `rescue`, no member may have its name.
        """
        self.settings = (rules, on_misfit, rescue_column)
        self.shape = Shape.of(schema)
        self.has_any = self.shape.has_any
        self.has_grown = False
        self.fields, self._bytes = measured(schema)
        self.fields_before = self.fields
        self._rules = rules
        self._on_misfit = on_misfit
        self._rescues = on_misfit == "rescue"
        self._reserved = {rules.folded(name) for name in rules.reserved}
        self._reserved |= {rules.folded(rescue_column)} if self._rescues else set()
        self._undo: list[Callable[[], object]] = []
        self._taken: dict[str, Any] = {}
        self._is_changed = False

    def begin(self) -> None:
        """Start a new batch with the current columns."""
        self.has_grown, self.fields_before, self._undo = False, self.fields, []

    def fit(self, document: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
        """Fit a record to the columns, which grow where the record has something new.

        Args:
            document: from `load_object`.

        Returns:
            The part of the record that fits, or None if the whole record fits unchanged; and the part that doesn't fit, as
            JSON, or None.

        Raises:
            RecordRefused: the record doesn't fit. Nothing has changed.
        """
        before = self.fields, self._bytes
        self._undo, self._taken, self._is_changed = [], {}, False
        try:
            kept = self._members(document, self.shape, "", 1, 1)
            rescued = json_text(self._taken) if self._taken else None
        except (RecordRefused, RecursionError):
            for undo in reversed(self._undo):
                undo()
            self.fields, self._bytes = before
            raise
        self.has_grown = self.has_grown or bool(self._undo)
        return (kept if self._is_changed or self._taken else None), rescued

    def fit_if_known(self, document: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None] | None:
        """Fit a record like `fit`, but only if the columns don't have to grow; otherwise return None and change nothing.

        Raises:
            RecordRefused: the record doesn't fit. Nothing has changed.
        """
        before = self.fields, self._bytes, self.has_any, self.has_grown
        taken = self.fit(document)
        if not self._undo:
            return taken
        for undo in reversed(self._undo):
            undo()
        self.fields, self._bytes, self.has_any, self.has_grown = before
        return None

    def note_exact_integers(self, table: pa.Table) -> bool:
        """Note which columns have integers that a double doesn't hold, so that these columns never become doubles.

        Returns:
            Whether the table has such integers in a column that was not known to have them.
        """
        columns = zip(table.column_names, table.columns, strict=True)
        noted = [_note_exact(chunk, self.shape.members[name]) for name, column in columns for chunk in column.chunks]
        self.has_grown = self.has_grown or any(noted)
        return any(noted)

    # ---- one record

    def _members(self, value: dict[str, Any], shape: Shape, path: str, depth: int, levels: int) -> dict[str, Any]:
        """Return the members that fit, by the names of their columns."""
        kept: dict[str, Any] = {}
        for name, member in value.items():
            inner = member_path(path, name) if self._rescues else join_path(path, name)
            known, spelled, why = shape.members.get(name), name, None
            if known is None:
                spelled = (shape.spelling(name) if self._rules.name_case != "keep" else None) or name
                known = shape.members.get(spelled)
                if known is None:
                    why = self._why_no_column(name, depth)
                elif self._rules.name_case == "reject":
                    why = f"its name differs from {_short(spelled)} only in upper and lower case"
                elif member is not None and (value.get(spelled) is not None or kept.get(spelled) is not None):
                    why = f"the record has {_short(spelled)}, too, which belongs to the same column"
            if why is not None:
                self._is_changed = True
                if member is not None:
                    self._refuse(member, inner, why)
                continue
            self._is_changed = self._is_changed or spelled != name
            fitted = self._value(member, known or self._add(shape, name, depth), inner, depth, levels + 1)
            if fitted is not None or spelled not in kept:
                kept[spelled] = fitted
        return kept

    def _why_no_column(self, name: str, depth: int) -> str | None:
        if depth == 1 and self._rules.folded(name) in self._reserved:
            return "a column with its name is added to each row"
        if depth > 2 and not name:  # DuckDB can't read a column with an inner struct whose only field has an empty name
            return "its name is empty"
        size = len(name.encode())
        if size > self._rules.max_name_bytes:
            return f"its name has {size} bytes, more than the {self._rules.max_name_bytes} that a column's name may have"
        if self.fields >= self._rules.max_fields:
            return (
                f"with its fields the schema would have more than {self._rules.max_fields} fields; configure the schema, or"
                " send such data as an array"
            )
        if self._bytes + field_bytes(name, depth) > self._rules.max_schema_bytes:
            return f"with its fields the text of the schema would have more than {self._rules.max_schema_bytes} bytes"
        return None

    def _add(self, shape: Shape, name: str, depth: int) -> Shape:
        made = shape.members[name] = Shape()
        self._undo.append(lambda: shape.members.pop(name))
        if shape.folded is not None and self._rules.name_case != "keep":
            folded = shape.folded
            folded[name.lower()] = name
            self._undo.append(lambda: folded.pop(name.lower()))
        self.fields += 1
        self._bytes += field_bytes(name, depth)
        return made

    def _become(self, shape: Shape, kind: Kind) -> None:
        before = shape.kind, shape.members, shape.element, shape.type, shape.folded

        def undo() -> None:
            shape.kind, shape.members, shape.element, shape.type, shape.folded = before

        self._undo.append(undo)
        shape.kind, shape.members, shape.type, shape.folded = kind, {}, None, None
        shape.element = Shape() if kind is Kind.LIST else None
        self.has_any = self.has_any or kind is Kind.ANY

    def _value(self, value: Any, shape: Shape, path: str, depth: int, levels: int) -> Any:
        """Grow the shape by a value, and return the part of the value that fits."""
        if depth > MAX_DEPTH:
            raise RecordRefused(f"nested more than {MAX_DEPTH} levels deep")
        if levels > MAX_LEVELS:
            raise RecordRefused(f"nested more deeply than the {MAX_LEVELS} levels that readers of Parquet files support")
        if value is None or shape.kind is Kind.ANY:
            return value
        changes = len(self._undo)
        fitted = self._fitted(value, shape, path, depth, levels)
        if len(self._undo) > changes:
            shape.made = None
        return fitted

    def _fitted(self, value: Any, shape: Shape, path: str, depth: int, levels: int) -> Any:
        if isinstance(value, dict | list):
            kind = Kind.STRUCT if isinstance(value, dict) else Kind.LIST
            if shape.kind is Kind.UNKNOWN:
                self._become(shape, kind)
            elif shape.kind is not kind:
                return self._misfit(value, shape, path, "")
            if isinstance(value, dict):
                return self._members(value, shape, path, depth + 1, levels)
            return self._elements(value, shape, path, depth + 1, levels + 2)
        return value if scalar_fits(value, shape.kind) and shape.kind is not Kind.INT64 else self._scalar(value, shape, path)

    def _elements(self, values: list[Any], shape: Shape, path: str, depth: int, levels: int) -> list[Any] | None:
        element = shape.element
        if element is None:
            return None
        if not self._rescues:
            inner = f"{path}[]"
            return [self._value(value, element, inner, depth, levels) for value in values]
        return [self._value(value, element, element_path(path, index), depth, levels) for index, value in enumerate(values)]

    def _scalar(self, value: bool | int | float | str, shape: Shape, path: str) -> Any:
        """Fit a scalar that doesn't fit its column unchanged, or an integer that may turn its column into `Kind.EXACT`."""
        kind = shape.kind
        if isinstance(value, JsonNumber):
            if math.isinf(value):
                return self._misfit(value, shape, path, "a number too large for a double")
            if kind is Kind.EXACT:
                whole = whole_number(value.text)
                if whole is None or whole not in _INT64:
                    why = "a number with a fraction where integers are expected that a double doesn't hold"
                    return self._misfit(value, shape, path, why)
                self._is_changed = True
                return whole
            if kind in (Kind.UNKNOWN, Kind.INT64):
                self._become(shape, Kind.DOUBLE)
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            if kind is Kind.DOUBLE:
                return self._misfit(value, shape, path, "an integer that a double doesn't hold exactly")
            if value not in _INT64 and kind is not Kind.STRING:
                return self._misfit(value, shape, path, "an integer beyond 64 bits")
            wanted = Kind.INT64 if is_exact(value) else Kind.EXACT
            if kind is Kind.UNKNOWN or (kind is Kind.INT64 and wanted is Kind.EXACT):
                self._become(shape, wanted)
            if kind in (Kind.UNKNOWN, Kind.INT64):
                return value
        elif kind is Kind.UNKNOWN:
            self._become(shape, Kind.STRING if isinstance(value, str) else Kind.BOOLEAN)
            return value
        if kind is Kind.OTHER and self._widened(value, shape):
            return value
        return self._misfit(value, shape, path, "")

    def _widened(self, value: bool | int | float | str, shape: Shape) -> bool:
        """Widen a column whose type only a given schema can have to one of JSON's types, if that holds the value.

        Returns:
            Whether the column was widened.
        """
        if isinstance(value, bool | str):
            return False
        try:
            joined = merge(shape.type, pa.float64() if isinstance(value, float) else pa.int64())
        except SchemaConflict:
            return False
        if not isinstance(value, float) and not is_exact(value):
            if pa.types.is_floating(joined):
                return False
            self._become(shape, Kind.EXACT)
        else:
            self._become(shape, Kind.DOUBLE if pa.types.is_floating(joined) else Kind.INT64)
        return True

    def _misfit(self, value: Any, shape: Shape, path: str, why: str) -> Any:
        """Return the replacement for a value that doesn't fit its column: text, or None once the value is rescued."""
        if self._on_misfit == "string":
            self._become(shape, Kind.ANY)
            return value
        if not self._rescues:
            why = why or f"{_described(value)} where {_EXPECTED.get(shape.kind, str(shape.type))} is expected"
            raise RecordRefused(f"field {_short(path)}: {why}")
        self._taken[path] = value
        return None

    def _refuse(self, value: Any, path: str, why: str) -> None:
        """Reject or rescue a member that may not become a column."""
        if not self._rescues:
            raise RecordRefused(f"field {_short(path)}: {why}")
        self._taken[path] = value


def _note_exact(array: pa.Array, shape: Shape) -> bool:
    if shape.kind is Kind.INT64:
        noted = pa.types.is_integer(array.type) and has_inexact(array)
        shape.kind = Kind.EXACT if noted else shape.kind
    elif shape.kind is Kind.STRUCT:
        fields = enumerate(array.type)
        noted = sum(_note_exact(array.field(index), shape.members[field.name]) for index, field in fields) > 0
    else:
        noted = shape.element is not None and _note_exact(array.flatten(), shape.element)
    if noted:
        shape.made = None
    return noted


def _described(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, bool):
        return "a boolean"
    return "text" if isinstance(value, str) else "an integer" if isinstance(value, int) else "a number"


def _short(path: str) -> str:
    return path if len(path) <= _MOST_PATH else f"{path[:_MOST_PATH]}…"
