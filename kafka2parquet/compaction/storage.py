"""MergeStorage: what compaction needs of a storage, besides the `Storage` protocol."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from kafka2parquet.storage.base import Storage


class MergeStorage(Storage, Protocol):
    """A storage whose files can be read whole, and deleted. `FsspecStorage` and `MemoryStorage` are such storages.

    Each call blocks, and may raise the errors of `Storage`. To run units in other processes, the storage has to be picklable.
    """

    def list_sizes(self, prefix: str) -> Iterable[tuple[str, int]]:
        """Return the keys of all objects whose key starts with `prefix`, each with its size in bytes."""

    def read_tail(self, key: str, length: int) -> bytes | None:
        """Return the last `length` bytes of an object, at most all of it; None if the object doesn't exist."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open an object for reading.

        Raises:
            StorageUnavailableError: the object doesn't exist.
        """

    def written_at(self, key: str) -> datetime.datetime | None:
        """Return when an object was written, by the store's clock; None if it doesn't exist, or the store can't say."""

    def delete(self, key: str) -> None:
        """Delete an object if it exists."""
