"""Translates errors of s3fs, botocore and S3 to this library's errors.

s3fs turns S3's answers into Python's exceptions and loses details: a 412 may become any `OSError`. So this module reads
botocore's original exception, which s3fs keeps as the cause.
(https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import botocore.exceptions as boto

from kafka2parquet.errors import (
    BucketNotFoundError,
    ConfigurationError,
    GuaranteeError,
    Kafka2ParquetError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError, describe


class NoSuchUploadError(StorageUnavailableError):
    """The multipart upload no longer exists: another process, or a call whose answer was lost, completed or aborted it."""


Mapped = Kafka2ParquetError | ObjectExistsError | NoSuchObjectError | EmptyObjectError


EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})

_AUTHENTICATION_CODES = frozenset(
    {
        "AuthFailure",
        "CredentialsNotSupported",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "MissingSecurityElement",
        "MissingSecurityHeader",
        "NotSignedUp",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "XAdminUserNotFound",  # sent by versitygw
    }
)
_PERMISSION_CODES = frozenset({"AccessDenied", "AccountProblem", "AllAccessDisabled", "InvalidObjectState", "InvalidPayer"})
_TRANSIENT_CODES = frozenset(
    {
        "BadDigest",  # damaged in transit, like the next four
        "IncompleteBody",
        "InvalidDigest",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "RestoreAlreadyInProgress",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})

_AUTHENTICATION_ERRORS = (
    boto.NoCredentialsError,
    boto.NoAuthTokenError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.RefreshWithMFAUnsupportedError,
    boto.UnknownCredentialError,
)
_TRANSIENT_ERRORS = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.ChecksumError,
    boto.FlexibleChecksumError,
    boto.CredentialRetrievalError,  # the service that issues credentials is down
    boto.MetadataRetrievalError,
    boto.CapacityNotAvailableError,
    OSError,  # sockets, name resolution, timeouts of fsspec
    asyncio.TimeoutError,
)


def client_error(error: BaseException) -> boto.ClientError | None:
    """Return S3's answer if it caused `error`."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, boto.ClientError):
        cause = cause.__cause__
    return cause


def error_code(error: boto.ClientError) -> str:
    """Return the code of S3's answer, such as `AccessDenied`; the HTTP status if the answer is empty."""
    return str(error.response.get("Error", {}).get("Code", ""))


def map_s3_error(error: Exception, where: str, right: str, *, renewable: bool = True) -> Mapped:
    """Translate an exception of s3fs.

    Args:
        error: the exception.
        where: object, bucket and endpoint, for the message.
        right: the right that the operation needs.
        renewable: whether expired credentials can be renewed.
    """
    answer = client_error(error)
    if answer is not None:
        asked_sts = getattr(answer, "operation_name", "") == "AssumeRole"
        return _map_answer(answer, where, "sts:AssumeRole on the role" if asked_sts else right, renewable)
    message = f"{where}: {describe(error)}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ConfigurationError(f"{message}. Trust the store's certificate authority (AWS_CA_BUNDLE).")
    if isinstance(error, _AUTHENTICATION_ERRORS):
        return StorageAuthenticationError(f"{message}. Configure credentials, or a profile or role that has them.")
    if isinstance(error, _TRANSIENT_ERRORS) or _is_http_error(error):
        return StorageUnavailableError(message)
    return ConfigurationError(message)


def _map_answer(answer: boto.ClientError, where: str, right: str, renewable: bool) -> Mapped:
    code = error_code(answer)
    metadata = answer.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    text = str(answer.response.get("Error", {}).get("Message", "")).rstrip(".")
    message = f"{where}: {code} ({status}): {text}"
    if status == 412 or code in ("PreconditionFailed", "412"):
        return ObjectExistsError(message)
    if code in EXPIRED_CODES:
        if renewable:
            return StorageUnavailableError(f"{message}. The next request renews the credentials.")
        return StorageAuthenticationError(f"{message}. A fixed session token can't be renewed. Use a profile or a role.")
    if code in ("NoSuchKey", "NoSuchVersion") or (status == 404 and code == "404"):
        return NoSuchObjectError(message)
    if status == 416 or code == "InvalidRange":
        return EmptyObjectError(message)
    if code in ("NoSuchUpload", "InvalidPart"):
        return NoSuchUploadError(message)
    if code == "NoSuchBucket":
        bucket = where.removeprefix("s3://").partition("/")[0]
        return BucketNotFoundError(f"Non-existent S3 bucket: {bucket}. {message}. Create the bucket, or correct its name.")
    if code in ("NotImplemented", "501") or status == 501:
        return GuaranteeError(f"{message}. The store may not know conditional writes (If-None-Match).")
    if code in _AUTHENTICATION_CODES or status == 401:
        return StorageAuthenticationError(f"{message}. Check access key, secret key and this machine's clock.")
    if code in _TRANSIENT_CODES or status in _TRANSIENT_STATUSES or status >= 500:
        return StorageUnavailableError(message, retry_after_s=_retry_after_s(metadata))
    if code in _PERMISSION_CODES or status == 403:
        return StoragePermissionError(f"{message}. Missing right: {right}.")
    if status in (301, 307) or code in ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return ConfigurationError(f"{message}. The bucket is in another region.")
    return ConfigurationError(f"{message}.")


def _retry_after_s(metadata: dict[str, Any]) -> float | None:
    with contextlib.suppress(KeyError, ValueError):
        return float(metadata["HTTPHeaders"]["retry-after"])
    return None


def _is_http_error(error: Exception) -> bool:
    """Return whether the HTTP client raised the error and botocore didn't translate it, such as for a truncated body."""
    return type(error).__module__.partition(".")[0] in ("aiohttp", "httpx", "httpcore", "urllib3")
