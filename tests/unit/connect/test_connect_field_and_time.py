"""Folders by field around folders by time, from a configuration."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.connect import parts
from kafka2parquet.connect.check import describe
from kafka2parquet.connect.parse import load_connect_config, validate
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig
from tests.support.connect_story import STORY
from tests.support.rows import rows_of

_OUTER = "kafka2parquet.partition.field.name"
_PACKAGE = "io.confluent.connect.storage.partitioner"


def _properties(**changes: str) -> dict[str, str]:
    return {**read_properties(STORY).values, **{name.replace("__", "."): text for name, text in changes.items()}}


def _given(fields: str, **changes: str) -> dict[str, str]:
    return {**_properties(**changes), _OUTER: fields}


def test_field_around_time():
    """The fields' folders are the outer ones; the time is that of the partitioner by time."""
    partitioner = parts.make_partitioner(load_connect_config(_given("country,user.kind")))
    rows = rows_of(pa.table({"country": ["FR"], "user": [{"kind": "a"}]}))
    partitioned = partitioner.partition(rows, datetime.datetime.now(datetime.timezone.utc))
    assert ("country=FR/user.kind=a/year=1970/month=01/day=01/hour=00",) == partitioned.rows.encoded_partitions
    assert partitioner.time_based


def test_no_fields():
    """The partitioner by time alone, as in Connect."""
    partitioner = parts.make_partitioner(load_connect_config(_properties()))
    assert "Composite" not in type(partitioner).__name__


def test_other_partitioners_are_refused():
    """For these there is `partition.field.name`."""
    problems = validate(_given("country", partitioner__class=f"{_PACKAGE}.DefaultPartitioner")).problems
    assert [(_OUTER, "partitioner.class")] == [problem.properties for problem in problems]


@pytest.mark.parametrize("fields", ["a..b", "a, .b"])
def test_empty_part(fields):
    """A path has to name a field."""
    (problem,) = validate(_given(fields)).problems
    rule = "Field name cannot contain an empty or whitespace-only path segment."
    assert f"Invalid value {fields} for configuration {_OUTER}: {rule}" == str(problem)


def test_check_shows_the_folders():
    """With an example of a file's name."""
    described = describe(load_connect_config(_given("country")), WorkerConfig(bootstrap_servers="kafka:9092"))
    assert "It lies in a folder by the values of country." in described
    assert "/your-source-topic-name/country=…/year=2026/month=01/day=31/hour=13/your-source" in described
