"""The headers of records as lists of keys and values."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from kafka2parquet.records import decode_headers

#: As headers go into no record: their count is 0.
_NONE = b"\x00"


def header_lists(sections: pa.Array, type_: pa.DataType, value_of: Callable[[bytes | None], object]) -> pa.Array:
    """The headers of each record; a record without headers has an empty list.

    Equal sections, which are the rule, are decoded once.

    Args:
        sections: as sent, null where a record has none.
        type_: list of structs `key` and `value`.
        value_of: what a header's value is written as.
    """
    encoded = sections.cast(pa.binary()).fill_null(_NONE).dictionary_encode()
    lists = [
        [{"key": key, "value": value_of(value)} for key, value in decode_headers(section)]
        for section in encoded.dictionary.to_pylist()
    ]
    return pa.array(lists, type_).take(encoded.indices)
