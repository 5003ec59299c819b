"""The Store protocol, which `FsspecStorage` needs for each kind of store, and the outcomes that are not failures."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from fsspec import AbstractFileSystem


class Store(Protocol):
    """The objects below one root, by keys relative to the root. Each call blocks, and may come from any thread.

    A store raises no exceptions of other libraries. Each call raises the errors that `kafka2parquet.storage.base.Storage`
    lists.
    """

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The fsspec file system, for applications that want to read the files."""

    @property
    def prefix_bytes(self) -> int:
        """Length of the store's prefix in bytes of UTF-8. It counts towards the 1,024 bytes that a key may have."""

    @property
    def most_segment_bytes(self) -> int | None:
        """Limit in bytes of UTF-8 for a segment of a key, between two slashes; None if there isn't a limit."""

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """Create an object, whole or not at all. Returns False and changes nothing if the key is taken.

        `in_parts` makes the store upload a small object like a large one, so that this way can be probed too.
        """

    def read_tail(self, key: str, length: int) -> bytes | None:
        """Return the last `length` bytes of an object, at most all of it; None if the object doesn't exist. One request."""

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `kafka2parquet.storage.base.Storage.tag`."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that currently start with `prefix`."""

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the keys that currently start with `prefix`, each with the size of its object in bytes."""

    def written_at(self, key: str) -> datetime.datetime | None:
        """Return when an object was written, by the store's clock; None if the object doesn't exist, or the store can't say."""

    def delete(self, key: str) -> None:
        """Delete an object if it exists. Only the probe and `kafka2parquet compact --delete-originals` do this."""


class ObjectExistsError(Exception):
    """The key is taken by an object."""


class NoSuchObjectError(Exception):
    """The object doesn't exist."""


class EmptyObjectError(Exception):
    """The object is empty, so the store refuses a range of its bytes."""


def describe(error: BaseException) -> str:
    """Return an error's type and text on one line, without a full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
