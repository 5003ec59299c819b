"""What is refused says what works instead, and nothing that leads to the next problem."""

from __future__ import annotations

import pytest

from kafka2parquet.connect.parse import load_connect_config, validate
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
            "key.converter to org.apache.kafka.connect.storage.StringConverter for keys as text. Or take store.kafka.keys out "
            "and set kafka2parquet.metadata.columns=key, for a column beside the value.",
        ),
        (
            {"store.kafka.keys": "true"},
            f"keys.format.class={_FORMATS}.avro.AvroFormat, the default, is not supported. Only Parquet is written: ",
        ),
        (
            {"store.kafka.headers": "true", "headers.format.class": f"{_FORMATS}.json.JsonFormat"},
            f"headers.format.class={_JSON} is not supported. Only Parquet is written: set headers.format.class to {_PARQUET}. "
            "Or take store.kafka.headers out and set kafka2parquet.metadata.columns=headers, for a column beside the value.",
        ),
    ],
)
def test_files_of_keys_and_headers_in_other_formats(changes, problem):
    """The closest that works is named."""
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
def test_what_was_named_works(followed):
    """Each suggestion about keys and headers."""
    assert [] == _problems(followed)


def test_format_of_files_that_are_not_written():
    """It has no effect, in Connect too."""
    config = load_connect_config(json_sink({"keys.format.class": _JSON}))
    assert ("keys.format.class has no effect: store.kafka.keys is not true.",) == config.warnings


def test_json_format_with_gzip():
    """Both have to go; one of the problems after the other would be told otherwise."""
    assert [
        f"format.class={_JSON} is not supported. Only Parquet is written: use ParquetFormat.",
        "s3.compression.type=gzip is not supported. Remove s3.compression.type; parquet.codec=gzip compresses Parquet files.",
    ] == _problems({"format.class": _JSON, "s3.compression.type": "gzip"})
    assert [] == _problems({"format.class": "ParquetFormat", "parquet.codec": "gzip"})
