"""ZooType: a type with values, as producers send them and as readers are to find them."""

from __future__ import annotations

import datetime
from typing import Any, Literal

import attrs

UTC = datetime.timezone.utc
FLOAT_MAX, FLOAT_MIN = 3.4028234663852886e38, 1.401298464324817e-45
TEXTS = ("", "text", "\u00e9 \u6f22\u5b57 \U0001f642", '"quoted" \\ \n', "a\0b", "long" * 1000, None)

Types = Literal["own", "connect"]


@attrs.frozen
class ZooType:
    """A type with values of it.

    Attributes:
        title: in the table.
        schema: of the values, as its source writes schemas.
        values: what readers are to find.
        connect_values: the same in files with the types of Confluent's sink, where that differs.
        sent: what the producer sends, where that differs.
    """

    title: str
    schema: Any = attrs.field(repr=False)
    values: tuple[Any, ...] = attrs.field(repr=False)
    connect_values: tuple[Any, ...] | None = attrs.field(default=None, repr=False)
    sent: tuple[Any, ...] | None = attrs.field(default=None, repr=False)

    @property
    def produced(self) -> tuple[Any, ...]:
        """What the producer sends."""
        return self.values if self.sent is None else self.sent

    def expected(self, types: Types) -> tuple[Any, ...]:
        """What readers are to find in files with these types."""
        return self.values if types == "own" or self.connect_values is None else self.connect_values


def canonical(value: Any) -> Any:
    """Equal for values of the same type that are the same, and only for these: 1 is not 1.0, and 0.0 is not -0.0."""
    if isinstance(value, dict):
        return ("dict", sorted((repr(canonical(key)), canonical(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("list", [canonical(item) for item in value])
    if isinstance(value, bytes | bytearray | memoryview):
        return ("bytes", bytes(value))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return ("datetime in UTC", str(value.astimezone(UTC)))
    if isinstance(value, float):
        return ("float", repr(value))
    return (type(value).__name__, value)
