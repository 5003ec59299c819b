"""Partitioners and timestamps do what Kafka Connect's do, case by case."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from kafka2parquet.connect.parse import load_connect_config
from kafka2parquet.connect.parts import make_extractor, make_partitioner
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.partitioners.path_format import PathFormat, normalize
from kafka2parquet.rotation.schedule import next_boundary
from kafka2parquet.time_zones import time_zone
from tests.support.connect_cases import base_config, cases, rows_of

OPENED_AT = datetime.datetime(2024, 5, 17, tzinfo=datetime.timezone.utc)
PARTITIONERS = ("default_partitioner", "field_partitioner", "time_partitioner", "timestamp_extractors")


def config_of(case: dict[str, Any]) -> Any:
    changed = {**base_config(), **case["given"]["config"]}
    return load_connect_config({name: text for name, text in changed.items() if text is not None})


def moment(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(0, datetime.timezone.utc) + datetime.timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("case", [case for name in PARTITIONERS for case in cases(name, "encode_partition")])
def test_encode_partition(case: dict[str, Any]) -> None:
    """The folder of a record; a record without one is a reject."""
    partitioner = make_partitioner(config_of(case))
    opened_at = moment(case["given"]["now_ms"]) if "now_ms" in case["given"] else OPENED_AT
    partitioned = partitioner.partition(rows_of(case["given"]["record"]), opened_at)
    if "error" in case["expected"]:
        assert 1 == len(partitioned.rejects)
        assert 0 == len(partitioned.rows)
    else:
        assert (case["expected"]["value"],) == partitioned.rows.encoded_partitions
        assert [0] == partitioned.rows.codes.to_pylist()


@pytest.mark.parametrize("case", cases("timestamp_extractors", "extract_timestamp"))
def test_extract_timestamp(case: dict[str, Any]) -> None:
    """The time of a record, from where the configuration says."""
    config = {"partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner", **case["given"]["config"]}
    extractor = make_extractor(config_of({"given": {"config": config}}))
    rows = rows_of(case["given"]["record"])
    times = extractor.extract(rows, OPENED_AT)
    if "error" in case["expected"]:
        assert [None] == times.to_pylist()
        assert extractor.explain(rows, 0)
    else:
        assert [case["expected"]["value"]] == times.to_pylist()


@pytest.mark.parametrize("case", cases("path_format", "format_path"))
def test_format_path(case: dict[str, Any]) -> None:
    """A Joda pattern, at a moment, in a time zone and a language."""
    given = case["given"]
    local = moment(given["instant_ms"]).astimezone(time_zone(given["timezone"]))
    if "error" in case["expected"]:
        with pytest.raises(ConfigurationError):
            PathFormat(given["pattern"], given["locale"]).format(local)
    else:
        assert case["expected"]["value"] == PathFormat(given["pattern"], given["locale"]).format(local)


@pytest.mark.parametrize("case", cases("path_format", "normalize_path_format"))
def test_normalize_path_format(case: dict[str, Any]) -> None:
    """A delimiter at the end is taken off."""
    given = case["given"]
    assert case["expected"]["value"] == normalize(given["path.format"], given["directory.delim"])


@pytest.mark.parametrize("case", cases("object_names", "object_key"))
def test_object_key(case: dict[str, Any]) -> None:
    """The key of a file, and what it tells again."""
    given = case["given"]
    config = {name: text for name, text in given["config"].items() if text is not None}
    naming = ObjectNaming(
        topics_dir=config.get("topics.dir", "topics"),
        directory_delimiter=config.get("directory.delim", "/"),
        file_delimiter=config.get("file.delim", "+"),
        zero_pad_width=int(config.get("filename.offset.zero.pad.width", "10")),
        compression=config.get("parquet.codec", "snappy"),
    )
    key = naming.key(given["topic"], given["partition"], given["encoded_partition"], given["offset"])
    assert case["expected"]["value"] == key
    name = naming.parse(key)
    assert name is not None
    assert (given["topic"], given["partition"], given["offset"]) == (name.topic, name.partition, name.first_offset)


@pytest.mark.parametrize("case", cases("next_boundary", "next_boundary"))
def test_next_boundary(case: dict[str, Any]) -> None:
    """The next moment of a schedule."""
    given = case["given"]
    period = datetime.timedelta(milliseconds=given["period_ms"])
    boundary = next_boundary(moment(given["now_ms"]), period, time_zone(given["timezone"]))
    assert moment(case["expected"]["value"]) == boundary
