"""The Storage protocol: create-only publishing, and reading footers back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from kafka2parquet.parquet.staged import StagedFile


@attrs.frozen
class Published:
    """This call created the file, which is now visible at its key."""


@attrs.frozen
class AlreadyExists:
    """The key was already taken by an object. Nothing was changed.

    Attributes:
        metadata: key-value metadata of the object's Parquet footer, None if it is not a Parquet file.
    """

    metadata: Mapping[str, str] | None


class Storage(Protocol):
    """Stores finished files. Keys are relative to the storage's root and use `/`.

    Some keys are impossible in a store, or resolve to another key; `object_names.why_impossible` recognizes them. No object is
    created under such a key: a row whose file would need one is rejected before any file of its flush is visible. A storage
    with other limits has a method `why_no_object(key)` with the same result, which never blocks.

    A storage may have a method `list_sizes(prefix)`, which returns what `list` returns as pairs of the key and the size of the
    object in bytes. Then `read_flushes` reports sizes. It may have a method `written_at(key)`, which returns when an object was
    written, by the store's clock, or None. Then `kafka2parquet complete --once` knows for how long a partition has been idle.
    `kafka2parquet compact` needs more, see `compaction.MergeStorage`.

    Keys with a segment `.` or `..`, with NUL, or with text that UTF-8 can't encode are not read either.

    Each call may block for seconds, may come from any thread, and makes one attempt. The engine retries after a
    `StorageUnavailableError`. If the answer to a put was lost, the next attempt returns `AlreadyExists` with this library's
    footer. Each call may raise the following errors.

    Raises:
        ConfigurationError: no object can have the key. Nothing was sent.
        StorageUnavailableError: the store is down, slow or throttling, the connection was lost, or the local disk is full.
            Retrying makes sense.
        StorageAuthenticationError: the store did not accept the credentials.
        StoragePermissionError: the credentials lack a right, which the message names.
        BucketNotFoundError: the bucket doesn't exist.
    """

    @property
    def url(self) -> str:
        """The location of the root, for messages."""

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """Make the file visible at `key`, whole or not at all, and only if the key is free.

        A failed attempt leaves nothing behind: neither a part of a file nor an unfinished multipart upload.
        """

    def create(self, key: str, content: bytes) -> bool:
        """Create a small internal object, such as a schema. Returns False and changes nothing if `key` is taken.

        Creates the object whole or not at all, like `publish`. After a lost answer the next attempt returns False; the caller
        then has to read the object.
        """

    def read(self, key: str) -> bytes | None:
        """Return the current content of the small internal object at `key`, without a cache; None if it doesn't exist.

        Raises:
            ConfigurationError: the object is larger than 16 MiB, so this library did not write it.
        """

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """Return the key-value metadata of the Parquet footer of the object at `key`; None if the object doesn't exist.

        Returns {} for an object that is not a Parquet file.
        """

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Tag the object at `key`, for people and for rules of the store. Delivery never reads tags.

        A tag replaces a tag of the same name. The store may remove the object's other tags. The call may be repeated.

        Raises:
            UsageError: the store doesn't support tags, or the object doesn't exist.
        """

    def list(self, prefix: str) -> Iterable[str]:
        """Return the keys of all current objects whose key starts with `prefix`, in any order, without a cache."""

    def probe(self, prefix: str) -> None:
        """Check under `prefix` that the store allows writes and reads, and that only one of two racing creations succeeds.

        Cleans up afterwards.

        Raises:
            GuaranteeError: the store lets a second write replace the first.
        """


def listed(storage: Storage, prefix: str) -> Iterator[tuple[str, int | None]]:
    """Yield the keys that start with a prefix, each with the size of its object; None if the storage doesn't report sizes."""
    list_sizes: Callable[[str], Iterator[tuple[str, int]]] | None = getattr(storage, "list_sizes", None)
    if list_sizes is not None:
        yield from list_sizes(prefix)
    else:
        yield from ((key, None) for key in storage.list(prefix))
