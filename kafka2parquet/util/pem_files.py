"""Finds the PEM files in the settings of Java clients. Python can't read Java's other formats for keys and certificates."""

from __future__ import annotations

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
            f"{store}.location",
            f"{store}.location={location} is a {form} file, which Python can't read",
            f"Convert it to PEM (keytool -importkeystore to PKCS12, then openssl pkcs12) and set {store}.type=PEM.",
        )
    )
