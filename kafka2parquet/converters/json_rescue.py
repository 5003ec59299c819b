"""What of a JSON record doesn't fit its columns is taken out of it, so that the rest can be written."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json_record import (
    MAX_DEPTH,
    RecordRefused,
    element_field,
    join_path,
    json_text,
    may_hold,
    member_field,
    scalar_type,
)
from kafka2parquet.schema.lattice import SchemaConflict, is_any, merge_field

_ABSENT = object()
_NOTHING = pa.field("", pa.null())


class Rescue:
    """Fits one record to columns; what doesn't fit is kept by its path, and null stands in its place.

    Attributes:
        taken: the values that were taken out, by their paths, such as `user.age` or `items[2].price`.
    """

    def __init__(self, *, grows: bool, ignore_unknown: bool = False, reserved: str = "") -> None:
        """Begin with a record.

        Args:
            grows: whether new members become columns; else they are taken out.
            ignore_unknown: drop new members instead of keeping them.
            reserved: a column that no member may have.
        """
        self._grows = grows
        self._ignore_unknown = ignore_unknown
        self._reserved = reserved
        self.taken: dict[str, Any] = {}

    @property
    def text(self) -> str | None:
        """What was taken out, as a JSON object; None where all fits."""
        return json_text(self.taken) if self.taken else None

    def fit(self, document: dict[str, Any], known: pa.Schema) -> tuple[dict[str, Any], pa.Schema]:
        """The record without what doesn't fit, and the columns it has.

        Args:
            document: from `load_object`.
            known: the columns.

        Raises:
            RecordRefused: it is nested too deeply.
        """
        fitted, fields = self._members(document, known, "", 0)
        return fitted, pa.schema(fields)

    def _members(
        self, value: dict[str, Any], known: pa.Schema | pa.DataType | None, path: str, depth: int
    ) -> tuple[dict[str, Any], list[pa.Field]]:
        fitted, fields = {}, []
        for name, member in value.items():
            inner = join_path(path, name)
            kept, field = self._value(name, member, member_field(known, name), inner, depth + 1)
            if kept is not _ABSENT:
                fitted[name] = kept
                fields.append(field)
        return fitted, fields

    def _value(self, name: str, value: Any, known: pa.Field | None, path: str, depth: int) -> tuple[Any, pa.Field]:
        if depth > MAX_DEPTH:
            raise RecordRefused(f"nested more than {MAX_DEPTH} levels deep")
        if path == self._reserved or (known is None and not self._grows):
            if path == self._reserved or not self._ignore_unknown:
                self.taken[path] = value
            return _ABSENT, _NOTHING
        if known is not None and is_any(known):
            return value, known
        expected = known.type if known is not None else pa.null()
        is_new = self._grows and pa.types.is_null(expected)
        if isinstance(value, dict) and (is_new or pa.types.is_struct(expected)):
            members, fields = self._members(value, None if is_new else expected, path, depth)
            return members, pa.field(name, pa.struct(fields))
        if isinstance(value, list) and (is_new or pa.types.is_list(expected)):
            return self._elements(name, value, element_field(known), path, depth)
        if value is None or (not isinstance(value, dict | list) and self._holds(expected, value, path)):
            return value, pa.field(name, pa.null() if value is None else self._type(value, expected, path))
        self.taken[path] = value
        return None, pa.field(name, pa.null())

    def _elements(self, name: str, values: list[Any], known: pa.Field, path: str, depth: int) -> tuple[Any, pa.Field]:
        kept = []
        for index, value in enumerate(values):
            fitted, field = self._value(known.name, value, known, f"{path}[{index}]", depth + 1)
            kept.append(fitted)
            known = merge_field(known, field, path)
        return kept, pa.field(name, pa.list_(known))

    def _holds(self, expected: pa.DataType, value: Any, path: str) -> bool:
        if not self._grows:
            return not pa.types.is_null(expected) and may_hold(expected, value) and not _out_of_range(expected, value)
        try:
            merge_field(pa.field("", expected), pa.field("", self._type(value, expected, path)), path)
        except (RecordRefused, SchemaConflict):
            return False
        return True

    def _type(self, value: Any, expected: pa.DataType, path: str) -> pa.DataType:
        return scalar_type(value, expected, path) if self._grows else expected


def _out_of_range(expected: pa.DataType, value: Any) -> bool:
    if isinstance(value, float):
        return value in (float("inf"), float("-inf"))
    if isinstance(value, bool) or not isinstance(value, int) or not pa.types.is_integer(expected):
        return False
    try:
        pa.scalar(value, expected)
    except (pa.ArrowInvalid, OverflowError):
        return True
    return False


def has_any(fields: pa.Schema | pa.DataType) -> bool:
    """Whether any column, at any depth, is one for whatever JSON there is."""
    return any(is_any(field) or has_any_within(field.type) for field in fields)


def has_any_within(type_: pa.DataType) -> bool:
    """Whether a type has such a field inside of it."""
    if pa.types.is_list(type_):
        return is_any(type_.value_field) or has_any_within(type_.value_type)
    return pa.types.is_struct(type_) and has_any(type_)


def as_text(document: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """The record with text wherever a column is for whatever JSON there is."""
    return {name: _as_text(value, member_field(schema, name)) for name, value in document.items()}


def _as_text(value: Any, known: pa.Field | None) -> Any:
    if known is None or value is None or isinstance(value, str):
        return value
    if is_any(known):
        return json_text(value)
    if isinstance(value, dict) and pa.types.is_struct(known.type):
        return {name: _as_text(member, member_field(known.type, name)) for name, member in value.items()}
    if isinstance(value, list) and pa.types.is_list(known.type):
        return [_as_text(element, known.type.value_field) for element in value]
    return value
