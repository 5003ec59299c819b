"""The key-value metadata of a Parquet footer, from the end of an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.parquet.footer import METADATA_KEY
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

#: Holds the footers of ordinary files, so that one request is enough; a second one fetches a larger footer.
TAIL_BYTES = 64 << 10

_MAGIC = b"PAR1"
_TRAILER_BYTES = 8  # length of the footer, little-endian, and the magic bytes (Parquet format, "File format")
_NOT_METADATA = frozenset({b"ARROW:schema", b"pandas"})  # what Arrow keeps for itself, and large


def read_footer_metadata(read_tail: Callable[[int], bytes | None]) -> Mapping[str, str] | None:
    """Read the key-value metadata of a Parquet file.

    Args:
        read_tail: gives a number of bytes from the end of the object, or None when there is no object.

    Returns:
        The metadata, {} for an object that is not a Parquet file, None where `read_tail` gives None. Of a file of this library
        whose footer can't be read, the text of its flush is empty, which says that the footer is damaged.
    """
    tail = read_tail(TAIL_BYTES)
    if tail is None:
        return None
    if len(tail) < _TRAILER_BYTES or tail[-4:] != _MAGIC:
        return {}
    needed = int.from_bytes(tail[-_TRAILER_BYTES:-4], "little") + _TRAILER_BYTES
    if needed > len(tail):
        tail = read_tail(needed)
        if tail is None:
            return None
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail)).metadata
    except (*ARROW_DATA_ERRORS, OSError):  # damaged, too deep for this reader, or the magic bytes are there by chance
        return {METADATA_KEY: ""} if METADATA_KEY.encode() in tail[-needed:] else {}
    return {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (metadata or {}).items()
        if key not in _NOT_METADATA
    }
