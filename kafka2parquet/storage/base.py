"""The Storage protocol: create-only publishing, and reading footers back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import attrs

from kafka2parquet.parquet.staged import StagedFile


@attrs.frozen
class Published:
    """The file is visible at its key, and was put there by this call."""


@attrs.frozen
class AlreadyExists:
    """An object stood at the key already; nothing was changed.

    Attributes:
        metadata: key-value metadata of its Parquet footer, None when it is not a Parquet file.
    """

    metadata: Mapping[str, str] | None


class Storage(Protocol):
    """Keeps finished files. Keys are relative to the storage's root and use `/`.

    No object is made under a key that the store can't have, or resolves to another one: `object_names.why_impossible` says
    which. A storage with other limits has a method `why_no_object(key)`, which says it in the same way and never blocks. A row
    whose file would have such a key is rejected, before anything of its flush is visible.

    No object is looked for under one that has a segment `.` or `..`, NUL, or text that UTF-8 can't encode.

    Every call may block for seconds, may be made from any thread, and makes one attempt: the engine retries what is raised
    as `StorageUnavailableError`, so a put whose answer was lost is seen again as `AlreadyExists` with our own footer.

    Raises (each call):
        ConfigurationError: no object can have the key. Nothing was sent.
        StorageUnavailableError: down, slow, throttled, connection lost, or the local disk is full; retrying makes sense.
        StorageAuthenticationError: the credentials were not accepted.
        StoragePermissionError: the credentials lack a right; the message names it.
        BucketNotFoundError: the bucket doesn't exist.
    """

    @property
    def url(self) -> str:
        """Where the root is, for people."""

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """Make the file visible at `key`, whole or not at all, and only if nothing stands there.

        A failed attempt leaves nothing behind: no part of a file, no unfinished multipart upload.
        """

    def create(self, key: str, content: bytes) -> bool:
        """Make a small object of ours, such as a schema; False, and nothing changed, where something stands at `key`.

        Whole or not at all, like `publish`. After a lost answer the next attempt says False: read what stands there.
        """

    def read(self, key: str) -> bytes | None:
        """Return the small object at `key`, as it is now (no cache); None if there is none.

        Raises:
            ConfigurationError: it has more than 16 MiB, which nothing small of ours has.
        """

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """Return key-value metadata of the Parquet footer of the object at `key`; None if there is no object.

        An object that is not a Parquet file has the metadata {}.
        """

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """Put tags on the object at `key`, for people and rules of the store; delivery never reads them.

        A tag replaces one of the same name, and the store may take the object's other tags away. So it may be repeated.

        Raises:
            UsageError: the store has no tags, or there is no object at `key`.
        """

    def list(self, prefix: str) -> Iterable[str]:
        """Keys of all objects whose key starts with `prefix`, in no special order, as the store sees them now (no cache)."""

    def probe(self, prefix: str) -> None:
        """Try out under `prefix` that we may write and read, and that create-only holds for two racing writes; clean up.

        Raises:
            GuaranteeError: the store lets a second write replace the first.
        """
