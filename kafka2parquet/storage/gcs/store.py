"""Google Cloud Storage, through gcsfs.

One request with `ifGenerationMatch=0` creates an object. The object appears whole or not at all, and only if the key is free.
Files larger than a part are uploaded in a resumable session under the same condition. Nothing is visible until the last byte
has arrived. An unfinished session costs nothing, and GCS forgets it after a week. Each upload declares its MD5, so that the
store refuses data that was damaged in transit.
(https://cloud.google.com/storage/docs/request-preconditions, https://cloud.google.com/storage/docs/resumable-uploads)

Required rights: `storage.objects.create`, `.get` and `.list`. With `.delete` the probe can clean up, and `.update` is for tags.

gcsfs provides credentials, connections, the event loop and retries. Two of its ways to write are not used. `pipe_file` holds a
file in memory twice; it can be used once that changes and it supports `mode="create"` for large files (see fsspec/gcsfs#642).
File handles publish partial data when their block raises; they can be used once fsspec discards the data instead.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from fsspec import AbstractFileSystem
from gcsfs import __version__ as gcsfs_version
from gcsfs.core import GCSFileSystem  # the class at the package's root first looks up each bucket's layout over gRPC
from google.auth.exceptions import GoogleAuthError

from kafka2parquet.errors import BucketNotFoundError, Kafka2ParquetError, StorageUnavailableError, UsageError
from kafka2parquet.storage.gcs.credentials import find_credentials
from kafka2parquet.storage.gcs.errors import map_gcs_error
from kafka2parquet.storage.options import GcsOptions
from kafka2parquet.storage.staged_content import base64_md5, content_type, pieces, read_part, size_of
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError

_CREATE = "storage.objects.create"
_LIST = "storage.objects.list"
_BOUNDARY = "kafka2parquet-5f0c8d1be6a74c0f"


class _Body(io.BytesIO):
    """A request body that ignores `close`.

    gcsfs rewinds the body for the next attempt, but aiohttp closes it after a failed one. Can go once gcsfs creates a new body
    for each attempt.
    """

    def close(self) -> None:
        self.seek(0)


class _Part(_Body):
    """A request body that is sent only once.

    gcsfs and aiohttp repeat a request whose answer was lost, but the store may already have the part. A store that doesn't
    check the part's range would then store the part twice. Can go once gcsfs lets callers disable retries.
    """

    _is_sent = False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._is_sent:
            raise StorageUnavailableError("A part of the file was not acknowledged; the upload starts again.")
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self._is_sent = True
        return content

    def close(self) -> None:
        self._is_sent = True


class GcsStore:
    """A `Store` in a bucket."""

    def __init__(self, bucket: str, root: str, options: GcsOptions, storage_options: Mapping[str, Any]) -> None:
        self._bucket = bucket
        self._root = f"{root}/" if root else ""
        self._options = options
        self._arguments = {
            "skip_instance_cache": True,
            "use_listings_cache": False,
            "requests_timeout": aiohttp.ClientTimeout(
                total=options.request_timeout_s, sock_connect=options.connect_timeout_s, sock_read=options.read_timeout_s
            ),
            # The configured proxy, or else the proxies of the environment.
            "session_kwargs": {"trust_env": True} if options.proxy_url is None else {"proxy": options.proxy_url},
            **options.to_fsspec(),
            **storage_options,
        }
        self._token_is_raw = "token" in storage_options
        self._user_agent = f"python-gcsfs/{gcsfs_version} {options.user_agent}"
        self._lock = threading.Lock()
        self._connected: AbstractFileSystem | None = None

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The `gcsfs.core.GCSFileSystem`, created at the first access."""
        with self._lock:
            if self._connected is None:
                self._connected = GCSFileSystem(**{**self._arguments, **self._credentials()})
            return self._connected

    def _credentials(self) -> dict[str, object]:
        if self._token_is_raw:
            return {}
        try:
            return {"token": find_credentials(self._options.token, self._options.proxy_url)}
        except GoogleAuthError as error:
            raise map_gcs_error(error, self._where(None), "") from error

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`."""
        return len(self._root.encode())

    @property
    def most_segment_bytes(self) -> None:
        """See `Store.most_segment_bytes`. GCS doesn't limit segments."""
        return None

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`. One request for a file of at most one part; otherwise one request per part and one more."""
        resource = {"name": self._root + key, "contentType": content_type(key), "md5Hash": base64_md5(content)}
        if self._options.storage_class is not None:
            resource["storageClass"] = self._options.storage_class
        try:
            if size_of(content) > self._options.part_size_bytes or in_parts:
                self._create_in_parts(key, resource, content)
            else:
                self._create_at_once(key, resource, content)
        except ObjectExistsError:
            return False
        return True

    def _create_at_once(self, key: str, resource: Mapping[str, str], content: Path | bytes) -> None:
        body = _Body()
        body.write(f"--{_BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{json.dumps(resource)}\r\n".encode())
        body.write(f"--{_BOUNDARY}\r\nContent-Type: {resource['contentType']}\r\n\r\n".encode())
        body.writelines(pieces(content))
        body.write(f"\r\n--{_BOUNDARY}--".encode())
        self._call(
            _CREATE,
            key,
            "POST",
            self._upload_url(),
            self._bucket,
            uploadType="multipart",
            ifGenerationMatch="0",
            headers={"Content-Type": f"multipart/related; boundary={_BOUNDARY}"},
            data=body,
        )

    def _create_in_parts(self, key: str, resource: Mapping[str, str], content: Path | bytes) -> None:
        headers, _ = self._call(
            _CREATE,
            key,
            "POST",
            self._upload_url(),
            self._bucket,
            uploadType="resumable",
            name=resource["name"],
            ifGenerationMatch="0",
            headers={"X-Upload-Content-Type": resource["contentType"]},
            json=resource,
        )
        session = headers["Location"]
        try:
            self._send_parts(key, session, content)
        except BaseException:
            # GCS answers 499 to a cancelled session. Any other answer doesn't matter: the session expires later.
            with contextlib.suppress(Kafka2ParquetError, ObjectExistsError, EmptyObjectError):
                self._call(_CREATE, key, "DELETE", session.replace("&ifGenerationMatch=0", ""))
            raise

    def _send_parts(self, key: str, session: str, content: Path | bytes) -> None:
        """Send the bytes that the store doesn't have yet, until it answers with the object."""
        size = size_of(content)
        start = 0
        while True:
            part = read_part(content, start, self._options.part_size_bytes)
            end = start + len(part)
            span = f"bytes {start}-{end - 1}/{size}" if part else f"bytes */{size}"
            try:
                headers, answer = self._call(_CREATE, key, "PUT", session, headers={"Content-Range": span}, data=_Part(part))
            except BucketNotFoundError as error:
                raise StorageUnavailableError(f"{self._where(key)}: the upload session is gone; starting again.") from error
            persisted = int(headers["Range"].rpartition("-")[2]) + 1 if "Range" in headers else 0
            # gcsfs doesn't return the status. The last answer is the object, and only some stores repeat the range in it.
            # Can be read from the status once gcsfs returns it.
            if answer and persisted in (0, size) and json.loads(answer).get("size") == str(size):
                return
            if persisted <= start:
                raise StorageUnavailableError(f"{self._where(key)}: the store didn't keep the data that was sent.")
            start = persisted

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`. Also returns None if the bucket doesn't exist, because gcsfs raises the same exception."""
        try:
            _, tail = self._call(
                "storage.objects.get",
                key,
                "GET",
                "b/{}/o/{}",
                self._bucket,
                self._root + key,
                alt="media",
                headers={"Range": f"bytes=-{length}"},
            )
        except NoSuchObjectError:
            return None
        except EmptyObjectError:
            return b""
        return bytes(tail)

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`. GCS doesn't have tags, so they become entries of the object's metadata. Other entries stay."""
        try:
            self._call(
                "storage.objects.update",
                key,
                "PATCH",
                "b/{}/o/{}",
                self._bucket,
                self._root + key,
                fields="metadata",
                json={"metadata": dict(tags)},
            )
        except NoSuchObjectError as error:
            raise UsageError(f"{error}: the object to tag doesn't exist.") from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`. One request per thousand keys."""
        return (key for key, _ in self.list_sizes(prefix))

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list_sizes`. One request per thousand keys."""
        token = None
        while True:
            page = self._call(
                _LIST,
                None,
                "GET",
                "b/{}/o",
                self._bucket,
                prefix=self._root + prefix,
                fields="nextPageToken,items(name,size)",
                maxResults="1000",
                pageToken=token,
                json_out=True,
            )
            for item in page.get("items", ()):
                yield item["name"].removeprefix(self._root), int(item["size"])
            token = page.get("nextPageToken")
            if token is None:
                return

    def written_at(self, key: str) -> datetime.datetime | None:
        """See `Store.written_at`. One request."""
        path = self._root + key
        try:
            found = self._call(
                "storage.objects.get", key, "GET", "b/{}/o/{}", self._bucket, path, fields="timeCreated", json_out=True
            )
        except NoSuchObjectError:
            return None
        return datetime.datetime.fromisoformat(found["timeCreated"].replace("Z", "+00:00"))

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        with contextlib.suppress(NoSuchObjectError):
            self._call("storage.objects.delete", key, "DELETE", "b/{}/o/{}", self._bucket, self._root + key)

    def _upload_url(self) -> str:
        base: str = self.filesystem.base
        return base.replace("/storage/v1/", "/upload/storage/v1/") + "b/{}/o"

    def _call(self, right: str, key: str | None, method: str, path: str, *path_arguments: str, **arguments: Any) -> Any:
        """Send one request to the JSON API, within the time limit. The operation needs `right`."""
        if self._options.user_agent is not None:
            arguments["headers"] = {"User-Agent": self._user_agent, **arguments.get("headers", {})}
        try:
            return self.filesystem.call(method, path, *path_arguments, timeout=self._options.request_timeout_s, **arguments)
        except (Kafka2ParquetError, MemoryError):  # the first comes from `_credentials`
            raise
        except Exception as error:
            mapped = map_gcs_error(error, self._where(key), right)
            if isinstance(mapped, NoSuchObjectError) and right in (_CREATE, _LIST):
                mapped = BucketNotFoundError(f"{mapped}. Create the bucket, or correct its name.")
            raise mapped from error

    def _where(self, key: str | None) -> str:
        where = f"gs://{self._bucket}/{self._root}{key or ''}"
        return f"{where} at {self._arguments['endpoint_url']}" if "endpoint_url" in self._arguments else where
