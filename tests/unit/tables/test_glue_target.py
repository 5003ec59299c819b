"""Partitions in Glue's Data Catalog, as moto keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kafka2parquet import FieldPartitioner, RecordCountRotation
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables import GlueTarget
from tests.support.sink_world import TOPIC
from tests.support.tables import Died, Disturbed, TableWorld

PARTS: dict[str, Any] = {"rotation": RecordCountRotation(2), "partitioner": FieldPartitioner("country")}


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("glue", region_name="eu-central-1")


@pytest.fixture
def table(glue: Any) -> None:
    """A table as `kafka2parquet ddl --for athena` makes it."""
    glue.create_database(DatabaseInput={"Name": "raw"})
    columns = [{"Name": "n", "Type": "bigint"}]
    descriptor = {
        "Columns": columns,
        "Location": "s3://bucket/topics/events/",
        "SerdeInfo": {"SerializationLibrary": "parquet"},
    }
    keys = [{"Name": "country", "Type": "string"}]
    glue.create_table(
        DatabaseName="raw",
        TableInput={"Name": TOPIC, "StorageDescriptor": descriptor, "PartitionKeys": keys, "Parameters": {"own": "kept"}},
    )


def _partitions(glue: Any) -> dict[str, str]:
    """Returns the location of each partition by its value."""
    found = glue.get_partitions(DatabaseName="raw", TableName=TOPIC)["Partitions"]
    assert {"parquet"} >= {each["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] for each in found}
    return {each["Values"][0]: each["StorageDescriptor"]["Location"] for each in found}


@pytest.mark.usefixtures("table")
def test_folders_become_partitions(world: TableWorld, glue: Any) -> None:
    """Each folder is one partition at its location, and the positions are parameters of the table."""
    world.write(b'{"country":"FR"}', b'{"country":"S/E"}', b'{"country":"FR"}', b'{"country":null}', **PARTS)
    follower = world.follower(GlueTarget("raw", TOPIC, client=glue))
    assert 4 == follower.once().files
    root = f"file://{world.folder}/topics/{TOPIC}"
    assert {
        "FR": f"{root}/country=FR/",
        "S/E": f"{root}/country=S%2FE/",
        "__HIVE_DEFAULT_PARTITION__": f"{root}/country=__HIVE_DEFAULT_PARTITION__/",
    } == _partitions(glue)
    parameters = glue.get_table(DatabaseName="raw", Name=TOPIC)["Table"]["Parameters"]
    assert {"own": "kept", f"kafka2parquet.position.id-of-{TOPIC}.0": "4"} == parameters
    assert 0 == follower.once().files


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash(world: TableWorld, glue: Any, moment: str) -> None:
    """Partitions that are there already are not an error."""

    def die() -> None:
        raise Died

    world.write(b'{"country":"FR"}', b'{"country":"SE"}', **PARTS)
    with pytest.raises(Died):
        world.follower(Disturbed(GlueTarget("raw", TOPIC, client=glue), **{moment: die})).once()
    world.write(b'{"country":"FR"}', b'{"country":"DK"}', **PARTS)
    world.follower(GlueTarget("raw", TOPIC, client=glue)).once()
    assert {"FR", "SE", "DK"} == set(_partitions(glue))


@pytest.mark.usefixtures("table")
def test_more_partitions_than_a_request_takes(world: TableWorld, glue: Any) -> None:
    """Partitions are created a hundred at a time."""
    values = [b'{"country":"%d"}' % number for number in range(230)]
    world.write(*values, **{**PARTS, "rotation": RecordCountRotation(230)})
    assert 230 == world.follower(GlueTarget("raw", TOPIC, client=glue)).once().files
    assert 230 == sum(
        len(page["Partitions"]) for page in glue.get_paginator("get_partitions").paginate(DatabaseName="raw", TableName=TOPIC)
    )


def test_a_table_that_does_not_exist(world: TableWorld, glue: Any) -> None:
    """The message says how to make the table."""
    world.write(b'{"country":"FR"}', b'{"country":"SE"}', **PARTS)
    with pytest.raises(ConfigurationError, match="kafka2parquet ddl --for hive"):
        world.follower(GlueTarget("raw", TOPIC, client=glue)).once()
