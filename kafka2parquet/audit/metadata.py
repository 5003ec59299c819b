"""Reads the footer metadata of many files at once, and recognizes names of Parquet files."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence

from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.storage.base import Storage

_THREADS = 16
#: A part of the names of files that query engines read as Parquet, including copies such as `x.parquet.bak`.
_PARQUET = ".parq"
_CHECKSUM = ".crc"  # Hadoop writes such a file beside each file


def read_all_metadata(storage: Storage, keys: Sequence[str]) -> Mapping[str, Mapping[str, str] | None]:
    """Read the footer metadata of many objects at once; None for an object that doesn't exist. Blocks."""
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-audit") as pool:
        return dict(zip(keys, pool.map(storage.read_metadata, keys), strict=True))


def flush_footers(
    metadata: Mapping[str, Mapping[str, str] | None],
) -> tuple[Mapping[str, FlushFooter | None], Mapping[str, str]]:
    """Return the footer of each file, None for a file without one or with a damaged one, and why damaged ones can't be read."""
    footers: dict[str, FlushFooter | None] = {}
    damaged: dict[str, str] = {}
    for key, found in metadata.items():
        try:
            footers[key] = FlushFooter.from_metadata(found)
        except ValueError as error:
            footers[key], damaged[key] = None, str(error)
    return footers, damaged


def is_parquet_name(key: str) -> bool:
    """Return whether query engines read an object as Parquet, by its name."""
    return _PARQUET in key.rpartition("/")[2].lower() and not key.endswith(_CHECKSUM)
