"""The bytes of a staged file, for uploads that read them piece by piece."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from kafka2parquet.storage.local import map_error


def content_type(key: str) -> str:
    """Return what an object is, for people and tools that look at the bucket; data files are Parquet."""
    return "application/json" if key.endswith(".json") else "application/vnd.apache.parquet"


def size_of(content: Path | bytes) -> int:
    """Return length in bytes."""
    if isinstance(content, bytes):
        return len(content)
    try:
        return content.stat().st_size
    except OSError as error:
        raise map_error(error, content) from error


def read_part(content: Path | bytes, start: int, length: int) -> bytes:
    """Return at most `length` bytes from `start` on; no copy where that is all of a file in memory."""
    if isinstance(content, bytes):
        return content[start : start + length]
    try:
        with content.open("rb") as file:
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise map_error(error, content) from error


def pieces(content: Path | bytes) -> Iterator[bytes]:
    """Return all of it, in pieces of a mebibyte."""
    start = 0
    while piece := read_part(content, start, 1 << 20):
        yield piece
        start += len(piece)


def base64_md5(content: Path | bytes) -> str:
    """MD5 in base64, as stores take it to check that what arrived is what was sent."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces(content):
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode()
