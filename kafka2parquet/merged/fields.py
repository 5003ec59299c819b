"""Checks of the fields of plans, results and footers, whose text may come from anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

#: Kafka's offsets and Parquet's row counts are signed 64-bit integers.
_MOST = (1 << 63) - 1

text = attrs.validators.instance_of(str)


def number(least: int = 0) -> Callable[[object, attrs.Attribute[int], object], None]:
    """Return a check for whole numbers of at least `least`."""

    def check(_: object, attribute: attrs.Attribute[int], value: object) -> None:
        if type(value) is not int or not least <= value <= _MOST:
            raise ValueError(f"{attribute.name} is {value!r}, which is not a number of at least {least}")

    return check


#: Timestamps are 64-bit integers, also before 1970.
time_ms = attrs.validators.optional(number(-_MOST - 1))


def key_field(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Check that a value is an object key."""
    if not isinstance(value, str) or not {"", ".", ".."}.isdisjoint(value.split("/")):
        raise ValueError(f"{attribute.name} is {value!r}, which is not an object key")


def to_bytes(values: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON object, which depends on the values alone."""
    return (json.dumps(values, indent=1) + "\n").encode()


def from_text(content: bytes | str, version: int, parse: Callable[[dict[str, Any]], Any]) -> Any:
    """Parse the text of a JSON object that has a version.

    Args:
        content: the text.
        version: the only version that can be read.
        parse: makes the result from the other values.

    Raises:
        ValueError: this library did not write the text, or the text is damaged or of an unknown version.
    """
    try:
        values: dict[str, Any] = json.loads(content)
        found = values.pop("version")
        if found != version:
            raise ValueError(f"its version {found!r} is unknown")
        return parse(values)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is damaged: {type(error).__name__} {error}") from error
