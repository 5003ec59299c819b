"""Java's files of keys and certificates."""

from __future__ import annotations

import pytest

from kafka2parquet.util.pem_files import pem_location

_STORE = "ssl.truststore"


@pytest.mark.parametrize(
    "given",
    [{"location": "/ca.pem"}, {"location": "/ca.CRT"}, {"location": "/ca.cer"}, {"location": "/ca.store", "type": "pem"}],
)
def test_a_pem_file_can_be_read(given: dict[str, str]) -> None:
    """By its name, or by what is said of it."""
    problems: list[str] = []
    location = pem_location({f"{_STORE}.{name}": text for name, text in given.items()}, _STORE, problems)
    assert (given["location"], []) == (location, problems)


@pytest.mark.parametrize("given", [{"location": "/ca.jks"}, {"location": "/ca.pem", "type": "JKS"}])
def test_another_file_is_a_problem(given: dict[str, str]) -> None:
    """Which is told with what to do."""
    problems: list[str] = []
    location = pem_location({f"{_STORE}.{name}": text for name, text in given.items()}, _STORE, problems)
    assert (None, 1) == (location, len(problems))
    assert problems[0].startswith(f"ssl.truststore.location={given['location']} is a JKS file, which Python can't read.")


def test_no_file_is_no_problem() -> None:
    """Then the system's certificates count."""
    problems: list[str] = []
    assert (None, []) == (pem_location({f"{_STORE}.location": ""}, _STORE, problems), problems)
