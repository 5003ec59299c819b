"""Reads Parquet metadata of published files, and says where a file is."""

from __future__ import annotations

import functools
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.storage.footer_metadata import read_footer
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS


def read_parquet_metadata(storage: FsspecStorage, key: str) -> Any:
    """Return a file's `pyarrow.parquet.FileMetaData`; None if the file doesn't exist. Blocks: one request or two.

    Raises:
        ValueError: the file is not a Parquet file.
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    footer = read_footer(functools.partial(storage.store.read_tail, key))
    if footer is None:
        return None
    try:
        return pq.read_metadata(pa.BufferReader(footer))
    except (*ARROW_DATA_ERRORS, OSError) as error:
        raise ValueError(f"it is not a Parquet file: {error}") from error


def location_of(storage: FsspecStorage, key: str) -> str:
    """Return the full URL of an object. Nothing in it is escaped, as table formats expect."""
    scheme, separator, _ = storage.url.partition("://")
    if not separator or scheme in ("file", "local"):
        return f"file://{storage.path(key)}"
    return f"{storage.url}/{key}"
