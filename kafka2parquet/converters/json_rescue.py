"""What of a JSON record doesn't fit its columns is taken out of it, so that the rest can be written."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json_record import (
    MAX_DEPTH,
    RecordRefused,
    element_field,
    json_text,
    may_hold,
    member_field,
    scalar_type,
)
from kafka2parquet.converters.json_shape import Kind, Shape, scalar_fits
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import SchemaConflict, is_any, merge_field


class Rescue:
    """Fits one record to columns; what doesn't fit is kept by its path, and null stands in its place.

    Attributes:
        taken: the values that were taken out, by their paths, such as `user.age` or `items[2].price`.
    """

    def __init__(self, *, grows: bool, ignore_unknown: bool = False, reserved: str | None = None) -> None:
        """Begin with a record.

        Args:
            grows: whether new members become columns; else they are taken out.
            ignore_unknown: drop new members instead of keeping them.
            reserved: a column that no member may have.
        """
        self._grows = grows
        self._ignore_unknown = ignore_unknown
        self._reserved = reserved
        self._has_new = False
        self.taken: dict[str, Any] = {}

    @property
    def text(self) -> str | None:
        """What was taken out, as a JSON object; None where all fits."""
        return json_text(self.taken) if self.taken else None

    def fit(self, document: dict[str, Any], known: pa.Schema, shape: Shape) -> tuple[dict[str, Any], pa.Schema | None]:
        """The record without what doesn't fit, and the columns that it has; None where it needs none but the known ones.

        Args:
            document: from `load_object`.
            known: the columns.
            shape: the same.

        Raises:
            RecordRefused: it is nested too deeply.
        """
        self._has_new = False
        kept = self._kept_members(document, shape, "")
        if not self._has_new:
            return kept, None
        fitted, fields = self._members(kept, known, "", 0)
        return fitted, pa.schema(fields)

    # ---- against what is known

    def _kept_members(self, value: dict[str, Any], shape: Shape, path: str) -> dict[str, Any]:
        kept = {}
        for name, member in value.items():
            inner = join_path(path, name)
            known = shape.members.get(name)
            if inner == self._reserved or (known is None and not self._grows):
                if inner == self._reserved or not self._ignore_unknown:
                    self.taken[inner] = member
            elif known is None:
                self._has_new = True
                kept[name] = member
            else:
                kept[name] = self._kept(member, known, inner)
        return kept

    def _kept(self, value: Any, shape: Shape, path: str) -> Any:
        kind = shape.kind
        if value is None or kind is Kind.ANY:
            return value
        if isinstance(value, dict) and kind is Kind.STRUCT:
            return self._kept_members(value, shape, path)
        if isinstance(value, list) and shape.element is not None:
            return [self._kept(element, shape.element, f"{path}[{index}]") for index, element in enumerate(value)]
        if self._grows and (kind is Kind.UNKNOWN or (kind is Kind.INT64 and _is_finite(value))):
            self._has_new = True  # a type for it, or perhaps a fraction where integers are known
            return value
        if not isinstance(value, dict | list):
            if scalar_fits(value, kind):
                return value
            if kind is Kind.OTHER and may_hold(shape.type, value) and not _out_of_range(shape.type, value):
                return value
        self.taken[path] = value
        return None

    # ---- against what becomes known by it

    def _members(
        self, value: dict[str, Any], known: pa.Schema | pa.DataType | None, path: str, depth: int
    ) -> tuple[dict[str, Any], list[pa.Field]]:
        fitted, fields = {}, []
        for name, member in value.items():
            inner = join_path(path, name)
            fitted[name], field = self._value(name, member, member_field(known, name), inner, depth + 1)
            fields.append(field)
        return fitted, fields

    def _value(self, name: str, value: Any, known: pa.Field | None, path: str, depth: int) -> tuple[Any, pa.Field]:
        if depth > MAX_DEPTH:
            raise RecordRefused(f"nested more than {MAX_DEPTH} levels deep")
        if known is not None and is_any(known):
            return value, known
        expected = known.type if known is not None else pa.null()
        is_new = pa.types.is_null(expected)
        if isinstance(value, dict) and (is_new or pa.types.is_struct(expected)):
            members, fields = self._members(value, None if is_new else expected, path, depth)
            return members, pa.field(name, pa.struct(fields))
        if isinstance(value, list) and (is_new or pa.types.is_list(expected)):
            return self._elements(name, value, element_field(known), path, depth)
        if value is None or (not isinstance(value, dict | list) and self._holds(expected, value, path)):
            return value, pa.field(name, pa.null() if value is None else scalar_type(value, expected, path))
        self.taken[path] = value
        return None, pa.field(name, pa.null())

    def _elements(self, name: str, values: list[Any], known: pa.Field, path: str, depth: int) -> tuple[Any, pa.Field]:
        kept = []
        for index, value in enumerate(values):
            fitted, field = self._value(known.name, value, known, f"{path}[{index}]", depth + 1)
            kept.append(fitted)
            known = merge_field(known, field, path)
        return kept, pa.field(name, pa.list_(known))

    @staticmethod
    def _holds(expected: pa.DataType, value: Any, path: str) -> bool:
        try:
            merge_field(pa.field("", expected), pa.field("", scalar_type(value, expected, path)), path)
        except (RecordRefused, SchemaConflict):
            return False
        return True


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isinf(value)


def _out_of_range(expected: pa.DataType, value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, bool) or not isinstance(value, int) or not pa.types.is_integer(expected):
        return False
    try:
        pa.scalar(value, expected)
    except (pa.ArrowInvalid, OverflowError):
        return True
    return False


def as_text(document: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """The record with text wherever a column is for whatever JSON there is."""
    return {name: _as_text(value, shape.members.get(name)) for name, value in document.items()} if shape.has_any else document


def _as_text(value: Any, shape: Shape | None) -> Any:
    if value is None or shape is None or not shape.has_any:
        return value
    if shape.kind is Kind.ANY:
        return value if isinstance(value, str) else json_text(value)
    if isinstance(value, dict):
        return {name: _as_text(member, shape.members.get(name)) for name, member in value.items()}
    return [_as_text(element, shape.element) for element in value] if isinstance(value, list) else value
