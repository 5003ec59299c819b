"""What is refused says what works instead, and nothing that leads to the next problem."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.worker import WorkerConfig
from tests.support.sink_properties import json_sink

_FORMATS = "io.confluent.connect.s3.format"
_PARQUET = f"{_FORMATS}.parquet.ParquetFormat"
_JSON = f"{_FORMATS}.json.JsonFormat"


def _problems(changes: dict[str, str]) -> list[str]:
    return validate(json_sink(changes)).sentences


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"store.kafka.keys": "true", "keys.format.class": _JSON},
            f"keys.format.class={_JSON} is not supported. Only Parquet is written: set keys.format.class to {_PARQUET}, and "
            "key.converter to org.apache.kafka.connect.storage.StringConverter for keys as text. Or remove store.kafka.keys "
            "and set kafka2parquet.metadata.columns=key, for a column beside the value.",
        ),
        (
            {"store.kafka.keys": "true"},
            f"keys.format.class={_FORMATS}.avro.AvroFormat, the default, is not supported. Only Parquet is written: ",
        ),
        (
            {"store.kafka.headers": "true", "headers.format.class": f"{_FORMATS}.json.JsonFormat"},
            f"headers.format.class={_JSON} is not supported. Only Parquet is written: set headers.format.class to {_PARQUET}. "
            "Or remove store.kafka.headers and set kafka2parquet.metadata.columns=headers, for a column beside the value.",
        ),
    ],
)
def test_files_of_keys_and_headers_in_other_formats(changes: dict[str, Any], problem: str) -> None:
    """The problem names the closest supported setting."""
    (found,) = _problems(changes)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "followed",
    [
        {
            "store.kafka.keys": "true",
            "keys.format.class": _PARQUET,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        },
        {"keys.format.class": _JSON, "kafka2parquet.metadata.columns": "key"},
        {"store.kafka.headers": "true", "headers.format.class": _PARQUET},
        {"kafka2parquet.metadata.columns": "headers"},
    ],
)
def test_what_was_named_works(followed: dict[str, Any]) -> None:
    """Each suggestion about keys and headers works."""
    assert [] == _problems(followed)


def test_format_of_files_that_are_not_written() -> None:
    """The format has no effect, as in Connect."""
    config = load_connect_config(json_sink({"keys.format.class": _JSON}))
    assert ("keys.format.class has no effect: store.kafka.keys is not true.",) == tuple(map(str, config.warnings))


def test_json_format_with_gzip() -> None:
    """Both problems are reported, so that the second doesn't appear only after the first is solved."""
    assert [
        f"format.class={_JSON} is not supported. Only Parquet is written: use ParquetFormat.",
        "s3.compression.type=gzip is not supported. Remove s3.compression.type; parquet.codec=gzip compresses Parquet files.",
    ] == _problems({"format.class": _JSON, "s3.compression.type": "gzip"})
    assert [] == _problems({"format.class": "ParquetFormat", "parquet.codec": "gzip"})


_BY_TIME = {
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "partition.duration.ms": "3600000",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "locale": "en",
    "timezone": "UTC",
    "timestamp.extractor": "Record",
}
_ON_TIME = {"rotate.schedule.interval.ms": "60000", "timezone": "UTC"}
_UNSET = "timestamp.extractor is not set: the timestamp of a record decides its folder"


@pytest.mark.parametrize(
    ("changes", "findings"),
    [
        ({"compression.type": "gzip"}, ["compression.type has no effect: it belongs to Kafka's producers and topics."]),
        ({"compression.codec": "gzip"}, ["compression.codec has no effect: it belongs to Confluent Cloud's connectors."]),
        ({"task.max": "1"}, ["task.max is not a known property, and has no effect, as in Connect. Did you mean tasks.max?"]),
        ({"tasks.maximum": "8"}, ["tasks.maximum is not a known property"]),
        ({**_BY_TIME, "path.format": "YYYY/MM/dd/HH/'minute'=mm", "partition.duration.ms": "60000"}, []),
        ({**_BY_TIME, "path.format": "YYYY/MM/dd/HH/mm", "partition.duration.ms": "600000"}, []),
        ({**_BY_TIME, "path.format": "YYYY/mm/dd"}, ["path.format=YYYY/mm/dd: mm is the minute. The month is MM."]),
        ({"partitioner.class": "DailyPartitioner", "locale": "en"}, [_UNSET]),
        (
            {"partitioner.class": "HourlyPartitioner", "locale": "en", "errors.tolerance": "all", "taks.max": "1"},
            [_UNSET, "errors.tolerance=all: records that can't be read are left out", "taks.max is not a known property"],
        ),
        (
            {"group.id": "x", "flush.size": "1", "errors.tolerance": "all", "partition.field.name": "app"},
            [
                "errors.tolerance=all: records that can't be read are left out",
                "flush.size=1 makes one file of every record.",
                "partition.field.name has no effect with DefaultPartitioner.",
                "group.id has no effect: it is a setting of Kafka's clients.",
            ],
        ),
        ({"_comment": "what is read", "//": "where it goes"}, []),
        ({"schema.generator.class": "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator"}, []),
        ({"hive.integration": "false"}, ["hive.integration has no effect: the sink doesn't write to a metastore"]),
        (
            {"store.url": "http://minio:9000", "s3.endpoint": "http://minio:9000"},
            ["s3.endpoint is not a known property, and has"],
        ),
        ({"store.url": "http://minio:9000", "s3.path.style.access": "true"}, ["s3.path.style.access is not a known property"]),
        (
            {
                **_BY_TIME,
                "partitioner.class": "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner",
                "partition.field.name": "app",
                "partition.field.format.path": "false",
            },
            [],
        ),
        ({**_BY_TIME, "partition.field.name": "app"}, ["partition.field.name has no effect with TimeBasedPartitioner."]),
    ],
)
def test_what_check_says_first(changes: Any, findings: list[Any] | list[str]) -> None:
    """Important findings come in their order, without others among them."""
    described = describe(
        load_connect_config(json_sink({**_ON_TIME, **changes})), WorkerConfig(bootstrap_servers="kafka:9092")
    ).text
    _, *paragraphs = described.split("\n\n")
    title, *found = paragraphs[0].split("\n") if paragraphs[0].startswith("Look") else ["Look at this first:"]
    assert "Look at this first:" == title
    assert findings == [line.removeprefix("- ")[: len(start)] for line, start in zip(found, findings, strict=True)]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"s3.endpoint": "http://minio:9000"}, ["s3.endpoint is not a known property. Did you mean store.url?"]),
        (
            {"value.converter": "com.amazonaws.services.schemaregistry.kafkaconnect.AWSKafkaAvroConverter"},
            ["value.converter=com.amazonaws.services.schemaregistry.kafkaconnect.AWSKafkaAvroConverter is not supported. AWS"],
        ),
        ({**_BY_TIME, "path.format": "year=%Y/month=%m"}, ["Invalid value year=%Y/month=%m for configuration path.format: %Y"]),
        (
            {**_BY_TIME, "partitioner.class": "com.acme.FieldAndTimeBasedPartitioner", "partition.field.name": "app"},
            ["partitioner.class=com.acme.FieldAndTimeBasedPartitioner is not known. If it makes the same folders"],
        ),
    ],
)
def test_what_is_refused(changes: Any, problems: list[str]) -> None:
    """Unsupported settings are refused with an alternative."""
    found = _problems({**_ON_TIME, **changes})
    assert problems == [problem[: len(start)] for problem, start in zip(found, problems, strict=True)]
