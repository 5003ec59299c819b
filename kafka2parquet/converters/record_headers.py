"""The headers of records as lists of keys and values."""

from __future__ import annotations

import array
import itertools
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from kafka2parquet.util.varints import read_varint

#: As headers go into no record: their count is 0.
_NONE = b"\x00"


def header_lists(sections: pa.Array, type_: pa.DataType, text_of: Callable[[bytes], str | None] | None = None) -> pa.Array:
    """The headers of each record; a record without headers has an empty list.

    Equal sections, which are the rule, are decoded once. No object is made of a header: a record may have a million of them.
    Bytes of a key that are not UTF-8 become U+FFFD, as in Kafka's Java client.

    Args:
        sections: as sent, null where a record has none.
        type_: list of structs `key` and `value`.
        text_of: makes text of values that are not UTF-8, where values are text; they are bytes without it.

    Raises:
        ValueError: a section is not well formed.
    """
    encoded = sections.cast(pa.binary()).fill_null(_NONE).dictionary_encode()
    list_offsets, bounds, valid, content = _walk(encoded.dictionary)
    every_part = pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), content])
    places = np.arange(len(valid), dtype=np.int64) * 4
    keys = _text(every_part.take(pa.array(places)), lambda key: key.decode(errors="replace"))
    contents = every_part.take(pa.array(places + 2, mask=~valid))
    values = contents if text_of is None else _text(contents, text_of)
    pairs = pa.StructArray.from_arrays([keys, values], fields=list(type_.value_type))
    return pa.ListArray.from_arrays(pa.array(list_offsets, pa.int32()), pairs, type=type_).take(encoded.indices)


def _walk(sections: pa.BinaryArray) -> tuple[array.array[int], np.ndarray, np.ndarray, pa.Buffer]:
    """Where the headers of the sections lie.

    Returns:
        For each section how many headers come before its own; for each header the bounds of its key and of its value, four
        numbers that rise, and one more at the end; for each header whether its value isn't null; the bytes that are meant.
    """
    _, offsets_buffer, content = sections.buffers()
    content = content if content is not None else pa.py_buffer(b"")
    offsets = np.frombuffer(offsets_buffer, np.int32)[sections.offset : sections.offset + len(sections) + 1].tolist()
    data = memoryview(content).cast("B")
    before, bounds, nulls = array.array("i", [0]), array.array("i"), array.array("q")
    for start, end in itertools.pairwise(offsets):
        try:
            count, position = read_varint(data, start)
            for _ in range(count):
                key_bytes, key = read_varint(data, position)
                value_bytes, value = read_varint(data, key + key_bytes)
                if value_bytes < 0:
                    if value_bytes < -1:
                        raise ValueError(f"a header whose value has {value_bytes} bytes")
                    nulls.append(len(bounds) // 4)
                    value_bytes = 0
                position = value + value_bytes
                if key_bytes < 0 or position > end:
                    raise ValueError("a header reaches beyond its section")
                bounds.extend((key, key + key_bytes, value, position))
        except IndexError:
            raise ValueError("the header section ends too early") from None
        if position != end or count < 0:
            raise ValueError(f"the header section is {end - start} bytes long, its headers take {position - start}")
        before.append(len(bounds) // 4)
    bounds.append(bounds[-1] if bounds else 0)
    valid = np.ones(len(bounds) // 4, np.bool_)
    valid[np.frombuffer(nulls, np.int64)] = False
    return before, np.frombuffer(bounds, np.int32), valid, content


def _text(contents: pa.BinaryArray, text_of: Callable[[bytes], str | None]) -> pa.StringArray:
    """The same as text; `text_of` says what bytes become that are not UTF-8."""
    try:
        return contents.cast(pa.string())
    except pa.ArrowInvalid:
        encoded = contents.dictionary_encode()
    texts = [text_of(content) for content in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
