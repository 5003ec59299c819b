"""FsspecStorage: storage on S3, GCS, a local folder or any other store that fsspec supports."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem

from kafka2parquet.errors import ConfigurationError, StoragePermissionError, StorageUnavailableError
from kafka2parquet.object_names import MOST_KEY_BYTES, check_key, check_read_key, why_impossible
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.storage.footer_metadata import read_footer_metadata
from kafka2parquet.storage.local import LocalStore
from kafka2parquet.storage.options import GcsOptions, S3Options
from kafka2parquet.storage.probe import probe_store
from kafka2parquet.storage.store import Store, describe
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.secrets import without_credentials

_S3_SCHEMES = ("s3", "s3a")
_GCS_SCHEMES = ("gs", "gcs")
_MOST_SMALL_BYTES = 16 << 20
#: A file that is read piece by piece is fetched in blocks of this size.
_READING = {"block_size": 8 << 20, "cache_type": "readahead"}


@checked
class FsspecStorage:
    """A `Storage` at a URL.

    - `s3://bucket/prefix`: Amazon S3 or a compatible store; create-only by If-None-Match
    - `gs://bucket/prefix`: Google Cloud Storage; create-only by ifGenerationMatch=0
    - `file:///folder`, `/folder`, `folder`: a local folder; create-only by hard link
    - any other URL of fsspec: create-only by `pipe_file(mode="create")`, if the file system keeps that promise

    The first call connects, not the constructor. So an application may create the storage before a fork and use it afterwards.

    Args:
        url: root of all keys.
        options: typed settings of the store. A missing setting comes from the store's usual sources: environment, shared
            configuration files, the machine's role.
        storage_options: further options, passed unchanged to s3fs, gcsfs or another fsspec file system. They override
            `options`.

    Raises:
        ConfigurationError: nothing can be stored under such a URL, or the options belong to another kind of store.
    """

    def __init__(self, url: Name, options: S3Options | GcsOptions | None = None, **storage_options: Any) -> None:
        self._url = url.rstrip("/") or "/"
        self._options = options
        self._storage_options = storage_options
        self._store = _open_store(url, options, storage_options)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the URL and the options, which contain the credentials that were given. The copy connects anew."""
        return _storage_of, (self._url, self._options, self._storage_options)

    def __repr__(self) -> str:
        return f"FsspecStorage({without_credentials(self._url)!r})"

    @property
    def url(self) -> str:
        """The location of the root."""
        return self._url

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The underlying fsspec file system, for applications that want to read the files."""
        return self._store.filesystem

    @property
    def store(self) -> Store:
        """The single operations of the store, for examinations."""
        return self._store

    def path(self, key: str) -> str:
        """Return the path of an object in `filesystem`."""
        return str(self.filesystem._strip_protocol(f"{self._url}/{key}"))

    def why_no_object(self, key: str) -> str | None:
        """Return why this store can't have an object at `key`, or None if it can."""
        most_bytes = MOST_KEY_BYTES - self._store.prefix_bytes
        return why_impossible(key, most_bytes=most_bytes, most_segment_bytes=self._store.most_segment_bytes)

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """See `Storage.publish`."""
        self._check_new(key)
        if self._store.create(key, file.content):
            return Published()
        metadata = self.read_metadata(key)
        if metadata is None:
            raise StorageUnavailableError(f"{self._url}/{key}: the object that took this key has disappeared; trying again.")
        return AlreadyExists(metadata or None)

    def create(self, key: str, content: bytes) -> bool:
        """See `Storage.create`. One request."""
        self._check_new(key)
        return self._store.create(key, content)

    def read(self, key: str) -> bytes | None:
        """See `Storage.read`. One request."""
        check_read_key(key)
        content = self._store.read_tail(key, _MOST_SMALL_BYTES + 1)
        if content is not None and len(content) > _MOST_SMALL_BYTES:
            raise ConfigurationError(
                f"{self._url}/{key} has more than {_MOST_SMALL_BYTES} bytes, so this library didn't write it. Move it away."
            )
        return content

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """See `Storage.read_metadata`. One request, or two for a footer larger than 64 KiB."""
        check_read_key(key)
        return read_footer_metadata(lambda length: self._store.read_tail(key, length))

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Storage.tag`. Sets tags on S3 and object metadata on GCS, with one request. Other stores don't support tags."""
        check_read_key(key)
        self._store.tag(key, tags)

    def list(self, prefix: str) -> Iterable[str]:
        """See `Storage.list`. Lazy: the iteration sends the requests and raises their errors."""
        check_read_key(prefix.rpartition("/")[0])
        return self._store.list(prefix)

    def list_sizes(self, prefix: str) -> Iterable[tuple[str, int]]:
        """Return what `list` returns, as pairs of the key and the size of the object in bytes. Lazy, too."""
        check_read_key(prefix.rpartition("/")[0])
        return self._store.list_sizes(prefix)

    def written_at(self, key: str) -> datetime.datetime | None:
        """Return when an object was written, by the store's clock; None if it doesn't exist, or the store can't say."""
        check_read_key(key)
        return self._store.written_at(key)

    def read_tail(self, key: str, length: int) -> bytes | None:
        """Return the last `length` bytes of an object, at most all of it; None if the object doesn't exist. One request."""
        check_read_key(key)
        return self._store.read_tail(key, length)

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for reading, piece by piece. The store's errors in the block are raised as this library's.

        Raises:
            StorageUnavailableError: the object doesn't exist, or the store doesn't answer.
            StoragePermissionError: the store refuses access.
        """
        check_read_key(key)
        where = f"{self._url}/{key}"
        try:
            with self.filesystem.open(self.path(key), "rb", **_READING) as file:
                yield file
        except FileNotFoundError as error:
            raise StorageUnavailableError(f"{where} doesn't exist.") from error
        except PermissionError as error:
            raise StoragePermissionError(f"{where}: {describe(error)}") from error
        except OSError as error:
            raise StorageUnavailableError(f"{where}: {describe(error)}") from error

    def delete(self, key: str) -> None:
        """Delete an object if it exists. One request."""
        check_read_key(key)
        self._store.delete(key)

    def _check_new(self, key: str) -> None:
        check_key(key, self.why_no_object)

    def probe(self, prefix: str) -> None:
        """See `Storage.probe`. `probe_store` documents what it may leave behind.

        In a local folder, also deletes temporary files of dead processes under `prefix`, and creates new ones there.
        """
        if isinstance(self._store, LocalStore):
            self._store.use_own_folder(prefix)
        probe_store(self._store, self._url, prefix)


def _storage_of(url: str, options: S3Options | GcsOptions | None, storage_options: Mapping[str, Any]) -> FsspecStorage:
    return FsspecStorage(url, options, **storage_options)


def _open_store(url: str, options: S3Options | GcsOptions | None, storage_options: dict[str, Any]) -> Store:
    """Open the store for a URL. Imports its client library only now, because s3fs and gcsfs take a second each to import."""
    scheme, separator, path = url.partition("://")
    scheme, path = (scheme.lower(), path) if separator else ("file", url)
    if "::" in url:
        raise ConfigurationError(f"{url}: chained fsspec URLs can't publish files atomically. Use the URL of the store itself.")
    if scheme == "memory":
        raise ConfigurationError(f"{url}: memory is not durable. In tests, use MemoryStorage.")
    for kind, schemes in ((S3Options, _S3_SCHEMES), (GcsOptions, _GCS_SCHEMES)):
        if isinstance(options, kind) and scheme not in schemes:
            raise ConfigurationError(f"{url}: {kind.__name__} only work with {schemes[0]}:// URLs.")
    if scheme in ("file", "local"):
        return LocalStore(Path(path).absolute())
    bucket, _, root = path.partition("/")
    root = root.strip("/")
    if scheme in (*_S3_SCHEMES, *_GCS_SCHEMES) and not bucket:
        raise ConfigurationError(f"{url}: the name of the bucket is missing after {scheme}://.")
    if scheme in _S3_SCHEMES:
        from kafka2parquet.storage.s3.store import S3Store

        return S3Store(bucket, root, options if isinstance(options, S3Options) else S3Options(), storage_options)
    if scheme in _GCS_SCHEMES:
        from kafka2parquet.storage.gcs.store import GcsStore

        return GcsStore(bucket, root, options if isinstance(options, GcsOptions) else GcsOptions(), storage_options)
    from kafka2parquet.storage.any_fsspec import AnyFsspecStore

    return AnyFsspecStore.open(url, storage_options)
