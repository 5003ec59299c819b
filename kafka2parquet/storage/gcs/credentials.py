"""Finds credentials for GCS: from a key file, from its JSON, or the application's default; through a proxy if one is set.

Can go once gcsfs itself does three things: raise an error if it finds no credentials, instead of continuing without; refuse a
path to a missing file, instead of using the path as an access token; and request access tokens through the configured proxy.
(https://cloud.google.com/docs/authentication/application-default-credentials)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import google.auth
import google.auth.compute_engine
import google.auth.credentials
import google.oauth2.credentials
import requests
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from kafka2parquet.errors import ConfigurationError

_SCOPE = "https://www.googleapis.com/auth/devstorage.full_control"
#: Values of `token` that gcsfs treats as a way to find credentials, not as a path.
_WORDS = ("anon", "browser", "cache", "cloud", "google_default")


def find_credentials(token: str | Mapping[str, Any] | None, proxy_url: str | None = None) -> object:
    """Convert `token` of `GcsOptions` to the argument `token` of gcsfs.

    May read files and call the machine's metadata server.

    Raises:
        ConfigurationError: the file doesn't exist, or doesn't contain credentials.
        google.auth.exceptions.DefaultCredentialsError: the application has no default credentials.
    """
    if isinstance(token, str) and token in _WORDS:
        return token
    credentials: object
    if token is None:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    elif isinstance(token, str):
        credentials = _from_key(_read(token), token)
    else:
        credentials = _from_key(token, "The JSON text")
    # The metadata server is only reachable from the machine itself, not through a proxy.
    if proxy_url is None or isinstance(credentials, google.auth.compute_engine.Credentials):
        return credentials
    return ProxiedCredentials(credentials, proxy_url)


class ProxiedCredentials(google.auth.credentials.Credentials):
    """Credentials that request their access tokens through a proxy."""

    def __init__(self, credentials: Any, proxy_url: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth claims to be typed but isn't
        self._credentials = credentials
        self._proxy_url = proxy_url

    def refresh(self, request: object) -> None:
        """Request a new access token. Ignores `request`, through which gcsfs would bypass the proxy."""
        with requests.Session() as session:
            session.proxies = {"http": self._proxy_url, "https": self._proxy_url}
            session.trust_env = False
            self._credentials.refresh(Request(session))
        self.token = self._credentials.token
        self.expiry = self._credentials.expiry


def _read(path: str) -> Mapping[str, Any]:
    try:
        key = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{path}: the file with credentials for GCS can't be read: {error.strerror}.") from error
    except ValueError:  # don't chain it: its text might contain parts of the key
        key = None
    if not isinstance(key, dict):
        raise ConfigurationError(f"{path} is not a file with credentials for GCS: it has to contain a JSON object.")
    return key


def _from_key(key: Mapping[str, Any], where: str) -> object:
    kind = key.get("type")
    service: Any = service_account.Credentials
    user: Any = google.oauth2.credentials.Credentials
    try:
        if kind == "service_account":
            return service.from_service_account_info(key, scopes=[_SCOPE])
        if kind == "authorized_user":
            return user.from_authorized_user_info(key)
    except MemoryError:
        raise
    except Exception as error:  # a malformed key may raise any exception of its format's parser
        raise ConfigurationError(
            f"{where} doesn't contain a usable key for GCS: {type(error).__name__}. Use the complete key file from Google."
        ) from None
    raise ConfigurationError(
        f"{where} contains credentials of type {kind!r}, not of service_account or authorized_user. Name a file of another "
        "type in the environment variable GOOGLE_APPLICATION_CREDENTIALS."
    )
