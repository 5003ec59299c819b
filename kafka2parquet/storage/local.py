"""Files in a local or mounted folder.

A file is written under a temporary name, forced to disk, and then hard-linked to its final name. `link` is the only POSIX call
that makes a complete file visible and fails if the name is taken (`rename` would replace it). A crash leaves temporary files
`.kafka2parquet-….tmp` behind. Readers don't treat these as data, and the next start deletes them.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import shutil
import stat
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

#: Errors that need other settings or another file system. All other errors may be temporary, so the call is repeated.
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
#: Errors about rights on the machine or the file server; the last ones are about credentials of a mounted file system.
_REFUSED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS}
    | {getattr(errno, name) for name in ("ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED") if hasattr(errno, name)}
)
#: Errors of `link` on file systems without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


class LocalStore:
    """A `Store` below a folder, which is created if it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._own_folder: Path | None = None
        self._filesystem = fsspec.filesystem("file")

    @property
    def filesystem(self) -> AbstractFileSystem:
        """Fsspec's local file system."""
        return self._filesystem

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`. The folder is not part of the keys."""
        return 0

    @property
    def most_segment_bytes(self) -> int:
        """See `Store.most_segment_bytes`. File systems limit the names of files and folders."""
        return MOST_SEGMENT_BYTES

    def use_own_folder(self, prefix: str) -> None:
        """Delete the temporary files of dead processes in the folder of `prefix`, and use the folder from now on."""
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
            # Needed even if another process created the file, because that process may have died before its own sync.
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
            # The caller will rely on the file, so its name has to survive a power failure.
            _sync_folder(path.parent)
            return tail

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self._path(key)}: files in a folder don't have tags. Use S3 or GCS, or remove the tags.")

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        folder = self._path(prefix.rpartition("/")[0])
        with _mapped(folder):
            for parent, _, names in os.walk(folder, onerror=_raise_unless_missing):
                for name in names:
                    key = os.path.relpath(os.path.join(parent, name), self._root)  # noqa: PTH118  # Path is slow for many files
                    if key.startswith(prefix) and not is_temporary(name):
                        yield key

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list_sizes`."""
        for key in self.list(prefix):
            path = self._path(key)
            with _mapped(path):
                try:
                    size_bytes = path.stat().st_size
                except FileNotFoundError:  # someone has deleted the file meanwhile
                    continue
            yield key, size_bytes

    def written_at(self, key: str) -> datetime.datetime | None:
        """See `Store.written_at`."""
        path = self._path(key)
        with _mapped(path):
            try:
                found = path.stat()
            except FileNotFoundError:
                return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return datetime.datetime.fromtimestamp(found.st_mtime, datetime.timezone.utc)

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
    """Create the folder and its parents, so that they survive a power failure."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _opened(content: Path) -> BinaryIO:
    with _mapped(content):
        return content.open("rb")


def _write(target: FileIO, content: Path | bytes) -> None:
    with open(target.fileno(), "wb", closefd=False) as buffered:  # the file stays open, and therefore locked
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
                f"The file system at {target.parent} doesn't support hard links, which are needed to publish a file atomically."
                " Use another file system, or an object store."
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
    """Translate an `OSError`. With `missing_is_transient`, a missing folder was removed concurrently, so retrying helps."""
    try:
        yield
    except OSError as error:
        if missing_is_transient and error.errno == errno.ENOENT:
            raise StorageUnavailableError(f"{error.filename or path} was removed in the meantime.") from error
        raise map_error(error, path) from error


def map_error(error: OSError, path: Path) -> Kafka2ParquetError:
    """Translate an error of the operating system. The message names `path` if the error doesn't name a file."""
    path, what = error.filename or path, error.strerror or str(error)
    if error.errno in _PERMANENT:
        return ConfigurationError(f"{path}: {what}. Choose another folder, file system or name.")
    if error.errno in _REFUSED:
        return StoragePermissionError(f"{path}: {what}. The process needs the rights to read, write and search this folder.")
    if error.errno == errno.ENOENT:
        return BucketNotFoundError(f"{path}: {what}. It was removed in the meantime.")
    return StorageUnavailableError(f"{path}: {what}")
