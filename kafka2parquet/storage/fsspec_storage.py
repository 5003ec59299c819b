"""Storage on S3, GCS, a local folder or any other store that fsspec knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.object_names import MOST_KEY_BYTES, check_key, check_read_key, why_impossible
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.storage.footer_metadata import read_footer_metadata
from kafka2parquet.storage.local import LocalStore
from kafka2parquet.storage.options import GcsOptions, S3Options
from kafka2parquet.storage.probe import probe_store
from kafka2parquet.storage.store import Store
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.secrets import without_credentials

_S3_SCHEMES = ("s3", "s3a")
_GCS_SCHEMES = ("gs", "gcs")
_MOST_SMALL_BYTES = 16 << 20


@checked
class FsspecStorage:
    """A `Storage` on whatever the URL names.

    - `s3://bucket/prefix`: Amazon S3 or a compatible store; create-only by If-None-Match
    - `gs://bucket/prefix`: Google Cloud Storage; create-only by ifGenerationMatch=0
    - `file:///folder`, `/folder`, `folder`: a local folder; create-only by hard link
    - any other URL of fsspec: `pipe_file(mode="create")`, as good as that file system makes it

    Building it talks to nobody: the first call does. So it may be built before a fork, and used after it.

    Args:
        url: root below which all keys lie.
        options: typed settings of the store. Where they are missing, the store's usual sources hold: environment, shared
            configuration files, the machine's role.
        storage_options: further options, handed to s3fs, gcsfs or another fsspec file system as they are. They win.

    Raises:
        ConfigurationError: nothing can be stored under such a URL, or the options are those of another store.
    """

    def __init__(self, url: Name, options: S3Options | GcsOptions | None = None, **storage_options: Any) -> None:
        self._url = url.rstrip("/") or "/"
        self._store = _open_store(url, options, storage_options)

    def __repr__(self) -> str:
        return f"FsspecStorage({without_credentials(self._url)!r})"

    @property
    def url(self) -> str:
        """Where the root is."""
        return self._url

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The fsspec file system behind it, for applications that want to read the files."""
        return self._store.filesystem

    def path(self, key: str) -> str:
        """Return the path of a key in `filesystem`."""
        return str(self.filesystem._strip_protocol(f"{self._url}/{key}"))

    def why_no_object(self, key: str) -> str | None:
        """Return why there can't be an object at `key` in this store; None where there can."""
        most_bytes = MOST_KEY_BYTES - self._store.prefix_bytes
        return why_impossible(key, most_bytes=most_bytes, most_segment_bytes=self._store.most_segment_bytes)

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """See `Storage.publish`."""
        self._check_new(key)
        if self._store.create(key, file.content):
            return Published()
        metadata = self.read_metadata(key)
        if metadata is None:
            raise StorageUnavailableError(f"{self._url}/{key}: an object stood here and is gone again; trying once more.")
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
                f"{self._url}/{key} has more than {_MOST_SMALL_BYTES} bytes: this library didn't write it. Move it away."
            )
        return content

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """See `Storage.read_metadata`. One request, two for a footer of more than 64 KiB."""
        check_read_key(key)
        return read_footer_metadata(lambda length: self._store.read_tail(key, length))

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Storage.tag`. Tags of S3, metadata of the object on GCS; one request. Other stores have none."""
        check_read_key(key)
        self._store.tag(key, tags)

    def list(self, prefix: str) -> Iterable[str]:
        """See `Storage.list`. Lazy: requests are made, and errors raised, on the way."""
        check_read_key(prefix.rpartition("/")[0])
        return self._store.list(prefix)

    def _check_new(self, key: str) -> None:
        check_key(key, self.why_no_object)

    def probe(self, prefix: str) -> None:
        """See `Storage.probe`; `probe_store` says what it leaves behind.

        In a local folder, deletes the temporary files under `prefix` whose processes are dead, and has new ones made there.
        """
        if isinstance(self._store, LocalStore):
            self._store.use_own_folder(prefix)
        probe_store(self._store, self._url, prefix)


def _open_store(url: str, options: S3Options | GcsOptions | None, storage_options: dict[str, Any]) -> Store:
    """Return the store for a URL. Its client library is imported only when it is needed: s3fs and gcsfs take a second each."""
    scheme, separator, path = url.partition("://")
    scheme, path = (scheme.lower(), path) if separator else ("file", url)
    if "::" in url:
        raise ConfigurationError(f"{url}: chained fsspec URLs can't keep what publishing promises. Name the store itself.")
    if scheme == "memory":
        raise ConfigurationError(f"{url}: what is in memory is not durable. In tests, use MemoryStorage.")
    for kind, schemes in ((S3Options, _S3_SCHEMES), (GcsOptions, _GCS_SCHEMES)):
        if isinstance(options, kind) and scheme not in schemes:
            raise ConfigurationError(f"{url}: {kind.__name__} are given, which belong to {schemes[0]}:// URLs.")
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
