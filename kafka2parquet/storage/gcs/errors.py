"""Errors of gcsfs and Google Cloud Storage, as ours.

gcsfs keeps the HTTP status of most answers in `HttpError.code`; 404 and 412 are exceptions of their own, and 403 is an
`OSError` that says "Forbidden".
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
from kafka2parquet.storage.answers import EmptyObjectError, NoSuchObjectError, ObjectExistsError, describe

Mapped = Kafka2ParquetError | ObjectExistsError | NoSuchObjectError | EmptyObjectError

_TRANSIENT_STATUSES = frozenset({408, 409, 410, 425, 429})  # 410: the upload session has ended, begin again
_TRANSIENT_ERRORS = (
    aiohttp.ClientError,
    asyncio.TimeoutError,
    ChecksumError,
    google.auth.exceptions.RefreshError,  # those that can be tried again
    google.auth.exceptions.TransportError,
    requests.exceptions.RequestException,
    OSError,  # sockets, names that don't resolve, time-outs of fsspec
)


def map_gcs_error(error: Exception, where: str, right: str) -> Mapped:
    """Return our error for one that gcsfs raised.

    Args:
        error: what it raised.
        where: object, bucket and endpoint, for people.
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
        return StoragePermissionError(f"{message}. The right that is missing: {right}.")
    if isinstance(error, google.auth.exceptions.RefreshError) and not error.retryable:
        return StorageAuthenticationError(f"{message}. The credentials can't be renewed: give others, or log in again.")
    if isinstance(error, _TRANSIENT_ERRORS):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(f"{message}. Trust the store's certificate authority.")
        return StorageUnavailableError(message)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return StorageAuthenticationError(f"{message}. Give credentials, or run where a service account is attached.")
    return ConfigurationError(f"{message}.")


def _map_answer(error: HttpError, message: str, right: str) -> Mapped:
    status = int(error.code or 0)
    if status == 412:
        return ObjectExistsError(message)
    if status == 416:
        return EmptyObjectError(message)
    if status == 401:
        return StorageAuthenticationError(f"{message}. Check the credentials, and this machine's clock.")
    if status == 403:
        return StoragePermissionError(f"{message}. The right that is missing: {right}.")
    if status in _TRANSIENT_STATUSES or status >= 500 or "MD5" in message:  # damaged on the way
        return StorageUnavailableError(message)
    return ConfigurationError(f"{message}.")
