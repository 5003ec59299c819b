"""Faults of the store, as `MemoryStorage` plays them: answers of S3, mapped by the library itself."""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import botocore.exceptions as boto

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.storage.s3.errors import map_s3_error
from kafka2parquet.testing import MemoryStorage
from tests.acceptance.outcome import NotApplicableError

_Call: TypeAlias = Literal["publish", "tag", "read_metadata", "list", "probe"]
#: Calls of the S3 API, by what the library does with them.
_OPERATIONS: Mapping[str, tuple[_Call, str, str]] = {
    "create_upload": ("publish", "CreateMultipartUpload", "s3:PutObject"),
    "upload_part": ("publish", "UploadPart", "s3:PutObject"),
    "complete_upload": ("publish", "CompleteMultipartUpload", "s3:PutObject"),
    "put_object": ("publish", "PutObject", "s3:PutObject"),
    "put_tags": ("tag", "PutObjectTagging", "s3:PutObjectTagging"),
    "get_object": ("read_metadata", "GetObject", "s3:GetObject"),
    "head_object": ("read_metadata", "HeadObject", "s3:GetObject"),
    "list_objects": ("list", "ListObjectsV2", "s3:ListBucket"),
    "head_bucket": ("probe", "PutObject", "s3:PutObject"),
}
#: What S3 says with a status, where the status alone isn't all.
_CODES = {
    301: "PermanentRedirect",
    401: "InvalidAccessKeyId",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}
#: Answers of `HeadBucket` that say that there is a bucket. The library doesn't ask: a write shows whether the bucket exists.
_THERE_IS_A_BUCKET = (200, 301, 307, 403)
_ALWAYS = 1 << 62


def plan(storage: MemoryStorage, fault: Mapping[str, Any], bucket: str) -> None:
    """Lets the next calls fail as the step says.

    Raises:
        NotApplicableError: the library makes no such call, or no error of such an answer.
    """
    operation, response = fault["op"], fault["response"]
    if operation not in _OPERATIONS:
        raise NotApplicableError(f"the library makes no call like {operation}")
    if operation == "head_bucket" and response in _THERE_IS_A_BUCKET:
        return
    ours, api_call, right = _OPERATIONS[operation]
    answer = _answer(response, api_call, "NoSuchBucket" if ours in ("probe", "publish") and response == 404 else None)
    error = map_s3_error(answer, f"s3://{bucket}/{fault.get('match') or ''}", right)
    if not isinstance(error, Kafka2ParquetError):
        raise NotApplicableError(f"to {operation}, the answer {response} is not a failure")
    times = fault.get("times")
    storage.fail(ours, key_part=fault.get("match") or "", times=_ALWAYS if times is None else times, error=error)


def _answer(response: Any, api_call: str, code: str | None) -> Any:
    """Makes what botocore raises for a status, an error code of S3, an error inside a success, or a broken connection."""
    if response in ("connection_reset", "connection_closed"):
        return boto.ConnectionClosedError(endpoint_url="https://s3")
    if response in ("timeout", "read_timeout"):
        return boto.ReadTimeoutError(endpoint_url="https://s3")
    status = response if isinstance(response, int) else response.get("status", 400) if isinstance(response, dict) else 400
    if isinstance(response, dict):
        code = response.get("body_error")
    elif isinstance(response, str):
        code = response
    known = code or _CODES.get(status) or http.HTTPStatus(status).phrase.replace(" ", "")
    return boto.ClientError(
        {
            "Error": {"Code": known, "Message": "as the case says"},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
        },
        api_call,
    )
