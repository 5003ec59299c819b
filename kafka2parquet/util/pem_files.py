"""Finds the PEM files in the settings of Java clients, and loads them once to find bad files early.

Python can't read Java's other formats for keys and certificates.
"""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Mapping
from pathlib import PurePath

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem

_PEM_SUFFIXES = (".pem", ".crt", ".cer")


def pem_location(given: Mapping[str, str], store: str) -> str | None:
    """Return the PEM file of a store; None if the settings don't name one.

    Args:
        given: settings of a Java client.
        store: the prefix of the names of the store's settings, such as `ssl.truststore`.

    Raises:
        ConfigurationError: the file has another form.
    """
    location = given.get(f"{store}.location")
    if not location:
        return None
    form = given.get(f"{store}.type", "PEM" if PurePath(location).suffix.lower() in _PEM_SUFFIXES else "JKS")
    if form.upper() == "PEM":
        return location
    raise ConfigurationError(
        Problem(
            (f"{store}.location", f"{store}.type"),
            f"{store}.location={location} is a {form} file, which Python can't read",
            f"Convert it with {_conversion(store, location, form)}, set {store}.location to the new file, and"
            f" {store}.type=PEM.",
        )
    )


def load_authorities(file: str) -> None:
    """Load a file of certificates that are trusted, or of revoked ones.

    Raises:
        OSError: the file can't be read, or has other content.
    """
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)


def load_certificates(file: str, key_file: str | None = None, password: str | None = None) -> None:
    """Load a file of the client's own certificates, with the private key in it or in a separate file.

    Raises:
        OSError: a file can't be read, or has other content.
        ValueError: the private key is encrypted, and there is no password.
    """
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(file, key_file, password or _no_password)


def _no_password() -> str:
    """Refuse to ask for a password. Without this callback OpenSSL would prompt for one at the terminal."""
    raise ValueError("the private key is encrypted, and no password is set")


def _conversion(store: str, location: str, form: str) -> str:
    """Return the commands that make a PEM file of a store."""
    path = PurePath(location)
    old, pkcs12, pem = (shlex.quote(str(each)) for each in (path, path.with_suffix(".p12"), path.with_suffix(".pem")))
    if store.endswith("truststore"):
        return f"`keytool -list -rfc -keystore {old} > {pem}`"
    if form.upper() == "PKCS12":
        return f"`openssl pkcs12 -in {old} -out {pem}`"
    return (
        f"`keytool -importkeystore -srckeystore {old} -destkeystore {pkcs12} -deststoretype PKCS12` and"
        f" `openssl pkcs12 -in {pkcs12} -out {pem}`"
    )
