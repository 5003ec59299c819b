"""Google Cloud Storage, through gcsfs.

An object is created by one request with `ifGenerationMatch=0`: it appears whole or not at all, and only where none stands.
Files larger than a part go up in a resumable session under the same condition; nothing is visible until its last byte has
arrived, and a session that is never ended costs nothing and is forgotten after a week. Each upload names its MD5, so that the
store refuses what was damaged on the way.
(https://cloud.google.com/storage/docs/request-preconditions, https://cloud.google.com/storage/docs/resumable-uploads)

Rights that are needed: `storage.objects.create`, `.get` and `.list`; `.delete` only lets the probe clean up, and `.update` is
for tags.

gcsfs gives credentials, connections, the event loop and repeated requests. Its `pipe_file` isn't used because it doubles the
file in memory, nor are its file handles, because they publish what they hold when a block raises.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from fsspec import AbstractFileSystem
from gcsfs import __version__ as gcsfs_version
from gcsfs.core import GCSFileSystem  # the package's own name is a class that asks each bucket's layout over gRPC first
from google.auth.exceptions import GoogleAuthError

from kafka2parquet.errors import BucketNotFoundError, Kafka2ParquetError, StorageUnavailableError, UsageError
from kafka2parquet.storage.answers import EmptyObjectError, NoSuchObjectError, ObjectExistsError
from kafka2parquet.storage.gcs.credentials import find_credentials
from kafka2parquet.storage.gcs.errors import map_gcs_error
from kafka2parquet.storage.options import GcsOptions
from kafka2parquet.storage.staged_content import base64_md5, content_type, pieces, read_part, size_of

_CREATE = "storage.objects.create"
_LIST = "storage.objects.list"
_BOUNDARY = "kafka2parquet-5f0c8d1be6a74c0f"


class _Body(io.BytesIO):
    """A body that survives being closed after a failed attempt: gcsfs rewinds it for the next one."""

    def close(self) -> None:
        self.seek(0)


class _Part(_Body):
    """A body that is sent once.

    gcsfs and aiohttp repeat a request whose answer is lost. A store may have taken the part, and would have to see that by its
    range: where it doesn't, the object has the part twice.
    """

    _is_sent = False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._is_sent:
            raise StorageUnavailableError("A part of the file was not acknowledged; the upload begins again.")
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
            # Proxies of the environment, or the one that is given.
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
        """The `gcsfs.core.GCSFileSystem`, made at the first call."""
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
        """See `Store.most_segment_bytes`: names have no limit inside."""
        return None

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`. One request for a file of at most one part; else one for each part and one more."""
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
            # GCS answers 499 to this; whatever it answers, the session is forgotten, only later
            with contextlib.suppress(Kafka2ParquetError, ObjectExistsError, EmptyObjectError):
                self._call(_CREATE, key, "DELETE", session.replace("&ifGenerationMatch=0", ""))
            raise

    def _send_parts(self, key: str, session: str, content: Path | bytes) -> None:
        """Send what the store doesn't have yet until it answers with the object."""
        size = size_of(content)
        start = 0
        while True:
            part = read_part(content, start, self._options.part_size_bytes)
            end = start + len(part)
            span = f"bytes {start}-{end - 1}/{size}" if part else f"bytes */{size}"
            try:
                headers, answer = self._call(_CREATE, key, "PUT", session, headers={"Content-Range": span}, data=_Part(part))
            except BucketNotFoundError as error:
                raise StorageUnavailableError(f"{self._where(key)}: the upload session is gone; beginning again.") from error
            persisted = int(headers["Range"].rpartition("-")[2]) + 1 if "Range" in headers else 0
            # The status isn't to be had: the last answer is the object, and only some stores repeat the range in it.
            if answer and persisted in (0, size) and json.loads(answer).get("size") == str(size):
                return
            if persisted <= start:
                raise StorageUnavailableError(f"{self._where(key)}: the store keeps none of what it is sent.")
            start = persisted

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`. None, too, when there is no such bucket: gcsfs can't tell."""
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
        """See `Store.tag`. GCS has no tags: they become metadata of the object, whose other entries stay."""
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
            raise UsageError(f"{error}: there is no object to tag.") from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`. One request for a thousand keys."""
        token = None
        while True:
            page = self._call(
                _LIST,
                None,
                "GET",
                "b/{}/o",
                self._bucket,
                prefix=self._root + prefix,
                fields="nextPageToken,items(name)",
                maxResults="1000",
                pageToken=token,
                json_out=True,
            )
            for item in page.get("items", ()):
                yield item["name"].removeprefix(self._root)
            token = page.get("nextPageToken")
            if token is None:
                return

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        with contextlib.suppress(NoSuchObjectError):
            self._call("storage.objects.delete", key, "DELETE", "b/{}/o/{}", self._bucket, self._root + key)

    def _upload_url(self) -> str:
        base: str = self.filesystem.base
        return base.replace("/storage/v1/", "/upload/storage/v1/") + "b/{}/o"

    def _call(self, right: str, key: str | None, method: str, path: str, *path_arguments: str, **arguments: Any) -> Any:
        """Return one call of the JSON API that needs `right`, within the time limit."""
        if self._options.user_agent is not None:
            arguments["headers"] = {"User-Agent": self._user_agent, **arguments.get("headers", {})}
        try:
            return self.filesystem.call(method, path, *path_arguments, timeout=self._options.request_timeout_s, **arguments)
        except (Kafka2ParquetError, MemoryError):  # the first is about the credentials
            raise
        except Exception as error:
            mapped = map_gcs_error(error, self._where(key), right)
            if isinstance(mapped, NoSuchObjectError) and right in (_CREATE, _LIST):
                mapped = BucketNotFoundError(f"{mapped}. Create the bucket, or correct its name.")
            raise mapped from error

    def _where(self, key: str | None) -> str:
        where = f"gs://{self._bucket}/{self._root}{key or ''}"
        return f"{where} at {self._arguments['endpoint_url']}" if "endpoint_url" in self._arguments else where
