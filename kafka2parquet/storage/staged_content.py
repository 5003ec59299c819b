"""Reads the bytes of a staged file piece by piece, for uploads."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

from kafka2parquet.storage.local import map_error


def content_type(key: str) -> str:
    """Return the content type of an object, for people and tools that look at the bucket."""
    return "application/json" if key.endswith(".json") else "application/vnd.apache.parquet"


def size_of(content: Path | bytes) -> int:
    """Return the length of the content in bytes."""
    if isinstance(content, bytes):
        return len(content)
    try:
        return content.stat().st_size
    except OSError as error:
        raise map_error(error, content) from error


def read_part(content: Path | bytes, start: int, length: int) -> bytes:
    """Return at most `length` bytes from `start` on. Doesn't copy a file in memory that is read as a whole."""
    if isinstance(content, bytes):
        return content[start : start + length]
    try:
        with content.open("rb") as file:
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise map_error(error, content) from error


def pieces(content: Path | bytes) -> Iterator[bytes]:
    """Yield the whole content in pieces of one MiB."""
    start = 0
    while piece := read_part(content, start, 1 << 20):
        yield piece
        start += len(piece)


def base64_md5(content: Path | bytes) -> str:
    """Return the content's MD5 in base64, with which a store checks what it received."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces(content):
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode()
