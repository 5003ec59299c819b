"""Any other store that fsspec supports.

An object is created by `pipe_file(mode="create")` (fsspec/filesystem_spec#1693). The file system decides whether that is
atomic, and whether it refuses to replace an object. The probe checks the latter. Object stores such as Azure's do both. File
servers that write directly to the final name, such as SFTP, are not atomic.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from kafka2parquet.errors import ConfigurationError, GuaranteeError, StoragePermissionError, StorageUnavailableError, UsageError
from kafka2parquet.object_names import MOST_SEGMENT_BYTES
from kafka2parquet.storage.staged_content import read_part, size_of
from kafka2parquet.storage.store import describe


class AnyFsspecStore:
    """A `Store` on an fsspec file system.

    Args:
        filesystem: the file system, with its listings cache switched off.
        root: path of the root on the file system.
    """

    def __init__(self, filesystem: AbstractFileSystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    @classmethod
    def open(cls, url: str, storage_options: Mapping[str, Any]) -> AnyFsspecStore:
        """Open the store at an fsspec URL.

        Raises:
            ConfigurationError: fsspec doesn't support such URLs, or a package or an option for them is missing.
        """
        try:
            filesystem, root = fsspec.core.url_to_fs(
                url, **{"skip_instance_cache": True, "use_listings_cache": False, **storage_options}
            )
        except (ImportError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{url}: {error}") from error
        return cls(filesystem, root)

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The file system."""
        return self._filesystem

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`. The folder is not part of the keys."""
        return 0

    @property
    def most_segment_bytes(self) -> int:
        """See `Store.most_segment_bytes`. The store may be a file system, so a file system's limit applies."""
        return MOST_SEGMENT_BYTES

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`. Holds the whole file in memory, to upload it in one call."""
        path = self._path(key)
        body = read_part(content, 0, size_of(content))
        with self._mapped(path):
            try:
                self._filesystem.pipe_file(path, body, mode="create")
            except FileExistsError:
                return False
            except (NotImplementedError, TypeError, ValueError) as error:
                raise GuaranteeError(
                    f"{path}: fsspec's {type(self._filesystem).__name__} can't create an object without replacing one: {error}"
                ) from error
        return True

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`."""
        path = self._path(key)
        with self._mapped(path):
            try:
                tail: bytes = self._filesystem.cat_file(path, start=-length)
            except FileNotFoundError:
                return None
            return tail

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self._path(key)}: this store doesn't support tags. Use S3 or GCS, or remove the tags.")

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        return (key for key, _ in self.list_sizes(prefix))

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list_sizes`."""
        folder = self._path(prefix.rpartition("/")[0])
        with self._mapped(folder):
            self._filesystem.invalidate_cache()
            try:
                found = self._filesystem.find(folder, detail=True)
            except FileNotFoundError:
                return
        for path, about in found.items():
            key = path.removeprefix(self._root).lstrip("/")
            if key.startswith(prefix):
                yield key, about["size"]

    def written_at(self, key: str) -> datetime.datetime | None:
        """See `Store.written_at`."""
        path = self._path(key)
        with self._mapped(path):
            try:
                modified: datetime.datetime = self._filesystem.modified(path)
            except (FileNotFoundError, NotImplementedError):
                return None
        return modified if modified.tzinfo is not None else modified.replace(tzinfo=datetime.timezone.utc)

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self._path(key)
        with self._mapped(path), contextlib.suppress(FileNotFoundError):
            self._filesystem.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    @contextlib.contextmanager
    def _mapped(self, path: str) -> Iterator[None]:
        """Translate the file system's exceptions. Unknown exceptions of its library count as temporary."""
        try:
            yield
        except (GuaranteeError, MemoryError):
            raise
        except PermissionError as error:
            raise StoragePermissionError(f"{path}: {error}") from error
        except Exception as error:
            raise StorageUnavailableError(f"{path}: {describe(error)}") from error
