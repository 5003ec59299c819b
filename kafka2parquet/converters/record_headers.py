"""Converts the headers of records to lists of keys and values."""

from __future__ import annotations

import array
import itertools
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from kafka2parquet.util.display import counted
from kafka2parquet.util.varints import read_varint

#: The encoding of no headers: a count of 0.
_NONE = b"\x00"


def header_lists(sections: pa.Array, type_: pa.DataType, text_of: Callable[[bytes], str | None] | None = None) -> pa.Array:
    """Convert the headers of each record to a list, which is empty for a record without headers.

    Equal header sections are common and are decoded once. No Python object is made for a header, because a record may have a
    million headers. Bytes of a key that are not UTF-8 become U+FFFD, as in Kafka's Java client.

    Args:
        sections: the header sections as they were sent; null for a record without one.
        type_: a list of structs with `key` and `value`.
        text_of: converts values that are not UTF-8 to text. Without it, values are bytes.

    Raises:
        ValueError: a section is malformed.
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
    """Locate the headers of the sections.

    Returns:
        - the number of headers before each section, and the number of all headers;
        - for each header, where its key and value start and end in the bytes (four ascending numbers), and the end of the last
          value;
        - whether the value of each header is not null;
        - the bytes.
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
                        raise ValueError(f"a header whose value has {counted(value_bytes, 'byte')}")
                    nulls.append(len(bounds) // 4)
                    value_bytes = 0
                position = value + value_bytes
                if key_bytes < 0 or position > end:
                    raise ValueError("a header reaches beyond its section")
                bounds.extend((key, key + key_bytes, value, position))
        except IndexError:
            raise ValueError("the header section ends too early") from None
        if position != end or count < 0:
            raise ValueError(
                f"the header section is {counted(end - start, 'byte')} long, but its headers take {position - start}"
            )
        before.append(len(bounds) // 4)
    bounds.append(bounds[-1] if bounds else 0)
    valid = np.ones(len(bounds) // 4, np.bool_)
    valid[np.frombuffer(nulls, np.int64)] = False
    return before, np.frombuffer(bounds, np.int32), valid, content


def _text(contents: pa.BinaryArray, text_of: Callable[[bytes], str | None]) -> pa.StringArray:
    """Convert bytes to text. `text_of` converts bytes that are not UTF-8."""
    try:
        return contents.cast(pa.string())
    except pa.ArrowInvalid:
        encoded = contents.dictionary_encode()
    texts = [text_of(content) for content in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
