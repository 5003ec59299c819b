"""Amazon S3 and compatible stores, through s3fs.

One PutObject with `If-None-Match: *` creates an object. The object appears whole or not at all, and only if the key is free.
Files larger than a part are uploaded as a multipart upload. Its CompleteMultipartUpload carries the same condition, and nothing
is visible before. A failed upload is aborted. A process that dies during an upload leaves parts behind, which are invisible but
paid for. So give the bucket a lifecycle rule with `AbortIncompleteMultipartUpload`.
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)

Required rights: `s3:PutObject`, `s3:GetObject` and `s3:AbortMultipartUpload` on the objects, `s3:ListBucket` on the bucket.
With `s3:DeleteObject` the probe can clean up, and `s3:PutObjectTagging` is for tags.

s3fs provides credentials, connections and the event loop. Two of its ways to write are not used. File handles publish partial
data when their block raises; they can be used once fsspec discards the data instead. `pipe_file` and `put_file` abort an upload
while parts are still in flight, which may leave parts behind (see fsspec/s3fs#419); they can be used once they wait.
"""

from __future__ import annotations

import contextlib
import datetime
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
from kafka2parquet.storage.options import S3Options
from kafka2parquet.storage.s3.errors import EXPIRED_CODES, NoSuchUploadError, client_error, error_code, map_s3_error
from kafka2parquet.storage.s3.role import CREDENTIAL_ARGUMENTS, role_session
from kafka2parquet.storage.staged_content import base64_md5, content_type, read_part, size_of
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError

_MOST_PARTS = 10_000

_RIGHTS = {
    "put_object": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "get_object": "s3:GetObject, or s3:ListBucket, without which S3 reports a missing object as forbidden",
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
        """The `s3fs.S3FileSystem`, created at the first access, and again after its credentials have expired."""
        with self._lock:
            if self._connected is None:
                self._connected = fsspec.filesystem("s3", **self._arguments, **self._role_arguments())
                self._connected.retries = 1  # botocore makes a second attempt, and the engine makes all others
            return self._connected

    def _role_arguments(self) -> dict[str, Any]:
        """Return the arguments for assuming the role. Each call makes a new session, which replaces refused credentials."""
        role = self._options.role
        return {} if role is None else {"session": role_session(role, self._options)}

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`."""
        return len(self._root.encode())

    @property
    def most_segment_bytes(self) -> int | None:
        """See `Store.most_segment_bytes`. Amazon doesn't limit segments, but compatible stores may keep objects as files."""
        is_amazon = self._endpoint_url is None and not any(name in os.environ for name in _ENDPOINT_VARIABLES)
        return None if is_amazon else MOST_SEGMENT_BYTES

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`. One request for a file of at most one part; otherwise one request per part and two more."""
        self._abort_failed_uploads()
        size = size_of(content)
        try:
            if size > self._options.part_size_bytes or in_parts:
                self._create_in_parts(key, content, size)
            else:
                self._send("put_object", key, read_part(content, 0, size), ContentType=content_type(key), IfNoneMatch="*")
        except ObjectExistsError:
            return False
        except NoSuchObjectError as error:  # some stores answer a conflicting request like this
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
        """Abort failed uploads. If the store is down, the next file's upload tries again."""
        while self._unaborted:
            try:
                key, upload = self._unaborted.pop()
            except IndexError:  # another thread took the last upload
                return
            try:
                self._call("abort_multipart_upload", key, UploadId=upload)
            except NoSuchUploadError:  # the upload was completed, and only the answer was lost
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
        """See `Store.tag`. Replaces all of the object's tags, with one request."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        try:
            self._call("put_object_tagging", key, Tagging={"TagSet": tag_set})
        except NoSuchObjectError as error:
            raise UsageError(f"{error}: the object to tag doesn't exist.") from error

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`. One request per thousand keys."""
        return (key for key, _ in self.list_sizes(prefix))

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list_sizes`. One request per thousand keys."""
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", None, Prefix=self._root + prefix, **token)
            for item in page.get("Contents", ()):
                yield item["Key"].removeprefix(self._root), item["Size"]
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def written_at(self, key: str) -> datetime.datetime | None:
        """See `Store.written_at`. One request, a listing, because its answers are never cached."""
        page = self._call("list_objects_v2", None, Prefix=self._root + key, MaxKeys=1)
        return next((item["LastModified"] for item in page.get("Contents", ()) if item["Key"] == self._root + key), None)

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        self._call("delete_object", key)

    def _send(self, operation: str, key: str, body: bytes, **arguments: Any) -> Any:
        """Call S3 with a body. The store verifies the body's checksum: botocore's choice on AWS, MD5 on compatible stores."""
        if self._endpoint_url is not None:
            arguments["ContentMD5"] = base64_md5(body)
        return self._call(operation, key, Body=body, **arguments)

    def _call(self, operation: str, key: str | None, **arguments: Any) -> Any:
        """Call the S3 API once, within the time limit."""
        if key is not None:
            arguments["Key"] = self._root + key
        with self._mapped(operation, key):
            return self.filesystem.call_s3(operation, Bucket=self._bucket, timeout=self._options.request_timeout_s, **arguments)

    @contextlib.contextmanager
    def _mapped(self, operation: str, key: str | None) -> Iterator[None]:
        """Translate exceptions of s3fs. After expired credentials the next call connects again."""
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
    """Return the arguments of `s3fs.S3FileSystem`. The application's `storage_options` override this library's arguments.

    For compatible stores, AWS's newer checksums are switched off. Since version 1.36 botocore sends them as a trailer of the
    body, which many compatible stores refuse (boto/boto3#4392). Can go once these stores accept the trailer.
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
