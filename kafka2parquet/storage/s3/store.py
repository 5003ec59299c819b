"""Amazon S3 and compatible stores, through s3fs.

An object is created by one PutObject with `If-None-Match: *`, so it appears whole or not at all, and only where none stands.
Files larger than a part go up as a multipart upload whose CompleteMultipartUpload carries the same condition; until then
nothing is visible, and whatever fails ends in an AbortMultipartUpload. A process that dies in the middle leaves its parts
behind, invisible but paid for: give the bucket a lifecycle rule with `AbortIncompleteMultipartUpload`.
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)

Rights that are needed: `s3:PutObject`, `s3:GetObject` and `s3:AbortMultipartUpload` on the objects, `s3:ListBucket` on the
bucket. `s3:DeleteObject` only lets the probe clean up, and `s3:PutObjectTagging` is for tags.

s3fs gives credentials, connections and the event loop. Its file handles aren't used, because they publish what they hold when
a block raises; nor are its `pipe_file` and `put_file`, which abort while parts are still on their way.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from kafka2parquet.errors import StorageUnavailableError, UsageError
from kafka2parquet.object_names import MOST_SEGMENT_BYTES
from kafka2parquet.storage.answers import EmptyObjectError, NoSuchObjectError, ObjectExistsError
from kafka2parquet.storage.options import S3Options
from kafka2parquet.storage.s3.errors import EXPIRED_CODES, NoSuchUploadError, client_error, error_code, map_s3_error
from kafka2parquet.storage.s3.role import CREDENTIAL_ARGUMENTS, role_session
from kafka2parquet.storage.staged_content import base64_md5, content_type, read_part, size_of

_MOST_PARTS = 10_000

_RIGHTS = {
    "put_object": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "get_object": "s3:GetObject, or s3:ListBucket, without which S3 calls a missing object forbidden",
    "list_objects_v2": "s3:ListBucket",
    "delete_object": "s3:DeleteObject",
    "put_object_tagging": "s3:PutObjectTagging",
}


_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


class S3Store:
    """A `Store` in a bucket."""

    def __init__(self, bucket: str, root: str, options: S3Options, storage_options: Mapping[str, Any]) -> None:
        self._bucket = bucket
        self._root = f"{root}/" if root else ""
        self._options = options
        self._arguments = filesystem_arguments(options, storage_options)
        self._endpoint_url = self._arguments.get("endpoint_url")
        self._lock = threading.Lock()
        self._connected: AbstractFileSystem | None = None
        self._unaborted: list[tuple[str, str]] = []

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The `s3fs.S3FileSystem`; made at the first call, and anew after its credentials have expired."""
        with self._lock:
            if self._connected is None:
                self._connected = fsspec.filesystem("s3", **self._arguments, **self._role_arguments())
                self._connected.retries = 1  # botocore makes a second attempt, and the engine all others
            return self._connected

    def _role_arguments(self) -> dict[str, Any]:
        """Return a session of its own for each connection, so that credentials that were refused are asked for anew."""
        role = self._options.role
        return {} if role is None else {"session": role_session(role, self._options)}

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`."""
        return len(self._root.encode())

    @property
    def most_segment_bytes(self) -> int | None:
        """See `Store.most_segment_bytes`: Amazon has no limit, and compatible stores may keep objects as files."""
        is_amazon = self._endpoint_url is None and not any(name in os.environ for name in _ENDPOINT_VARIABLES)
        return None if is_amazon else MOST_SEGMENT_BYTES

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`. One request for a file of at most one part; else one for each part and two more."""
        self._abort_failed_uploads()
        size = size_of(content)
        try:
            if size > self._options.part_size_bytes or in_parts:
                self._create_in_parts(key, content, size)
            else:
                self._send("put_object", key, read_part(content, 0, size), ContentType=content_type(key), IfNoneMatch="*")
        except ObjectExistsError:
            return False
        except NoSuchObjectError as error:  # a conflicting request, of which some stores say it so
            raise StorageUnavailableError(str(error)) from error
        return True

    def _create_in_parts(self, key: str, content: Path | bytes, size: int) -> None:
        upload = self._call("create_multipart_upload", key, ContentType=content_type(key))["UploadId"]
        try:
            part_size = max(self._options.part_size_bytes, math.ceil(size / _MOST_PARTS))
            parts = []
            for number, start in enumerate(range(0, size, part_size), start=1):
                body = read_part(content, start, part_size)
                part = self._send("upload_part", key, body, UploadId=upload, PartNumber=number)
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
            parts_list = {"Parts": parts}
            self._call("complete_multipart_upload", key, UploadId=upload, MultipartUpload=parts_list, IfNoneMatch="*")
        except BaseException:
            self._unaborted.append((key, upload))
            self._abort_failed_uploads()
            raise

    def _abort_failed_uploads(self) -> None:
        """Abort what has failed; what can't be aborted while the store is down is tried again with the next file."""
        while self._unaborted:
            try:
                key, upload = self._unaborted.pop()
            except IndexError:  # another thread took the last one
                return
            try:
                self._call("abort_multipart_upload", key, UploadId=upload)
            except NoSuchUploadError:  # completed, and only the answer was lost
                continue
            except StorageUnavailableError:
                self._unaborted.append((key, upload))
                return

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`."""
        path = f"{self._bucket}/{self._root}{key}"
        try:
            with self._mapped("get_object", key):
                tail: bytes = self.filesystem.cat_file(path, start=-length, timeout=self._options.request_timeout_s)
        except NoSuchObjectError:
            return None
        except EmptyObjectError:
            return b""
        return tail

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`. The object's tags are replaced by these, with one request."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        try:
            self._call("put_object_tagging", key, Tagging={"TagSet": tag_set})
        except NoSuchObjectError as error:
            raise UsageError(f"{error}: there is no object to tag.") from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`. One request for a thousand keys."""
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", None, Prefix=self._root + prefix, **token)
            for item in page.get("Contents", ()):
                yield item["Key"].removeprefix(self._root)
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        self._call("delete_object", key)

    def _send(self, operation: str, key: str, body: bytes, **arguments: Any) -> Any:
        """A call with a body, whose checksum the store verifies: botocore's on AWS, elsewhere the one all stores know."""
        if self._endpoint_url is not None:
            arguments["ContentMD5"] = base64_md5(body)
        return self._call(operation, key, Body=body, **arguments)

    def _call(self, operation: str, key: str | None, **arguments: Any) -> Any:
        """Return one call of the S3 API, within the time limit."""
        if key is not None:
            arguments["Key"] = self._root + key
        with self._mapped(operation, key):
            return self.filesystem.call_s3(operation, Bucket=self._bucket, timeout=self._options.request_timeout_s, **arguments)

    @contextlib.contextmanager
    def _mapped(self, operation: str, key: str | None) -> Iterator[None]:
        """Raise our error instead of one of s3fs; after expired credentials the next call connects anew."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            answer = client_error(error)
            if answer is not None and error_code(answer) in EXPIRED_CODES:
                with self._lock:
                    self._connected = None
            where = f"s3://{self._bucket}/{self._root}{key or ''}"
            if self._endpoint_url is not None:
                where += f" at {self._endpoint_url}"
            renewable = self._arguments.get("token") is None
            raise map_s3_error(error, where, _RIGHTS[operation], renewable=renewable) from error


def filesystem_arguments(options: S3Options, storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `s3fs.S3FileSystem`: ours, over them the application's, and for compatible stores no checksums of AWS.

    Since 2025 botocore adds checksums as a trailer of the body, which many compatible stores refuse.
    """
    arguments: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False, **options.to_fsspec()}
    if options.role is not None:
        arguments = {name: value for name, value in arguments.items() if name not in CREDENTIAL_ARGUMENTS}
    for name, value in storage_options.items():
        ours = arguments.get(name)
        arguments[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, dict) else value
    endpoint_url = arguments.get("client_kwargs", {}).get("endpoint_url", arguments.get("endpoint_url"))
    if endpoint_url is not None:
        arguments["endpoint_url"] = endpoint_url
        arguments["config_kwargs"] = {
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            **arguments["config_kwargs"],
        }
    return arguments
