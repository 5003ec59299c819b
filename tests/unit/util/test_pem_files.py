"""Java's files of keys and certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.pem_files import load_authorities, load_certificates, pem_location

_STORE = "ssl.truststore"


@pytest.mark.parametrize(
    "given",
    [{"location": "/ca.pem"}, {"location": "/ca.CRT"}, {"location": "/ca.cer"}, {"location": "/ca.store", "type": "pem"}],
)
def test_a_pem_file_can_be_read(given: dict[str, str]) -> None:
    """The suffix of the file or the store's type says that it is PEM."""
    assert given["location"] == pem_location({f"{_STORE}.{name}": text for name, text in given.items()}, _STORE)


@pytest.mark.parametrize("given", [{"location": "/ca.jks"}, {"location": "/ca.pem", "type": "JKS"}])
def test_another_file_is_a_problem(given: dict[str, str]) -> None:
    """A file of another form raises an error, which names the property and says what to do."""
    with pytest.raises(ConfigurationError) as raised:
        pem_location({f"{_STORE}.{name}": text for name, text in given.items()}, _STORE)
    (problem,) = raised.value.details
    assert ("ssl.truststore.location", "ssl.truststore.type") == problem.properties
    assert str(problem).startswith(f"ssl.truststore.location={given['location']} is a JKS file, which Python can't read.")


def test_no_file_is_not_a_problem() -> None:
    """Without a file, the system's certificates count."""
    assert pem_location({f"{_STORE}.location": ""}, _STORE) is None


@pytest.mark.parametrize(
    ("store", "location", "form", "commands"),
    [
        ("ssl.truststore", "/my ca.jks", None, "`keytool -list -rfc -keystore '/my ca.jks' > '/my ca.pem'`, set"),
        ("ssl.truststore", "/ca.p12", "PKCS12", "`keytool -list -rfc -keystore /ca.p12 > /ca.pem`, set"),
        ("ssl.keystore", "/me.jks", None, "`keytool -importkeystore -srckeystore /me.jks -destkeystore /me.p12 -deststoretype "
         "PKCS12` and `openssl pkcs12 -in /me.p12 -out /me.pem`, set"),
        ("ssl.keystore", "/me.p12", "PKCS12", "Convert it with `openssl pkcs12 -in /me.p12 -out /me.pem`, set"),
    ],
)  # fmt: skip
def test_advice_has_commands(store: str, location: str, form: str | None, commands: str) -> None:
    """The advice is a command for the store and the format, and the properties to set afterwards."""
    given = {f"{store}.location": location} | ({} if form is None else {f"{store}.type": form})
    with pytest.raises(ConfigurationError) as raised:
        pem_location(given, store)
    (problem,) = raised.value.details
    assert commands in problem.advice
    assert problem.advice.endswith(f", set {store}.location to the new file, and {store}.type=PEM.")


def test_a_bad_file_cannot_be_loaded(tmp_path: Path) -> None:
    """A file that is missing, or has other content, raises an OSError; no password is asked for at the terminal."""
    file = tmp_path / "a.pem"
    for load in (load_authorities, load_certificates):
        with pytest.raises(FileNotFoundError):
            load(str(file))
    file.write_text("not a certificate")
    for load in (load_authorities, load_certificates):
        with pytest.raises(OSError, match=r"PEM|NO_CERTIFICATE"):
            load(str(file))
