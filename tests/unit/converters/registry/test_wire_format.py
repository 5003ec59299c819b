"""Values are grouped by their schemas, and their prefixes are cut off."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.registry.wire_format import begins_with, split, without_prefix

_IDS = st.tuples(st.integers(0, 1), st.integers(0, 1)).map(lambda last: b"\0\0\0" + bytes(last))
_HEADERS = st.one_of(st.just(b""), _IDS, st.sampled_from([b"\0\xff\xff\xff\xff", b"\x01\0\0\0\1"]))
_VALUES = st.tuples(_HEADERS, st.binary(max_size=30)).map(b"".join)


def _by_hand(values: list[bytes]) -> dict[int | None, list[tuple[int, bytes]]]:
    groups: dict[int | None, list[tuple[int, bytes]]] = {}
    for row, value in enumerate(values):
        headed = len(value) >= 5 and value[0] == 0
        key = int.from_bytes(value[1:5], "big") if headed else None
        groups.setdefault(key, []).append((row, value[5:] if headed else value))
    return groups


def _split(array: pa.Array) -> dict[int | None, list[tuple[int, bytes]]]:
    groups = {}
    for schema_id, rows, payloads in split(array):
        payloads.validate(full=True)
        assert pa.binary_view() == payloads.type
        assert schema_id not in groups
        groups[schema_id] = list(zip(rows.tolist(), payloads.to_pylist(), strict=True))
    return groups


@given(st.lists(_VALUES, max_size=40), st.integers(0, 3), st.integers(0, 3))
def test_values_are_split_as_by_hand(values: list[bytes], before: int, after: int) -> None:
    """Short and long values, with and without ids, are split correctly, in slices too."""
    everything = [b"x" * 20] * before + values + [b"y" * 20] * after
    assert _by_hand(values) == _split(pa.array(everything, pa.binary_view()).slice(before, len(values)))


@given(st.lists(st.lists(_VALUES, max_size=10), min_size=2, max_size=4))
def test_values_of_several_buffers_are_split(parts: list[list[bytes]]) -> None:
    """Values in several buffers, one for each chunk of a fetch, are split correctly."""
    array = pa.concat_arrays([pa.array(part, pa.binary_view()) for part in parts])
    assert _by_hand([value for part in parts for value in part]) == _split(array)


def test_values_of_very_many_buffers_are_split() -> None:
    """Values in very many buffers are copied to one buffer first."""
    values = [b"\0\0\0\0" + bytes([row % 3]) + b"payload of a value " + str(row).encode() for row in range(60)]
    array = pa.concat_arrays([pa.array([value], pa.binary_view()) for value in values]).slice(3, 50)
    assert _by_hand(values[3:53]) == _split(array)


def test_other_binary_arrays_are_split_too() -> None:
    """Binary arrays of other types are split, too."""
    values = [b"\0\0\0\0\7payload", b"\0\0"]
    assert {7: [(0, b"payload")], None: [(1, b"\0\0")]} == _split(pa.array(values, pa.large_binary()))


@given(st.lists(st.lists(_VALUES, min_size=1, max_size=10), min_size=1, max_size=3), st.data())
def test_prefixes_are_cut_off_as_by_hand(parts: list[list[bytes]], data: st.DataObject) -> None:
    """Prefixes of any length are cut off, whether or not a value is stored in its view."""
    values = [value for part in parts for value in part]
    array = pa.concat_arrays([pa.array(part, pa.binary_view()) for part in parts])
    prefix = data.draw(st.sampled_from(values))
    prefix = prefix[: data.draw(st.integers(0, len(prefix)))]
    chosen = begins_with(array, prefix)
    assert [value.startswith(prefix) for value in values] == chosen.tolist()
    cut = without_prefix(array, np.flatnonzero(chosen), len(prefix))
    cut.validate(full=True)
    assert [value[len(prefix) :] for value in values if value.startswith(prefix)] == cut.to_pylist()
