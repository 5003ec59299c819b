"""The names that users import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kafka2parquet
from kafka2parquet import errors

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_public_names_are_sorted() -> None:
    """So that each has its one place."""
    assert sorted(kafka2parquet.__all__) == list(kafka2parquet.__all__)


def test_public_names_are_importable() -> None:
    """All that is promised is there."""
    assert [] == [name for name in kafka2parquet.__all__ if not hasattr(kafka2parquet, name)]


def test_public_names_are_documented() -> None:
    """Each is on the API page, which has all errors and all events as modules, and nothing else is."""
    documented = re.findall(r":: kafka2parquet\.(\w+)$", API_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    shown_as_module = {name for name in kafka2parquet.__all__ if hasattr(errors, name)} | {"__version__"}
    assert sorted(set(kafka2parquet.__all__) - shown_as_module) == sorted(set(documented) - {"errors", "events"})


def test_clients_of_stores_are_imported_late() -> None:
    """They take a second each, and most applications need one of them."""
    code = "import sys, kafka2parquet; print([name for name in ('s3fs', 'gcsfs', 'botocore') if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == finished.stdout.strip()


def test_import_warns_of_nothing() -> None:
    """Applications whose tests make errors of warnings can import it."""
    code = "import kafka2parquet, kafka2parquet.testing"
    finished = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (0, "") == (finished.returncode, finished.stderr)
