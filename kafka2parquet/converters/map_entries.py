"""Entries of maps, as `pyarrow.array` takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def unique_entries(entries: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The entries of a map; of a key that comes twice the last one counts, as in Java's maps.

    DuckDB reads no file in which a map has a key twice.
    """
    found = list(entries)
    try:
        return list(dict(found).items())
    except TypeError:  # keys that are lists or structs
        return list({repr(key): (key, value) for key, value in found}.values())


def keys_again(array: pa.MapArray) -> npt.NDArray[np.bool_]:
    """Which entries of maps, whose keys are scalars, have the key of an entry before them in the same map."""
    again = np.zeros(len(array.keys), np.bool_)
    lengths = np.diff(array.offsets.to_numpy())
    if (lengths > 1).any():
        codes = array.keys.dictionary_encode()
        both = np.repeat(np.arange(len(array)), lengths) * max(len(codes.dictionary), 1) + codes.indices.to_numpy()
        order = np.argsort(both, kind="stable")
        again[order[1:]] = np.diff(both[order]) == 0
    return again
