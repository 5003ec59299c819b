"""Java's files of keys and certificates, of which Python can read only those in the form PEM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

_PEM_SUFFIXES = (".pem", ".crt", ".cer")


def pem_location(given: Mapping[str, str], store: str, problems: list[str]) -> str | None:
    """Return the PEM file of a store; None where none is named, or one of another form.

    Args:
        given: settings of a Java client.
        store: what the names of its settings begin with, such as `ssl.truststore`.
        problems: a list that gets what is wrong.
    """
    location = given.get(f"{store}.location")
    if not location:
        return None
    form = given.get(f"{store}.type", "PEM" if PurePath(location).suffix.lower() in _PEM_SUFFIXES else "JKS")
    if form.upper() == "PEM":
        return location
    problems.append(
        f"{store}.location={location} is a {form} file, which Python can't read. Convert it to PEM (keytool -importkeystore to "
        f"PKCS12, then openssl pkcs12) and set {store}.type=PEM."
    )
    return None
