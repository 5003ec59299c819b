"""Code as users write it passes their type checkers: parts and tasks in `tests/user_code`, and the examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.user_code.tasks import minio, rows_in_memory

ROOT = Path(__file__).parents[2]
MODULES = [
    f"{folder.replace('/', '.')}.{path.stem}"
    for folder in ("tests/user_code", "examples")
    for path in (ROOT / folder).glob("*.py")
    if path.stem != "notebook"  # marimo gives its cells no annotations
]


def _check(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_mypy_accepts_code_of_users() -> None:
    """Mypy doesn't report anything in strict mode."""
    assert len(MODULES) > 6
    _check("mypy", *(argument for module in MODULES for argument in ("-m", module)))


@pytest.mark.timeout(900)
def test_pyright_accepts_code_of_users() -> None:
    """Pyright doesn't report anything in its standard mode."""
    pytest.importorskip("basedpyright")
    _check("basedpyright", "--pythonpath", sys.executable, "--project", "tests/user_code/pyrightconfig.json")


def test_parts_of_users_run() -> None:
    """A task in memory runs with a user's converter, transform, partitioner, rotation policy and hook."""
    result, metrics, storage = rows_in_memory()
    assert (2, 2, []) == (result.committed_rows, metrics.files, metrics.reasons)
    rows = [row for key in sorted(storage.published) for row in storage.rows(key)]
    assert [("FR", "eu"), ("SE", "eu")] == [(row["country"], row["region"]) for row in rows]


def test_storage_for_minio_is_built_without_connecting() -> None:
    """S3 options make a storage without a connection, and its repr doesn't contain secrets."""
    storage = minio("http://localhost:9000", "reader", "swordfish")
    assert "s3://events/topics" == storage.url
    assert "swordfish" not in repr(storage)
