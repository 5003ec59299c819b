"""What `FsspecStorage` needs of one kind of store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from fsspec import AbstractFileSystem


class Store(Protocol):
    """The objects below one root, by keys relative to it. Every call blocks and may be made from any thread.

    Foreign exceptions never leave it: each call raises what `kafka2parquet.storage.base.Storage` lists.
    """

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The fsspec file system, for applications that want to read the files."""

    @property
    def prefix_bytes(self) -> int:
        """Bytes of UTF-8 that the store puts in front of each key, of the 1,024 that a key may have."""

    @property
    def most_segment_bytes(self) -> int | None:
        """Bytes of UTF-8 that what stands between two slashes of a key may have; None where there is no limit."""

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """Make an object, whole or not at all; False, and nothing changed, where one stands at the key.

        `in_parts` takes the way of large files whatever the size, where the store has one, so that it can be probed.
        """

    def read_tail(self, key: str, length: int) -> bytes | None:
        """Return the last `length` bytes of an object, all of it when it is shorter; None when there is none. One request."""

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `kafka2parquet.storage.base.Storage.tag`."""

    def list(self, prefix: str) -> Iterator[str]:
        """Return keys that start with `prefix`, as they are now."""

    def delete(self, key: str) -> None:
        """Remove an object if it is there. Only the probe does this."""
