"""Partitions that are moved in Glue's Data Catalog, as moto keeps it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from kafka2parquet import HourlyPartitioner, RecordCountRotation
from kafka2parquet.errors import CatalogAccessError, CatalogUnavailableError, ConfigurationError
from kafka2parquet.tables.glue import GluePartitions, GlueTable, GlueTarget
from kafka2parquet.tables.partition_catalog import CatalogPartition
from tests.support.sink_world import TOPIC
from tests.support.tables import TableWorld

NOW = datetime.datetime(2026, 5, 17, 14, 3, tzinfo=datetime.timezone.utc)
MERGED = "s3://lake/topics-merged/events/year=1970/month=01/day=01/hour=00/"
HOUR = "year=1970/month=01/day=01/hour=00"
KEYS = ("year", "month", "day", "hour")
DESCRIPTOR = {
    "Columns": [{"Name": "n", "Type": "bigint"}],
    "Location": "s3://lake/topics/events/",
    "SerdeInfo": {"SerializationLibrary": "parquet", "Parameters": {"own": "kept"}},
    "SortColumns": [{"Column": "n", "SortOrder": 1}],
}


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a catalogue with a table that is partitioned by the hour."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("glue", region_name="eu-central-1")
        client.create_database(DatabaseInput={"Name": "raw"})
        table = {"StorageDescriptor": DESCRIPTOR, "PartitionKeys": [{"Name": name, "Type": "string"} for name in KEYS]}
        client.create_table(DatabaseName="raw", TableInput={"Name": TOPIC, **table})
        yield client


def create(glue: Any, values: list[str], **more: Any) -> str:
    """Creates a partition at its originals, and returns the location."""
    folder = "/".join(f"{name}={value}" for name, value in zip(KEYS, values, strict=True))
    location = f"s3://lake/topics/events/{folder}"
    partition = {"Values": values, "StorageDescriptor": {**DESCRIPTOR, "Location": location}, **more}
    glue.create_partition(DatabaseName="raw", TableName=TOPIC, PartitionInput=partition)
    return location


def partition(glue: Any, values: list[str]) -> dict[str, Any]:
    found = glue.get_partition(DatabaseName="raw", TableName=TOPIC, PartitionValues=values)["Partition"]
    return {name: found[name] for name in ("Values", "StorageDescriptor", "Parameters", "LastAccessTime") if name in found}


def test_moving(glue: Any) -> None:
    """Only the location changes, and parameters say when and from where; everything else that Glue knows stays."""
    values = ["1970", "01", "01", "00"]
    location = create(glue, values, Parameters={"recordCount": "7"}, LastAccessTime=NOW)
    before = partition(glue, values)
    partitions = GluePartitions(GlueTable("raw", TOPIC, glue))
    found = partitions.find([HOUR, "year=1970/month=01/day=01/hour=01", "elsewhere"])
    assert {HOUR: CatalogPartition(location)} == found
    assert partitions.move(HOUR, found[HOUR], MERGED, NOW)
    assert {HOUR: CatalogPartition(MERGED, NOW)} == partitions.find([HOUR])
    assert {
        **before,
        "StorageDescriptor": {**before["StorageDescriptor"], "Location": MERGED},
        "Parameters": {
            "recordCount": "7",
            "kafka2parquet.moved.at": "2026-05-17T14:03:00+00:00",
            "kafka2parquet.moved.from": location,
        },
    } == partition(glue, values)


def test_a_partition_that_has_changed(glue: Any) -> None:
    """A partition that is elsewhere by now, or was dropped, is not moved."""
    values = ["1970", "01", "01", "00"]
    create(glue, values)
    partitions = GluePartitions(GlueTable("raw", TOPIC, glue))
    found = partitions.find([HOUR])
    assert partitions.move(HOUR, found[HOUR], "s3://lake/by-hand/", NOW)
    assert not partitions.move(HOUR, found[HOUR], MERGED, NOW)
    assert "s3://lake/by-hand/" == partition(glue, values)["StorageDescriptor"]["Location"]
    found = partitions.find([HOUR])
    glue.delete_partition(DatabaseName="raw", TableName=TOPIC, PartitionValues=values)
    assert not partitions.move(HOUR, found[HOUR], MERGED, NOW)
    assert {} == partitions.find([HOUR])


@pytest.mark.parametrize("text", ["yesterday", "2026-05-17T14:03:00"])
def test_a_time_that_a_person_has_edited(glue: Any, text: str) -> None:
    """A parameter that isn't a moment counts as none."""
    location = create(glue, ["1970", "01", "01", "00"], Parameters={"kafka2parquet.moved.at": text})
    assert {HOUR: CatalogPartition(location)} == GluePartitions(GlueTable("raw", TOPIC, glue)).find([HOUR])


def test_more_partitions_than_a_request_takes(glue: Any) -> None:
    """Partitions are read a thousand at a time."""
    inputs = [{"Values": ["1970", "01", "01", str(number)], "StorageDescriptor": DESCRIPTOR} for number in range(1100)]
    for begin in range(0, 1100, 100):
        glue.batch_create_partition(DatabaseName="raw", TableName=TOPIC, PartitionInputList=inputs[begin : begin + 100])
    folders = [f"year=1970/month=01/day=01/hour={number}" for number in range(1200)]
    assert folders[:1100] == sorted(
        GluePartitions(GlueTable("raw", TOPIC, glue)).find(folders), key=lambda folder: int(folder.rpartition("=")[2])
    )


def test_keys_that_glue_leaves_out(glue: Any) -> None:
    """Keys that Glue hasn't processed are asked for again; if Glue processes none, the catalogue counts as unavailable."""
    create(glue, ["1970", "01", "01", "00"])
    create(glue, ["1970", "01", "01", "01"])
    folders = [HOUR, "year=1970/month=01/day=01/hour=01"]

    class Throttled:
        def __init__(self, most: int) -> None:
            self.most = most

        def __getattr__(self, name: str) -> Any:
            return getattr(glue, name)

        def batch_get_partition(self, **arguments: Any) -> Any:
            wanted = arguments["PartitionsToGet"]
            answer = glue.batch_get_partition(**{**arguments, "PartitionsToGet": wanted[: self.most]})
            return {**answer, "UnprocessedKeys": wanted[self.most :]}

    assert set(folders) == set(GluePartitions(GlueTable("raw", TOPIC, Throttled(1))).find(folders))
    with pytest.raises(CatalogUnavailableError, match="answers for none of 2 partitions"):
        GluePartitions(GlueTable("raw", TOPIC, Throttled(0))).find(folders)


def test_tables_that_can_not_be_switched(glue: Any) -> None:
    """A table that doesn't exist, has no partitions, or computes their folders is refused with the reason."""
    with pytest.raises(ConfigurationError, match="kafka2parquet ddl --for hive"):
        GluePartitions(GlueTable("raw", "nothing", glue)).check()
    glue.create_table(DatabaseName="raw", TableInput={"Name": "flat", "StorageDescriptor": DESCRIPTOR})
    with pytest.raises(ConfigurationError, match="has no partition columns"):
        GluePartitions(GlueTable("raw", "flat", glue)).check()
    table = {"Name": "projected", "PartitionKeys": [{"Name": "hour", "Type": "string"}], "StorageDescriptor": DESCRIPTOR}
    glue.create_table(DatabaseName="raw", TableInput={**table, "Parameters": {"projection.enabled": "TRUE"}})
    with pytest.raises(ConfigurationError, match="uses partition projection"):
        GluePartitions(GlueTable("raw", "projected", glue)).check()
    GluePartitions(GlueTable("raw", TOPIC, glue)).check()


def test_missing_rights(glue: Any) -> None:
    """A refusal by AWS is an error of access."""

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(glue, name)

        def update_partition(self, **arguments: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdatePartition")

    create(glue, ["1970", "01", "01", "00"])
    partitions = GluePartitions(GlueTable("raw", TOPIC, Refusing()))
    found = partitions.find([HOUR])
    with pytest.raises(CatalogAccessError, match="AWS refuses access"):
        partitions.move(HOUR, found[HOUR], MERGED, NOW)


def test_a_follower_moves_nothing_back(tmp_path: Path, glue: Any) -> None:
    """A follower that registers a late file of a folder leaves the partition where it was moved."""
    world = TableWorld(tmp_path, partitions=2)
    parts: dict[str, Any] = {"rotation": RecordCountRotation(1), "partitioner": HourlyPartitioner()}
    world.write(b'{"n":1}', **parts)
    follower = world.follower(GlueTarget("raw", TOPIC, client=glue))
    assert 1 == follower.once().files
    partitions = GluePartitions(GlueTable("raw", TOPIC, glue))
    found = partitions.find([HOUR])
    assert found[HOUR].is_at(f"file://{world.folder}/topics/{TOPIC}/{HOUR}")
    assert partitions.move(HOUR, found[HOUR], MERGED, NOW)
    world.write(b'{"n":2}', **parts)
    assert 1 == follower.once().files
    assert {HOUR: CatalogPartition(MERGED, NOW)} == partitions.find([HOUR])
