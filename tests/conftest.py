"""Fixtures for real servers, the order of the files, the report of a missing tool, and Hypothesis's profiles."""

from __future__ import annotations

import collections
import os
from collections.abc import Generator, Iterator
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.stack.gcs import gcs
from tests.stack.install import NotInstalledError
from tests.stack.kafka import kafka
from tests.stack.registry import registry
from tests.stack.s3 import s3
from tests.support.order_of_files import spread

_IN_CI = os.environ.get("CI") == "true"

_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
settings.register_profile("default", max_examples=100, derandomize=_IN_CI, **_COMMON)
settings.register_profile("few", max_examples=10, derandomize=_IN_CI, **_COMMON)
settings.register_profile("nightly", max_examples=20_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Orders the files for several workers; the tests of a file keep their order."""
    if hasattr(config, "workerinput"):
        files: dict[PurePath, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.path.relative_to(config.rootpath), []).append(item)
        items[:] = [item for file in spread([*files]) for item in files[file]]


def _skip_without_tools() -> Generator[None, Any, Any]:
    """Where a server can't be installed, its tests are skipped; in CI that is a failure."""
    try:
        return (yield)
    except NotInstalledError as error:
        if _IN_CI:
            raise
        pytest.skip(f"no server: {error}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """For servers that fixtures start."""
    return (yield from _skip_without_tools())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """For servers that tests start."""
    return (yield from _skip_without_tools())


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Any]:
    """Apache Kafka."""
    with kafka() as server:
        yield server


@pytest.fixture(scope="module")
def proxied_kafka() -> Iterator[Any]:
    """Apache Kafka behind a `KafkaFaultProxy`, for one module to break and to stop."""
    with kafka(proxied=True) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Any]:
    """An S3 server."""
    with s3() as server:
        yield server


@pytest.fixture(scope="module")
def own_s3() -> Iterator[Any]:
    """An S3 server for one module to stop."""
    with s3() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[Any]:
    """An emulator of Google Cloud Storage."""
    with gcs() as server:
        yield server


@pytest.fixture(scope="session")
def registry_server() -> Iterator[Any]:
    """A schema registry."""
    with registry() as server:
        yield server


@pytest.fixture(scope="module")
def own_registry() -> Iterator[Any]:
    """A schema registry for one module to stop."""
    with registry() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tested, and why; `-rs` lists each test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = collections.Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("NOT TESTED")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count} tests: {reason}")
