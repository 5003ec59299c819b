"""Folders by field around folders by time, from a configuration."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.parts import files_and_rotation
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


def test_field_around_time() -> None:
    """The folders of fields are the outer ones, and the time is that of the time-based partitioner."""
    partitioner = files_and_rotation.make_partitioner(load_connect_config(_given("country,user.kind")))
    rows = rows_of(pa.table({"country": ["FR"], "user": [{"kind": "a"}]}))
    partitioned = partitioner.partition(rows, datetime.datetime.now(datetime.timezone.utc))
    assert ("country=FR/user.kind=a/year=1970/month=01/day=01/hour=00",) == partitioned.rows.encoded_partitions
    assert partitioner.time_based


def test_no_fields() -> None:
    """Without fields, the result is the time-based partitioner, as in Connect."""
    partitioner = files_and_rotation.make_partitioner(load_connect_config(_properties()))
    assert "Composite" not in type(partitioner).__name__


def test_other_partitioners_are_refused() -> None:
    """Other partitioners are refused, because they have `partition.field.name`."""
    problems = validate(_given("country", partitioner__class=f"{_PACKAGE}.DefaultPartitioner")).problems
    assert [(_OUTER, "partitioner.class")] == [problem.properties for problem in problems]


@pytest.mark.parametrize("fields", ["a..b", "a, .b"])
def test_empty_part(fields: str) -> None:
    """A path has to name a field."""
    (problem,) = validate(_given(fields)).problems
    rule = "Field name cannot contain an empty or whitespace-only path segment."
    assert f"Invalid value {fields} for configuration {_OUTER}: {rule}" == str(problem)


def test_check_shows_the_folders() -> None:
    """`check` shows the folders in an example of a file's name."""
    described = describe(load_connect_config(_given("country")), WorkerConfig(bootstrap_servers="kafka:9092")).text
    assert "That folder is in a folder by the values of country." in described
    assert "/your-source-topic-name/country=…/year=2026/month=01/day=31/hour=13/your-source" in described


_PUBLIC = {"partitioner.class": "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner"}
_TIME = "year=1970/month=01/day=01/hour=00"


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({"partition.field.name": "country,user.kind"}, f"country=FR/user.kind=a/{_TIME}"),
        ({"partition.field.name": "country", "partition.field.format.path": "true"}, f"country=FR/{_TIME}"),
        ({"partition.field.name": "country, user.kind", "partition.field.format.path": "false"}, f"FR/a/{_TIME}"),
        ({"partition.field": "country"}, f"FR/{_TIME}"),
        ({"partition.field": "country", "partition.field.name": "user.kind"}, f"user.kind=a/{_TIME}"),
        (
            {"partition.field": "country", "partitioner.class": "com.canelmas.kafka.connect.TimeAndFieldBasedPartitioner"},
            f"FR/{_TIME}",
        ),
        ({"partition.field.name": "country", "partitioner.class": "FieldAndTimeBasedPartitioner"}, f"country=FR/{_TIME}"),
        (
            {"partition.field.name": "path", "partition.field.format.path": "false", "kafka2parquet.partition.escape": "true"},
            f"a%2Fb/{_TIME}",
        ),
    ],
)
def test_the_public_partitioner_by_field_and_time(changes: dict[str, str], folder: str) -> None:
    """Its properties make the same folders as in Connect."""
    partitioner = files_and_rotation.make_partitioner(load_connect_config({**_properties(), **_PUBLIC, **changes}))
    rows = rows_of(pa.table({"country": ["FR"], "user": [{"kind": "a"}], "path": ["a/b"]}))
    partitioned = partitioner.partition(rows, datetime.datetime.now(datetime.timezone.utc))
    assert (folder,) == partitioned.rows.encoded_partitions
    assert partitioner.time_based


def test_the_public_partitioner_follows_record_time() -> None:
    """The partitioner is time-based, so rotate.interval.ms and timestamp.extractor apply."""
    config = load_connect_config({**_properties(), **_PUBLIC, "partition.field.name": "country"})
    assert not [warning for warning in config.warnings if "rotate.interval.ms" in str(warning)]
    described = describe(config, WorkerConfig(bootstrap_servers="kafka:9092")).text
    assert "A row's folder is given by the timestamp of its record, in steps of 1 hour" in described
    assert "/your-source-topic-name/country=…/year=2026/month=01/day=31/hour=13/your-source" in described


def test_check_shows_bare_values() -> None:
    """The description names the field of the folders."""
    bare = {"partition.field.name": "country", "partition.field.format.path": "false"}
    described = describe(
        load_connect_config({**_properties(), **_PUBLIC, **bare}), WorkerConfig(bootstrap_servers="kafka:9092")
    ).text
    assert "/your-source-topic-name/<country>/year=2026/month=01/day=31/hour=13/your-source" in described


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {},
            "partition.field.name is not set. FieldAndTimeBasedPartitioner makes its outer folders from these fields. Set "
            "the property, or use TimeBasedPartitioner.",
        ),
        (
            {"partition.field.name": "a", _OUTER: "b"},
            f"{_OUTER} and partition.field.name both name the outer folders. Remove {_OUTER}.",
        ),
        ({"partition.field.name": "a", "path.format": ""}, "Invalid value  for configuration path.format"),
        (
            {"partition.field.name": "a", "partition.duration.ms": "0"},
            "Invalid value 0 for configuration partition.duration.ms",
        ),
        ({"partition.field.name": "a", "locale": ""}, "Invalid value  for configuration locale"),
    ],
)
def test_settings_of_the_public_partitioner(changes: Any, problem: str) -> None:
    """The partitioner needs its fields and the properties of a time-based one."""
    (found,) = validate({**_properties(), **_PUBLIC, **changes}).problems
    assert str(found).startswith(problem)


def test_a_python_class_of_a_known_name_is_itself() -> None:
    """A Python class may have a known name, since a module without package has no dot in its path."""
    (problem,) = validate(_properties(partitioner__class="no_such_module:FieldPartitioner")).problems
    assert "no_such_module:FieldPartitioner can't be imported" in str(problem)
