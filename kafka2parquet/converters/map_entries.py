"""Entries of maps, as `pyarrow.array` takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def unique_entries(entries: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The entries of a map; of a key that comes twice the last one counts, as in Java's maps.

    DuckDB reads no file in which a map has a key twice.
    """
    found = list(entries)
    try:
        return list(dict(found).items())
    except TypeError:  # keys that are lists or structs
        return list({repr(key): (key, value) for key, value in found}.values())
