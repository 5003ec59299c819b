"""SchemaNamePartitioner: a folder with the name of the record's schema."""

from __future__ import annotations

import datetime
from typing import Literal

import pyarrow as pa
import pytest

from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.hive_names import NULL_NAME
from kafka2parquet.partitioners.schema_name import SchemaNamePartitioner
from kafka2parquet.partitioners.time import HourlyPartitioner
from kafka2parquet.partitioners.timestamps import WallclockTimestamp
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.support.rows import rows_of

OPENED_AT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("name", "escape", "folder"),
    [
        ("shop.Order", True, "schema_name=shop.Order/partition=0"),
        ("x/../../y", True, "schema_name=x%2F..%2F..%2Fy/partition=0"),
        (None, True, f"schema_name={NULL_NAME}/partition=0"),
        ("null", True, "schema_name=null/partition=0"),
        ("x/y", False, "schema_name=x/y/partition=0"),
        (None, False, "schema_name=null/partition=0"),
    ],
)
def test_the_folder_has_the_name_of_the_schema(name: str | None, escape: bool, folder: str) -> None:
    """A schema's name is escaped like a value, unless escaping is switched off."""
    rows = rows_of(pa.table({"a": [1]}), value_schema=ConnectSchema("struct", name=name))
    partitioned = SchemaNamePartitioner(DefaultPartitioner(), escape=escape).partition(rows, OPENED_AT)
    assert (folder,) == partitioned.rows.encoded_partitions


def test_a_schema_with_the_name_of_null_is_refused() -> None:
    """Records are rejected if readers can't distinguish their schema's name from a missing name."""
    rows = rows_of(pa.table({"a": [1, 2]}), value_schema=ConnectSchema("struct", name=NULL_NAME))
    partitioned = SchemaNamePartitioner(DefaultPartitioner()).partition(rows, OPENED_AT)
    assert ([0, 1], 0) == ([reject.offset for reject in partitioned.rejects], len(partitioned.rows))


@pytest.mark.parametrize(
    ("affix", "folder"), [("prefix", "schema_name=s/partition=0"), ("suffix", "partition=0/schema_name=s")]
)
def test_the_affix_decides_the_order(affix: Literal["prefix", "suffix"], folder: str) -> None:
    """The schema's folder comes before or after the inner partitioner's folder."""
    rows = rows_of(pa.table({"a": [1]}), value_schema=ConnectSchema("struct", name="s"))
    partitioned = SchemaNamePartitioner(DefaultPartitioner(), affix=affix).partition(rows, OPENED_AT)
    assert (folder,) == partitioned.rows.encoded_partitions


def test_records_without_a_schema_have_the_folder_of_null() -> None:
    """Records without a schema and records with an unnamed schema share a folder."""
    partitioned = SchemaNamePartitioner(DefaultPartitioner()).partition(rows_of(pa.table({"a": [1]})), OPENED_AT)
    assert (f"schema_name={NULL_NAME}/partition=0",) == partitioned.rows.encoded_partitions


def test_it_is_time_based_and_uses_the_clock_like_its_inner_partitioner() -> None:
    """The properties that rotation and the engine read come from the inner partitioner."""
    outer = SchemaNamePartitioner(HourlyPartitioner(timestamp_extractor=WallclockTimestamp()))
    plain = SchemaNamePartitioner(DefaultPartitioner())
    assert [(True, True), (False, False)] == [(each.time_based, each.uses_clock) for each in (outer, plain)]


def test_the_fingerprint_depends_on_each_setting() -> None:
    """Other settings give other folders, so they have other fingerprints."""
    partitioners = [
        SchemaNamePartitioner(DefaultPartitioner()),
        SchemaNamePartitioner(DefaultPartitioner(), affix="suffix"),
        SchemaNamePartitioner(DefaultPartitioner(), escape=False),
        SchemaNamePartitioner(DefaultPartitioner(), directory_delimiter="-"),
        SchemaNamePartitioner(HourlyPartitioner()),
    ]
    assert len(partitioners) == len({partitioner.fingerprint for partitioner in partitioners})
