"""Checks of the fields of footers, and of the JSON objects beside merged files, whose text may come from anywhere."""

from __future__ import annotations

from collections.abc import Callable

import attrs

#: Kafka's offsets and Parquet's row counts are signed 64-bit integers.
_MOST = (1 << 63) - 1

text = attrs.validators.instance_of(str)


def number(least: int = 0, most: int = _MOST) -> Callable[[object, attrs.Attribute[int], object], None]:
    """Return a check for whole numbers from `least` to `most`."""

    def check(_: object, attribute: attrs.Attribute[int], value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{attribute.name} is {value!r}, which is not a number from {least} to {most}")

    return check


#: Timestamps are 64-bit integers, also before 1970 and after the year 9999.
time_ms = attrs.validators.optional(number(-_MOST - 1))


def key_field(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Check that a value is an object key."""
    if not isinstance(value, str) or not {"", ".", ".."}.isdisjoint(value.split("/")):
        raise ValueError(f"{attribute.name} is {value!r}, which is not an object key")
