"""Errors of S3, botocore and s3fs become ours."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import botocore.exceptions as boto
import pytest
from fsspec.exceptions import FSTimeoutError
from s3fs.errors import ERROR_CODE_TO_EXCEPTION, translate_boto_error

from kafka2parquet.errors import (
    BucketNotFoundError,
    ConfigurationError,
    GuaranteeError,
    Kafka2ParquetError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.storage.s3.errors import Mapped, NoSuchUploadError, map_s3_error
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError


def answer(code: str, status: int, headers: dict[str, str] | None = None) -> boto.ClientError:
    return boto.ClientError(
        {
            "Error": {"Code": code, "Message": "said so."},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
        },
        "PutObject",
    )


def mapped(error: Exception, **options: Any) -> Mapped:
    return map_s3_error(error, "s3://bucket/key", "s3:PutObject", **options)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("PreconditionFailed", 412, ObjectExistsError),
        ("412", 412, ObjectExistsError),
        ("SomethingNew", 412, ObjectExistsError),
        ("ConditionalRequestConflict", 409, StorageUnavailableError),
        ("OperationAborted", 409, StorageUnavailableError),
        ("SlowDown", 503, StorageUnavailableError),
        ("InternalError", 500, StorageUnavailableError),
        ("InternalError", 200, StorageUnavailableError),  # inside the body of an answer that began well
        ("RequestTimeout", 400, StorageUnavailableError),
        ("BadDigest", 400, StorageUnavailableError),
        ("TooManyRequests", 429, StorageUnavailableError),
        ("SomethingNew", 502, StorageUnavailableError),
        ("ExpiredToken", 400, StorageUnavailableError),
        ("NoSuchUpload", 404, NoSuchUploadError),
        ("NoSuchKey", 404, NoSuchObjectError),
        ("404", 404, NoSuchObjectError),
        ("InvalidRange", 416, EmptyObjectError),
        ("AccessDenied", 403, StoragePermissionError),
        ("403", 403, StoragePermissionError),
        ("InvalidAccessKeyId", 403, StorageAuthenticationError),
        ("SignatureDoesNotMatch", 403, StorageAuthenticationError),
        ("RequestTimeTooSkewed", 403, StorageAuthenticationError),
        ("SomethingNew", 401, StorageAuthenticationError),
        ("NoSuchBucket", 404, BucketNotFoundError),
        ("PermanentRedirect", 301, ConfigurationError),
        ("InvalidRequest", 400, ConfigurationError),
        ("NotImplemented", 501, GuaranteeError),
    ],
)
def test_maps_the_answers_of_s3(code: str, status: int, expected: type[Exception]) -> None:
    """Answers are mapped by code and status, whatever Python exception s3fs raises for them."""
    error = translate_boto_error(answer(code, status))

    assert expected is type(mapped(error))


@pytest.mark.parametrize("code", sorted(ERROR_CODE_TO_EXCEPTION))
def test_every_code_that_s3fs_knows_becomes_an_error_of_ours(code: str) -> None:
    """Each code becomes one of this library's errors, with the code and the object in the message."""
    error = mapped(answer(code, int(code) if code.isdigit() else 400))

    assert isinstance(error, Kafka2ParquetError | ObjectExistsError | NoSuchObjectError | EmptyObjectError)
    assert (True, True) == (code in str(error), "s3://bucket/key" in str(error))


WAIT = {
    "HTTPClientError",
    "ConnectionClosedError",
    "ReadTimeoutError",
    "ResponseStreamingError",
    "ConnectionError",
    "EndpointConnectionError",
    "SSLError",
    "ConnectTimeoutError",
    "ProxyConnectionError",
    "IncompleteReadError",
    "ChecksumError",
    "FlexibleChecksumError",
    "CredentialRetrievalError",
    "MetadataRetrievalError",
    "CapacityNotAvailableError",
}
LOG_IN = {
    "NoCredentialsError",
    "NoAuthTokenError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "TokenRetrievalError",
    "RefreshWithMFAUnsupportedError",
    "UnknownCredentialError",
}


def subclasses(parent: type[Exception]) -> list[type[Exception]]:
    children: list[type[Exception]] = [child for child in parent.__subclasses__() if child.__module__ == parent.__module__]
    return [each for child in children for each in (child, *subclasses(child))]


OF_BOTOCORE = sorted(set(subclasses(boto.BotoCoreError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", OF_BOTOCORE)
def test_every_error_of_botocore_is_waited_for_or_reported(kind: type[Exception]) -> None:
    """Connections are waited for, credentials asked for; all others are faults of the settings."""
    error = kind.__new__(kind)
    error.args = ("text",)
    expected: type[Kafka2ParquetError] = ConfigurationError
    if kind.__name__ in WAIT:
        expected = StorageUnavailableError
    elif kind.__name__ in LOG_IN:
        expected = StorageAuthenticationError

    assert expected is type(mapped(error))


@pytest.mark.parametrize(
    "error",
    [
        FSTimeoutError(),
        asyncio.TimeoutError(),
        aiohttp.ClientPayloadError("broke off"),
        ConnectionResetError("by peer"),
        OSError(5, "of s3fs, without an answer"),
    ],
)
def test_errors_of_the_network_are_waited_for(error: Exception) -> None:
    """A network error is temporary, whichever library raises it."""
    assert StorageUnavailableError is type(mapped(error))


def test_a_certificate_that_nobody_trusts_is_not_waited_for() -> None:
    """An untrusted certificate is an error in the settings, because waiting doesn't help."""
    error = boto.SSLError(endpoint_url="https://x", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")

    assert ConfigurationError is type(mapped(error))


def test_a_fixed_session_token_does_not_come_back() -> None:
    """An expired session token from the options is an error, because it can't be renewed."""
    assert StorageAuthenticationError is type(mapped(answer("ExpiredToken", 400), renewable=False))


def test_keeps_how_long_the_store_wants_to_be_left_alone() -> None:
    """The error keeps the store's Retry-After if it is in seconds."""
    waits = []
    for headers in ({"retry-after": "7"}, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}):
        error = mapped(answer("SlowDown", 503, headers))
        assert isinstance(error, StorageUnavailableError)
        waits.append(error.retry_after_s)

    assert [7.0, None, None] == waits


def test_names_the_missing_right() -> None:
    """The message names the missing right, so that it can be granted."""
    assert "s3://bucket/key: AccessDenied (403): said so. Missing right: s3:PutObject." == str(
        mapped(answer("AccessDenied", 403))
    )


def test_names_the_bucket_that_is_missing() -> None:
    """The message about a missing bucket has the words of Kafka Connect's sink, which people search for."""
    expected = (
        "Non-existent S3 bucket: bucket. s3://bucket/key: NoSuchBucket (404): said so. Create the bucket, or correct its name."
    )
    assert expected == str(mapped(answer("NoSuchBucket", 404)))
