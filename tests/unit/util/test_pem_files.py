"""Java's files of keys and certificates."""

from __future__ import annotations

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.pem_files import pem_location

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
    assert ("ssl.truststore.location",) == problem.properties
    assert str(problem).startswith(f"ssl.truststore.location={given['location']} is a JKS file, which Python can't read.")


def test_no_file_is_not_a_problem() -> None:
    """Without a file, the system's certificates count."""
    assert pem_location({f"{_STORE}.location": ""}, _STORE) is None
