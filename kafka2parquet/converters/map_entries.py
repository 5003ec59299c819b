"""Handles repeated keys in the entries of maps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def unique_entries(entries: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return the entries of a map, with only the last entry of a repeated key, as in Java's maps.

    DuckDB can't read files whose maps have repeated keys.
    """
    found = list(entries)
    try:
        return list(dict(found).items())
    except TypeError:  # keys that are lists or structs
        return list({repr(key): (key, value) for key, value in found}.values())


def keys_again(array: pa.MapArray) -> npt.NDArray[np.bool_]:
    """Whether each entry has the key of an earlier entry in the same map. The keys must be scalars."""
    again = np.zeros(len(array.keys), np.bool_)
    lengths = np.diff(array.offsets.to_numpy())
    if (lengths > 1).any():
        codes = array.keys.dictionary_encode()
        both = np.repeat(np.arange(len(array)), lengths) * max(len(codes.dictionary), 1) + codes.indices.to_numpy()
        order = np.argsort(both, kind="stable")
        again[order[1:]] = np.diff(both[order]) == 0
    return again
