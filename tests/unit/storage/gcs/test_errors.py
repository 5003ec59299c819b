"""Errors of gcsfs and Google Cloud Storage become ours."""

from __future__ import annotations

import aiohttp
import google.auth.exceptions
import pytest
import requests
from fsspec.exceptions import FSTimeoutError
from gcsfs.retry import ChecksumError, HttpError, validate_response

from kafka2parquet.errors import (
    ConfigurationError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.storage.gcs.errors import Mapped, map_gcs_error
from kafka2parquet.storage.store import EmptyObjectError, NoSuchObjectError, ObjectExistsError


def mapped(error: Exception) -> Mapped:
    return map_gcs_error(error, "gs://bucket/key", "storage.objects.create")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ConfigurationError),
        (401, StorageAuthenticationError),
        (403, StoragePermissionError),
        (404, NoSuchObjectError),
        (405, ConfigurationError),
        (408, StorageUnavailableError),
        (409, StorageUnavailableError),
        (410, StorageUnavailableError),
        (411, ConfigurationError),
        (412, ObjectExistsError),
        (413, ConfigurationError),
        (416, EmptyObjectError),
        (429, StorageUnavailableError),
        (500, StorageUnavailableError),
        (502, StorageUnavailableError),
        (503, StorageUnavailableError),
        (504, StorageUnavailableError),
    ],
)
def test_maps_statuses_by_the_way_gcsfs_reports_them(status: int, expected: type[Exception]) -> None:
    """Through gcsfs's own check of answers."""
    with pytest.raises(Exception) as raised:
        validate_response(status, b'{"error": {"message": "said so"}}', "path")

    assert expected is type(mapped(raised.value))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (google.auth.exceptions.DefaultCredentialsError("none"), StorageAuthenticationError),
        (google.auth.exceptions.RefreshError("invalid_grant"), StorageAuthenticationError),
        (google.auth.exceptions.RefreshError("later", retryable=True), StorageUnavailableError),
        (google.auth.exceptions.TransportError("down"), StorageUnavailableError),
        (requests.exceptions.ProxyError(), StorageUnavailableError),
        (requests.exceptions.ConnectionError(), StorageUnavailableError),
        (aiohttp.ClientConnectionError("down"), StorageUnavailableError),
        (aiohttp.ClientPayloadError("broke off"), StorageUnavailableError),
        (FSTimeoutError(), StorageUnavailableError),
        (ConnectionResetError(), StorageUnavailableError),
        (ChecksumError("damaged"), StorageUnavailableError),
        (HttpError({"code": 400, "message": "Provided MD5 hash doesn't match"}), StorageUnavailableError),
        (HttpError({"code": "503", "message": "code as text"}), StorageUnavailableError),
        (ValueError("Bad Request: requester pays"), ConfigurationError),
        (ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), ConfigurationError),
    ],
)
def test_maps_other_errors(error: Exception, expected: type[Exception]) -> None:
    """Connections are waited for; credentials and settings are not."""
    assert expected is type(mapped(error))


def test_names_the_missing_right() -> None:
    """The message names the missing right, so that it can be granted."""
    assert "gs://bucket/key: OSError: Forbidden: path no access. Missing right: storage.objects.create." == str(
        mapped(OSError("Forbidden: path\nno access."))
    )
