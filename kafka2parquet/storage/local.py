"""Files in a local folder, or in one that is mounted.

A file is written under a temporary name in its final folder, forced to disk, and then hard-linked to its own name: `link` is
the one call of POSIX that makes a complete file visible and fails when the name is taken (`rename` would replace). What a
crash leaves behind are temporary files `.kafka2parquet-….tmp`; no reader takes them for data, and they may be deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem

from kafka2parquet.errors import (
    BucketNotFoundError,
    ConfigurationError,
    GuaranteeError,
    Kafka2ParquetError,
    StoragePermissionError,
    StorageUnavailableError,
    UsageError,
)

_TEMPORARY_PREFIX = ".kafka2parquet-"
_TEMPORARY_SUFFIX = ".tmp"

_TRANSIENT = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


class LocalStore:
    """A `Store` below a folder, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._filesystem = fsspec.filesystem("file")

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The local file system, as fsspec sees it."""
        return self._filesystem

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`: a folder isn't a part of keys."""
        return 0

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`."""
        path = self._path(key)
        temporary = path.with_name(f"{_TEMPORARY_PREFIX}{uuid.uuid4().hex}{_TEMPORARY_SUFFIX}")
        with _mapped(path):
            _make_folder(path.parent)
            try:
                _write(temporary, content)
                created = _link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            # Also when somebody else made the file: whoever did may have died before this.
            _sync_folder(path.parent)
        return created

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`."""
        path = self._path(key)
        with _mapped(path):
            try:
                with path.open("rb") as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(max(0, size - length))
                    tail = file.read()
            except FileNotFoundError:
                return None
            # The caller is going to rely on what it saw, so it has to outlast a loss of power.
            _sync_folder(path.parent)
            return tail

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self._path(key)}: files in a folder have no tags. Use S3 or GCS, or tag nothing.")

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        folder = self._path(prefix.rpartition("/")[0])
        with _mapped(folder):
            for parent, _, names in os.walk(folder, onerror=_raise_unless_missing):
                for name in names:
                    key = os.path.relpath(os.path.join(parent, name), self._root)  # noqa: PTH118  # many, and Path is slow
                    if key.startswith(prefix) and not _is_temporary(name):
                        yield key

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self._path(key)
        with _mapped(path):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if key and ("\0" in key or any(segment in ("", ".", "..") for segment in key.split("/"))):
            raise ConfigurationError(
                f"The key {key!r} can't be a path: it has an empty segment, '.', '..' or a null character."
            )
        return self._root / key


def _is_temporary(name: str) -> bool:
    return name.startswith(_TEMPORARY_PREFIX) and name.endswith(_TEMPORARY_SUFFIX)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it, so that they outlast a loss of power."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _write(path: Path, content: Path | bytes) -> None:
    with path.open("xb") as target:
        if isinstance(content, Path):
            with content.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
        else:
            target.write(content)
        target.flush()
        os.fsync(target.fileno())


def _link(source: Path, target: Path) -> bool:
    """Hard-link `source` to `target`; False where `target` exists."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise GuaranteeError(
                f"The file system at {target.parent} has no hard links, without which a file can't be made visible whole and"
                " only once. Use another file system, or an object store."
            ) from error
        raise
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[None]:
    """Raise our error instead of an `OSError`."""
    try:
        yield
    except OSError as error:
        raise map_error(error, path) from error


def map_error(error: OSError, path: Path) -> Kafka2ParquetError:
    """Our error for one of the operating system; `path` is named where the error names none."""
    path, what = error.filename or path, error.strerror or str(error)
    if error.errno in _TRANSIENT:
        return StorageUnavailableError(f"{path}: {what}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoragePermissionError(f"{path}: {what}. The process needs the rights to read, write and search this folder.")
    if error.errno == errno.ENOENT:
        return BucketNotFoundError(f"{path}: {what}. It was removed meanwhile.")
    return ConfigurationError(f"{path}: {what}.")
