"""Unknown properties are refused where they could change what is written; the others are warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.parts.files_and_rotation import make_partitioner
from kafka2parquet.connect.properties.unknown import is_comment
from kafka2parquet.partitioners.default import DefaultPartitioner
from tests.support.sink_properties import json_sink

_GIVEN = json_sink({})


def _sentences(given: dict[str, str]) -> tuple[list[str], list[str]]:
    validation = validate(given)
    return validation.sentences, list(map(str, validation.config.warnings))


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("behaviour.on.null.values", "ignore", "behavior.on.null.values"),
        ("schema.compatability", "FULL", "schema.compatibility"),
        ("topicsdir", "raw", "topics.dir"),
        ("TOPICS_DIR", "raw", "topics.dir"),
        ("parquet.codecs", "gzip", "parquet.codec"),
        ("parquet.compression", "gzip", "parquet.codec"),
        ("s3.ssea.names", "AES256", "s3.ssea.name"),
        ("error.tolerance", "all", "errors.tolerance"),
        ("rotate.schedule.intervall.ms", "60000", "rotate.schedule.interval.ms"),
        ("filename.offset.zero.pad.with", "many", "filename.offset.zero.pad.width"),
        ("s3.endpoint", "http://minio:9000", "store.url"),
        ("aws.s3.endpoint", "http://minio:9000", "store.url"),
        ("consumer.overide.auto.offset.reset", "latest", "consumer.override.auto.offset.reset"),
        ("kafka2parquet.quarantin", "false", "kafka2parquet.quarantine"),
    ],
)
def test_what_could_change_the_result_is_refused(name: str, text: str, meant: str) -> None:
    """Properties that could change rows, folders, files or the store are refused with the intended name."""
    assert ([f"{name} is not a known property. Did you mean {meant}?"], []) == _sentences({**_GIVEN, name: text})


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("task.max", "1", "tasks.max"),
        ("task.max", "4", "tasks.max"),
        ("max.tasks", "4", "tasks.max"),
        ("key.converter.schema.enable", "false", "key.converter.schemas.enable"),  # keys are not written
        ("flush.sizes", "100", "flush.size"),  # which is set to this value
        ("schema.compatability", "NONE", "schema.compatibility"),  # the default
        ("s3.path.style.access", "true", "s3.path.style.access.enabled"),
        ("aws.region", "eu-west-1", "s3.region"),
        ("s3.parts.retries", "5", "s3.part.retries"),
        ("aws_access_key_id", "AKIA", "aws.access.key.id"),
        ("value.converter.basic.auth.userinfo", "u:p", "value.converter.basic.auth.user.info"),
    ],
)
def test_what_changes_nothing_is_a_warning(name: str, text: str, meant: str) -> None:
    """Properties that change nothing are warnings, because Connect ignores them."""
    warning = f"{name} is not a known property, and has no effect, as in Connect. Did you mean {meant}?"
    assert ([], [warning]) == _sentences({**_GIVEN, name: text})


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("flush.sise", "50", "flush.size"),
        ("FLUSH_SIZE", "50", "flush.size"),
        ("s3.bucket.names", "other", "s3.bucket.name"),
        ("value.converter.schema.enable", "true", "value.converter.schemas.enable"),
    ],
)
def test_typing_error_beside_the_right_name(name: str, text: str, meant: str) -> None:
    """A misspelled name is refused although the right name is set, because either value may be the intended one."""
    advice = f"Did you mean {meant}? It is set too, to another value: keep one of them."
    assert ([f"{name} is not a known property. {advice}"], []) == _sentences({**_GIVEN, name: text})


@pytest.mark.parametrize(("name", "meant"), [("topic", "topics"), ("s3.bucket", "s3.bucket.name")])
def test_name_of_another_tool_beside_the_right_name(name: str, meant: str) -> None:
    """A name of the same meaning in another tool, beside the right name, is a warning: it was probably left behind."""
    warning = f"{name} is not a known property, and has no effect, as in Connect. Did you mean {meant}?"
    assert ([], [warning]) == _sentences({**_GIVEN, name: "other"})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("compression.type", "it belongs to Kafka's producers and topics. Parquet files are compressed as parquet.codec says."),
        ("auto.offset.reset", "it is a setting of Kafka's clients. In a connector it is consumer.override.auto.offset.reset."),
        ("isolation.level", "only committed records are ever read."),
        ("schemas.enable", "it is a setting of converters. In a connector it is value.converter.schemas.enable."),
        ("schema.registry.url", "it is a setting of converters. In a connector it is value.converter.schema.registry.url."),
    ],
)
def test_properties_of_something_else(name: str, why: str) -> None:
    """Such properties aren't misspelled, and the warning says where they belong."""
    assert ([], [f"{name} has no effect: {why}"]) == _sentences({**_GIVEN, name: "x"})


@pytest.mark.parametrize("writes_keys", [{"kafka2parquet.metadata.columns": "offset, key"}, {"store.kafka.keys": "TRUE"}])
def test_converters_of_keys_that_are_written(writes_keys: dict[str, str]) -> None:
    """Misspelled properties of converters for written keys are refused, because they could change the files."""
    problems, _ = _sentences({**_GIVEN, **writes_keys, "key.converter.schema.enable": "false"})
    assert "key.converter.schema.enable is not a known property. Did you mean key.converter.schemas.enable?" in problems


def test_a_near_miss_of_a_property_without_effect() -> None:
    """Such a property has no suggestion, because following it would change nothing."""
    warning = "s3.send.digests is not a known property. It has no effect. Nor has s3.send.digest, which was probably intended."
    assert ([], [warning]) == _sentences({**_GIVEN, "s3.send.digests": "true"})


def test_what_is_refused_is_never_suggested() -> None:
    """A refused property is not suggested, because it would be the next problem."""
    assert ([], ["gcs.credentials.provider.clas is not a known property: only custom classes see it."]) == _sentences(
        {
            **{name: text for name, text in _GIVEN.items() if not name.startswith("s3.")},
            "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
            "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
            "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
            "gcs.bucket.name": "my-bucket",
            "gcs.credentials.provider.clas": "x",
        }
    )


def test_a_missing_property_is_reported_once() -> None:
    """The missing property is reported under the name that was written."""
    given = {name: text for name, text in _GIVEN.items() if name != "s3.bucket.name"}
    assert (["s3.bucket is not a known property. Did you mean s3.bucket.name?"], []) == _sentences({**given, "s3.bucket": "b"})


def test_own_properties_are_all_known() -> None:
    """Unknown properties with the library's prefix are refused, because no other program uses it."""
    problem = (
        "kafka2parquet.exactly.once is not a known property. The settings reference lists all properties of kafka2parquet."
    )
    assert ([problem], []) == _sentences({**_GIVEN, "kafka2parquet.exactly.once": "true"})


class BySetting(DefaultPartitioner):
    """A partitioner with its own properties."""

    def __init__(self, properties: Any) -> None:
        self.properties = properties


def test_custom_classes_may_know_what_is_nearly_a_known_property() -> None:
    """The property reaches the custom class like any other."""
    own = {"partition.fields.name": "kind", "s3.endpoint": "x", "by.setting": "y"}
    config = load_connect_config({**_GIVEN, "partitioner.class": f"{__name__}:BySetting", **own})
    assert own == config.unknown
    assert (
        "partition.fields.name is not a known property: only custom classes see it. Otherwise, did you mean "
        "partition.field.name?" in map(str, config.warnings)
    )
    partitioner = make_partitioner(config)
    assert isinstance(partitioner, BySetting)
    assert own.items() <= partitioner.properties.items()


_COMMENTS = {
    "_comment": "what is read",
    "__comment__": 1,
    "//": "a note",
    "// where": "it goes",
    "#flush.size": "10",
    "_flush.size": "10",
    "comment": "x",
    "Comments": ["a", "b"],
    "_todo": {"who": "me"},
    "description": "${env:NOT_SET}",
}


def test_comments() -> None:
    """Comments have no findings, whatever they contain."""
    config = load_connect_config({**_GIVEN, **_COMMENTS})
    assert ((), {}) == (config.warnings, config.unknown)
    assert all(map(is_comment, _COMMENTS))
    assert not any(map(is_comment, _GIVEN))


def test_repeated_comments(tmp_path: Path) -> None:
    """Comment properties may be repeated, because JSON has no other way to write two comments."""
    path = tmp_path / "sink.json"
    text = json.dumps(_GIVEN)
    path.write_text('{"_comment": "what is read", "_comment": "where it goes", ' + text[1:])
    assert () == load_connect_config(path).warnings


def test_schema_generator() -> None:
    """The schema generator is accepted, because it is in many examples and concerns only Hive."""
    given = {**_GIVEN, "schema.generator.class": "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator"}
    config = load_connect_config(given)
    assert () == config.warnings
    assert "schema.generator.class has no effect: it is for Hive, and the sink doesn't write to a metastore." in map(
        str, config.notes
    )
