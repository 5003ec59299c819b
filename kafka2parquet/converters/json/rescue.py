"""Takes the parts of a JSON record that don't fit the columns out of the record, so that the rest can be written."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json.numbers import is_float
from kafka2parquet.converters.json.parse_record import json_text, may_hold
from kafka2parquet.converters.json.shape import Kind, Shape, scalar_fits
from kafka2parquet.schema.field_paths import join_path

#: Names that would be ambiguous, or empty, in a path.
_QUOTED = re.compile(r"[.\[\]'\\]|^$")


def member_path(path: str, name: str) -> str:
    """Return the path of a member, such as `user.age`. Names with dots, brackets or quotes are written as in `user['a.b']`.

    No two values of a record have the same path.
    """
    if _QUOTED.search(name):
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        return f"{path}['{escaped}']"
    return f"{path}.{name}" if path else name


def element_path(path: str, index: int) -> str:
    """Return the path of an element, such as `items[2]`."""
    return f"{path}[{index}]"


class Rescue:
    """Fits one record to columns that don't grow. Values that don't fit are replaced by null and kept by their paths.

    Attributes:
        taken: the values that were taken out, by their paths, such as `user.age` or `items[2].price`.
    """

    def __init__(self, *, ignore_unknown: bool = False, reserved: str | None = None) -> None:
        """Start with one record.

        Args:
            ignore_unknown: whether members without a column are dropped instead of kept.
            reserved: the name of a column that no member may have.
        """
        self._ignore_unknown = ignore_unknown
        self._reserved = reserved
        self.taken: dict[str, Any] = {}

    @property
    def text(self) -> str | None:
        """The values that were taken out, as a JSON object; None if the whole record fits."""
        return json_text(self.taken) if self.taken else None

    def fit(self, document: dict[str, Any], shape: Shape) -> dict[str, Any]:
        """Return the record without the values that don't fit.

        Args:
            document: from `load_object`.
            shape: the shape of the columns.
        """
        return self._members(document, shape, "")

    def _members(self, value: dict[str, Any], shape: Shape, path: str) -> dict[str, Any]:
        kept = {}
        for name, member in value.items():
            inner = member_path(path, name)
            known = shape.members.get(name)
            is_reserved = not path and name == self._reserved
            if known is not None and not is_reserved:
                kept[name] = self._value(member, known, inner)
            elif is_reserved or not self._ignore_unknown:
                self.taken[inner] = member
        return kept

    def _value(self, value: Any, shape: Shape, path: str) -> Any:
        kind = shape.kind
        if value is None or kind is Kind.ANY:
            return value
        if isinstance(value, dict) and kind is Kind.STRUCT:
            return self._members(value, shape, path)
        if isinstance(value, list) and shape.element is not None:
            return [self._value(element, shape.element, element_path(path, index)) for index, element in enumerate(value)]
        if not isinstance(value, dict | list):
            if scalar_fits(value, kind):
                return value
            if kind is Kind.OTHER and may_hold(shape.type, value) and not _out_of_range(shape.type, value):
                return value
        self.taken[path] = value
        return None


def _out_of_range(expected: pa.DataType, value: Any) -> bool:
    if isinstance(value, float):
        return math.isinf(value) or (pa.types.is_float32(expected) and math.isinf(pa.scalar(value, expected).as_py()))
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    if pa.types.is_floating(expected):
        return not is_float(value, expected)
    if not pa.types.is_integer(expected):
        return False
    try:
        pa.scalar(value, expected)
    except (pa.ArrowInvalid, OverflowError):
        return True
    return False


def misfit_number(value: Any, shape: Shape, path: str = "") -> str | None:
    """Return the path of an integer in a value from `load_object` that its column would round; None if there isn't one."""
    if isinstance(value, dict):
        members = [(name, shape.members[name]) for name in value if name in shape.members]
        found = (misfit_number(value[name], known, join_path(path, name)) for name, known in members)
    elif isinstance(value, list) and shape.element is not None:
        found = (misfit_number(inner, shape.element, f"{path}[]") for inner in value)
    else:
        type_ = pa.float64() if shape.kind is Kind.DOUBLE else shape.type
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return path if is_integer and type_ is not None and pa.types.is_floating(type_) and not is_float(value, type_) else None
    return next((at for at in found if at is not None), None)


def as_text(document: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Replace values with their JSON text if the column holds arbitrary JSON."""
    return {name: _as_text(value, shape.members.get(name)) for name, value in document.items()}


def _as_text(value: Any, shape: Shape | None) -> Any:
    if value is None or shape is None:
        return value
    if shape.kind is Kind.ANY:
        return value if isinstance(value, str) else json_text(value)
    if isinstance(value, dict):
        return {name: _as_text(member, shape.members.get(name)) for name, member in value.items()}
    return [_as_text(element, shape.element) for element in value] if isinstance(value, list) else value
