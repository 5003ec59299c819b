"""The fixtures for pytest work in a separate test session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
USER_TEST = """
from kafka2parquet.testing import EmbeddedBroker, MemoryKafka

def test_broker(kafka2parquet_broker):
    kafka2parquet_broker.create_topic("events")
    assert kafka2parquet_broker.bootstrap.startswith("127.0.0.1:")
    assert isinstance(kafka2parquet_broker, EmbeddedBroker)

def test_memory(memory_kafka):
    assert isinstance(memory_kafka, MemoryKafka)
"""


def _python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_fixtures(tmp_path: Path) -> None:
    """The fixtures give a started broker, and topics in memory."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["kafka2parquet.testing.fixtures"]')
    (tmp_path / "test_of_a_user.py").write_text(USER_TEST)
    finished = _python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert "2 passed" in finished.stdout, finished.stdout
