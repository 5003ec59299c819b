"""Configurations after what people publish: which of them run, and why the others don't."""

from __future__ import annotations

import pytest

from kafka2parquet.connect.build import load_for_worker
from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError
from tests.configurations.expected import FILES, REFUSED, RUN, Configuration


def described(configuration: Configuration) -> str:
    worker = load_worker_config(configuration.worker_path, missing_allowed=True)
    config = load_for_worker(configuration.path, worker, name=configuration.given_name, missing_allowed=True)
    return describe(config, worker).text


@pytest.mark.parametrize("configuration", RUN, ids=str)
def test_those_that_run(configuration: Configuration) -> None:
    """Each configuration makes the expected sink; missing things that a run needs are notes."""
    said = described(configuration)

    assert f"{configuration.name}: from Kafka to {configuration.destination}" == said.splitlines()[0]
    assert f" {configuration.topics}" in said
    assert f"the consumer group connect-{configuration.name}." in said
    assert configuration.secrets == said.count("`run` needs it")


@pytest.mark.parametrize("configuration", REFUSED, ids=str)
def test_those_that_do_not_run(configuration: Configuration) -> None:
    """The error lists all reasons."""
    with pytest.raises(ConfigurationError) as caught:
        described(configuration)
    missing = [part for part in configuration.refused if not any(part in problem for problem in caught.value.problems)]

    assert [] == missing
    if len(configuration.refused) > 1:
        assert len(configuration.refused) == len(caught.value.problems)


def test_all_files_are_tried() -> None:
    """Each file has an expectation, and each expectation has a file."""
    expected = {name for item in (*RUN, *REFUSED) for name in (item.file, item.worker) if name}

    assert expected == {path.name for path in FILES.iterdir()}
