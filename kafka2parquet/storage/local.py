"""Files in a local folder, or in one that is mounted.

A file is written under a temporary name, forced to disk, and then hard-linked to its own name: `link` is the one call of POSIX
that makes a complete file visible and fails when the name is taken (`rename` would replace). What a crash leaves behind are
temporary files `.kafka2parquet-….tmp`; no reader takes them for data, and the next start deletes them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import BinaryIO

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
from kafka2parquet.object_names import MOST_SEGMENT_BYTES
from kafka2parquet.storage.temporary_files import TemporaryFile, delete_abandoned, is_temporary

#: What only other settings or another file system heal. Any other error may pass by itself: the call is repeated.
_PERMANENT = frozenset(
    {
        errno.EEXIST,
        errno.EFBIG,
        errno.EILSEQ,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMLINK,
        errno.ENAMETOOLONG,
        errno.ENOSYS,
        errno.ENOTDIR,
        errno.EOPNOTSUPP,
        errno.EOVERFLOW,
        errno.EXDEV,
    }
)
#: What the operator of the machine or of the file server refuses; the last ones are credentials of a mounted file system.
_REFUSED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS}
    | {getattr(errno, name) for name in ("ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED") if hasattr(errno, name)}
)
#: What `link` answers on file systems that can't do it.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


class LocalStore:
    """A `Store` below a folder, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._own_folder: Path | None = None
        self._filesystem = fsspec.filesystem("file")

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The local file system, as fsspec sees it."""
        return self._filesystem

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`: a folder isn't a part of keys."""
        return 0

    @property
    def most_segment_bytes(self) -> int:
        """See `Store.most_segment_bytes`: file systems call nothing by more."""
        return MOST_SEGMENT_BYTES

    def use_own_folder(self, prefix: str) -> None:
        """Keep temporary files from now on in the folder of `prefix`, and delete those that dead processes left there."""
        folder = self._path(prefix.rpartition("/")[0])
        with _mapped(folder, missing_is_transient=True):
            _make_folder(folder)
        delete_abandoned(folder)
        self._own_folder = folder

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`."""
        path = self._path(key)
        with _mapped(path, missing_is_transient=True):
            _make_folder(path.parent)
            with TemporaryFile(path.parent, self._own_folder) as temporary:
                _write(temporary.file, content)
                created = _link(temporary, path)
            # Also when another process made the file, which may have died before this.
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
                    if key.startswith(prefix) and not is_temporary(name):
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


def _opened(content: Path) -> BinaryIO:
    with _mapped(content):
        return content.open("rb")


def _write(target: FileIO, content: Path | bytes) -> None:
    with open(target.fileno(), "wb", closefd=False) as buffered:  # it stays open, and so locked
        if isinstance(content, Path):
            with _opened(content) as source:
                shutil.copyfileobj(source, buffered, 1 << 20)
        else:
            buffered.write(content)
        buffered.flush()
        os.fsync(target.fileno())


def _link(source: TemporaryFile, target: Path) -> bool:
    """Hard-link `source` to `target`; False where `target` exists."""
    try:
        source.link_to(target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
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
def _mapped(path: Path, *, missing_is_transient: bool = False) -> Iterator[None]:
    """Raise our error instead of an `OSError`. Where folders are made, one that is missing was removed meanwhile."""
    try:
        yield
    except OSError as error:
        if missing_is_transient and error.errno == errno.ENOENT:
            raise StorageUnavailableError(f"{error.filename or path} was removed meanwhile.") from error
        raise map_error(error, path) from error


def map_error(error: OSError, path: Path) -> Kafka2ParquetError:
    """Return our error for one of the operating system; `path` is named where the error names none."""
    path, what = error.filename or path, error.strerror or str(error)
    if error.errno in _PERMANENT:
        return ConfigurationError(f"{path}: {what}. Choose another folder, file system or name.")
    if error.errno in _REFUSED:
        return StoragePermissionError(f"{path}: {what}. The process needs the rights to read, write and search this folder.")
    if error.errno == errno.ENOENT:
        return BucketNotFoundError(f"{path}: {what}. It was removed meanwhile.")
    return StorageUnavailableError(f"{path}: {what}")
