"""JSON objects become the same lines, whether or not they are part of a record batch in memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json.lines import has_only_newlines, json_lines
from kafka2parquet.util.arrays import VIEW


def _in_records(values: list[bytes], behind: bytes = b"\0", last: bytes = b"\0") -> pa.Array:
    """Makes values that share one buffer with other bytes between them, as in a record batch."""
    content, views = b"", np.zeros(len(values), VIEW)
    for number, value in enumerate(values):
        content += b"key"
        views["length"][number] = len(value)
        if len(value) > 12:
            views["prefix"][number] = int.from_bytes(value[:4], "little")
            views["offset"][number] = len(content)
        else:
            views.view(np.uint8).reshape(-1, 16)[number, 4 : 4 + len(value)] = np.frombuffer(value, np.uint8)
        content += value + (last if number == len(values) - 1 else behind)
    array = pa.Array.from_buffers(pa.binary_view(), len(values), [None, pa.py_buffer(views), pa.py_buffer(content)])
    array.validate(full=True)
    return array


_VALUES = st.lists(
    st.one_of(st.just(b"{}"), st.binary(max_size=60).map(lambda inside: b"{" + inside + b"}")), min_size=1, max_size=30
)


@given(_VALUES, st.sampled_from([b"", b"\0", b"\n", b"}"]), st.integers(0, 29))
def test_each_value_has_a_newline_behind_it(values: list[bytes], last: bytes, start: int) -> None:
    """Each value gets a newline, wherever it is in memory and whatever follows it, in slices too."""
    start = min(start, len(values) - 1)
    array = _in_records(values, last=last)

    lines = json_lines(array.slice(start))

    assert lines is not None
    assert [value + b"\n" for value in values[start:]] == lines.to_pylist()
    assert values == array.to_pylist()


@pytest.mark.parametrize("bad", [b"", b"{", b"}", b"[1, 2, 3, 4, 5]", b"{123456789012345", b"123456789012345}", b"null"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_value_that_is_not_in_braces(bad: bytes, place: int) -> None:
    """A value that is not in braces is found, even if the byte after it is a brace."""
    values = [b'{"a":"a value"}', b'{"b":"a value"}']
    values.insert(place, bad)

    assert json_lines(_in_records(values, b"}", b"}")) is None
    assert json_lines(pa.array(values, pa.binary_view())) is None


def test_white_space_and_byte_order_marks_are_taken_off() -> None:
    """White space and byte order marks around the objects are removed."""
    values = [b' {"a":"a value"}', "\ufeff".encode() + b'{"b":"a value"}', b'{"c":"a value"}\r\n', b"\t{} "]

    lines = json_lines(_in_records(values))

    assert lines is not None
    assert [b'{"a":"a value"}\n', b'{"b":"a value"}\n', b'{"c":"a value"}\n', b"{}\n"] == lines.to_pylist()


@pytest.mark.parametrize("place", [0, 5, (1 << 17) - 1, 1 << 17, 299_999])
@pytest.mark.parametrize("control", [0, 9, 10, 31])
def test_other_control_characters_are_seen(place: int, control: int) -> None:
    """Control characters other than the newlines are found, in each piece of the text."""
    characters = np.full(300_000, ord("x"), np.uint8)
    characters[7] = ord("\n")
    assert has_only_newlines(characters, 1)

    characters[place] = control

    assert not has_only_newlines(characters, 1)
