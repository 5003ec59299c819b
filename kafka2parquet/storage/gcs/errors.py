"""Translates errors of gcsfs and Google Cloud Storage to this library's errors.

gcsfs keeps the HTTP status of most answers in `HttpError.code`. Statuses 404 and 412 have separate exceptions, and 403 is an
`OSError` whose text starts with "Forbidden". Reading that text can go once gcsfs keeps the status of a 403.
(https://cloud.google.com/storage/docs/json_api/v1/status-codes)
"""

from __future__ import annotations

import asyncio

import aiohttp
import google.auth.exceptions
import requests
from gcsfs.retry import ChecksumError, HttpError

from kafka2parquet.errors import (
    ConfigurationError,
    Kafka2ParquetError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError, describe

Mapped = Kafka2ParquetError | ObjectExistsError | NoSuchObjectError | EmptyObjectError

_TRANSIENT_STATUSES = frozenset({408, 409, 410, 425, 429})  # 410: the upload session has ended, so start a new one
_TRANSIENT_ERRORS = (
    aiohttp.ClientError,
    asyncio.TimeoutError,
    ChecksumError,
    google.auth.exceptions.RefreshError,  # only the retryable ones get this far
    google.auth.exceptions.TransportError,
    requests.exceptions.RequestException,
    OSError,  # sockets, name resolution, timeouts of fsspec
)


def map_gcs_error(error: Exception, where: str, right: str) -> Mapped:
    """Translate an exception of gcsfs.

    Args:
        error: the exception.
        where: object, bucket and endpoint, for the message.
        right: the right that the operation needs.
    """
    message = f"{where}: {describe(error)}"
    if isinstance(error, HttpError):
        return _map_answer(error, message, right)
    if isinstance(error, FileExistsError):
        return ObjectExistsError(message)
    if isinstance(error, FileNotFoundError):
        return NoSuchObjectError(message)
    if isinstance(error, PermissionError) or (isinstance(error, OSError) and str(error).startswith("Forbidden")):
        return StoragePermissionError(f"{message}. Missing right: {right}.")
    if isinstance(error, google.auth.exceptions.RefreshError) and not error.retryable:
        return StorageAuthenticationError(f"{message}. The credentials can't be renewed. Use other ones, or log in again.")
    if isinstance(error, _TRANSIENT_ERRORS):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(f"{message}. Trust the store's certificate authority.")
        return StorageUnavailableError(message)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return StorageAuthenticationError(f"{message}. Configure credentials, or run where a service account is attached.")
    return ConfigurationError(f"{message}.")


def _map_answer(error: HttpError, message: str, right: str) -> Mapped:
    status = int(error.code or 0)
    if status == 412:
        return ObjectExistsError(message)
    if status == 416:
        return EmptyObjectError(message)
    if status == 401:
        return StorageAuthenticationError(f"{message}. Check the credentials and this machine's clock.")
    if status == 403:
        return StoragePermissionError(f"{message}. Missing right: {right}.")
    if status in _TRANSIENT_STATUSES or status >= 500 or "MD5" in message:  # MD5: the upload was damaged in transit
        return StorageUnavailableError(message)
    return ConfigurationError(f"{message}.")
