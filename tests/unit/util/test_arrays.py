"""What Arrow has no functions for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, invalid_utf8, null_mask, one_array, validity_bitmap

_CHARACTERS: st.SearchStrategy[bytes] = st.sampled_from("\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff").map(
    str.encode
)
_BYTES = st.sampled_from(b"a\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff").map(
    lambda byte: bytes([byte])
)
_CUT: st.SearchStrategy[bytes] = _CHARACTERS.map(lambda character: character[:-1])
_TEXTS = st.lists(st.one_of(_CHARACTERS, _BYTES, _CUT)).map(b"".join)


def test_a_mask_says_where_an_array_is_null() -> None:
    """The mask has the form that `from_arrays` expects."""
    mask = null_mask(pa.array([1, None, 3]))
    assert mask is not None
    assert [False, True, False] == mask.to_pylist()


def test_without_nulls_the_mask_is_none() -> None:
    """The mask is None if an array doesn't have nulls, which makes less work for `from_arrays`."""
    assert null_mask(pa.array([1, 2])) is None


def test_a_bitmap_says_which_values_are_there() -> None:
    """The bitmap has the form that `from_buffers` expects, also for more values than a byte has bits."""
    valid = np.arange(10) % 3 > 0
    made = pa.Array.from_buffers(pa.int8(), 10, [validity_bitmap(valid), pa.py_buffer(np.arange(10, dtype=np.int8))])
    assert [None, 1, 2, None, 4, 5, None, 7, 8, None] == made.to_pylist()


def test_where_all_values_are_there_no_bitmap_says_so() -> None:
    """Without nulls there isn't a bitmap, as in Arrow."""
    assert validity_bitmap(None) is None


def test_a_column_of_one_chunk_is_that_chunk() -> None:
    """A column with one chunk is returned without a copy."""
    chunk = pa.array([1, 2, 3])
    assert one_array(pa.chunked_array([chunk])).buffers()[1].address == chunk.buffers()[1].address


def test_a_column_of_several_chunks_is_put_together() -> None:
    """Several chunks are concatenated in order."""
    assert pa.array([1, 2, 3]).equals(one_array(pa.chunked_array([[1], [2, 3]])))


def test_a_slice_is_copied_to_offset_zero() -> None:
    """The first value of a slice is at the beginning of the returned buffers."""
    made = one_array(pa.chunked_array([pa.array([1, 2, 3])]).slice(1))
    assert (0, [2, 3]) == (made.offset, made.to_pylist())


def test_a_column_without_chunks_is_an_array_without_values() -> None:
    """A column without chunks becomes an empty array of its type."""
    assert pa.array([], pa.string()).equals(one_array(pa.chunked_array([], pa.string())))


def test_a_lack_of_memory_says_nothing_about_data() -> None:
    """All of Arrow's errors are about data, except a lack of memory and a cancellation."""
    errors = {error for error in vars(pa).values() if isinstance(error, type) and issubclass(error, pa.ArrowException)}
    about_data = {error for error in errors if issubclass(error, ARROW_DATA_ERRORS)}

    assert {pa.ArrowException, pa.ArrowMemoryError, pa.ArrowCancelled} == errors - about_data


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(contents=st.lists(_TEXTS, max_size=6), skipped=st.integers(0, 2), length=st.integers(0, 6))
def test_indices_of_invalid_utf8(contents: list[bytes], skipped: int, length: int) -> None:
    """Invalid UTF-8 is found in slices too, even next to bytes that would complete the characters."""
    array = pa.array(contents, pa.binary()).slice(skipped, length)
    expected = [index for index, content in enumerate(array.to_pylist()) if not _is_utf8(content)]
    assert expected == invalid_utf8(array).tolist()
