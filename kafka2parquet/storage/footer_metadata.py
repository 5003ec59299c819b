"""Reads the key-value metadata of a Parquet footer from the end of an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

#: Large enough for ordinary footers, so that one request is enough. A second request fetches a larger footer.
TAIL_BYTES = 64 << 10

_MAGIC = b"PAR1"
_TRAILER_BYTES = 8  # the footer's length, little-endian, and the magic bytes (Parquet format, "File format")
_NOT_METADATA = frozenset({b"ARROW:schema", b"pandas"})  # large entries for Arrow's own use


def read_footer_metadata(read_tail: Callable[[int], bytes | None]) -> Mapping[str, str] | None:
    """Read the key-value metadata of a Parquet file.

    Args:
        read_tail: returns the given number of bytes from the end of the object, or None if the object doesn't exist.

    Returns:
        The metadata; {} if the object is not a Parquet file; None if `read_tail` returns None. If the footer of one of this
        library's files is unreadable, the entry about its flush is empty, which marks a damaged footer.
    """
    footer = read_footer(read_tail)
    if not footer:
        return None if footer is None else {}
    try:
        metadata = pq.read_metadata(pa.BufferReader(footer)).metadata
    except (*ARROW_DATA_ERRORS, OSError):  # damaged, too deeply nested for Arrow, or the magic bytes are a coincidence
        return {METADATA_KEY: ""} if METADATA_KEY.encode() in footer else {}
    return {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (metadata or {}).items()
        if key not in _NOT_METADATA
    }


def read_footer(read_tail: Callable[[int], bytes | None]) -> bytes | None:
    """Read the footer of a Parquet file, with the length and the magic bytes behind it.

    Args:
        read_tail: returns the given number of bytes from the end of the object, or None if the object doesn't exist.

    Returns:
        The footer; b"" if the object is not a Parquet file; None if `read_tail` returns None.
    """
    tail = read_tail(TAIL_BYTES)
    if tail is None:
        return None
    if len(tail) < _TRAILER_BYTES or tail[-4:] != _MAGIC:
        return b""
    needed = int.from_bytes(tail[-_TRAILER_BYTES:-4], "little") + _TRAILER_BYTES
    if needed > len(tail):
        tail = read_tail(needed)
    return None if tail is None else tail[-needed:]
