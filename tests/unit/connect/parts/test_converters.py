"""Converters by their properties."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from kafka2parquet.connect.build import with_worker_converter
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.converters import make_converter, make_key_converter
from kafka2parquet.connect.properties.converters import CONVERTERS
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.primitives import (
    BooleanConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.learned import LearnedSchema
from tests.support.batches import batch_of
from tests.support.connect_story import STORY
from tests.support.registry_server import RegistryServer
from tests.support.sink_properties import json_sink

KINDS: dict[str, type[RecordConverter]] = {
    "AvroConverter": AvroConverter,
    "ProtobufConverter": ProtobufConverter,
    "JsonSchemaConverter": JsonSchemaConverter,
    "StringConverter": StringConverter,
    "ByteArrayConverter": ByteArrayConverter,
    "BooleanConverter": BooleanConverter,
    "ShortConverter": ShortConverter,
    "IntegerConverter": IntegerConverter,
    "LongConverter": LongConverter,
    "FloatConverter": FloatConverter,
    "DoubleConverter": DoubleConverter,
}
URL = "http://registry:8081"


def given(**changes: str) -> dict[str, str]:
    """Returns the story's configuration without the properties of its converters."""
    story = {name: text for name, text in read_properties(STORY).values.items() if ".converter" not in name}
    return {**story, "value.converter": "String", **changes}


def converter_of(role: str, name: str, **settings: str) -> RecordConverter | None:
    config = load_connect_config(
        given(
            **{f"{role}.converter": name, "kafka2parquet.metadata.columns": "key"},
            **{f"{role}.converter.{setting}": text for setting, text in settings.items()},
        )
    )
    return make_key_converter(config) if role == "key" else make_converter(config, lambda _: LearnedSchema())


def problems_of(**changes: str) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        load_connect_config(given(**changes))
    return list(error.value.problems)


@pytest.mark.parametrize("role", ["key", "value"])
@pytest.mark.parametrize("name", KINDS)
def test_classes_by_name_and_alias(role: str, name: str) -> None:
    """Each converter of Connect and Confluent can be named in all three ways."""
    for class_name in (CONVERTERS[name], name, name.removesuffix("Converter")):
        assert KINDS[name] is type(converter_of(role, class_name, **{"schema.registry.url": URL}))


def test_json_has_its_schema_unless_a_property_says_otherwise() -> None:
    """`schemas.enable` is true by default, as in Connect."""
    number = b'{"schema":{"type":"int8"},"payload":1}'
    for settings in ({}, {"schemas.enable": "true"}):
        converter = converter_of("value", "Json", **settings)
        assert converter is not None
        assert {"value": [1]} == converter.convert(batch_of([number])).rows.table.to_pydict()
    plain = converter_of("value", "Json", **{"schemas.enable": "false"})
    assert plain is not None
    assert {"a": [1]} == plain.convert(batch_of([b'{"a":1}'])).rows.table.to_pydict()


def test_json_keys() -> None:
    """JSON keys with schemas become their payloads, and JSON keys without schemas stay text."""
    assert isinstance(converter_of("key", "Json"), JsonEnvelopeConverter)
    assert isinstance(converter_of("key", "Json", **{"schemas.enable": "false"}), StringConverter)


def test_keys_that_are_not_written_are_not_read() -> None:
    """Keys are not read if they are not written, so an unsupported key converter does no harm."""
    config = load_connect_config(given(**{"key.converter": "com.example.Keys"}))
    assert make_key_converter(config) is None
    assert make_key_converter(load_connect_config(given(**{"kafka2parquet.metadata.columns": "key"}))) is None


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("Avro", "enhanced.avro.schema.support", "true"),
        ("Avro", "connect.meta.data", "false"),
        ("Protobuf", "enhanced.protobuf.schema.support", "true"),
        ("Protobuf", "optional.for.nullables", "true"),
        ("Protobuf", "optional.for.proto2", "false"),
        ("Protobuf", "wrapper.for.nullables", "true"),
        ("Protobuf", "wrapper.for.raw.primitives", "false"),
        ("Protobuf", "int.for.enums", "true"),
        ("Protobuf", "generate.index.for.unions", "false"),
        ("JsonSchema", "use.optional.for.nonrequired", "true"),
        ("JsonSchema", "generalized.sum.type.support", "true"),
        ("Json", "replace.null.with.default", "false"),
        ("String", "converter.encoding", "ISO-8859-1"),
    ],
)
def test_settings_arrive(name: str, setting: str, value: str) -> None:
    """Settings that change columns change the fingerprint."""
    plain, changed = (converter_of("value", name, **{"schema.registry.url": URL, **more}) for more in ({}, {setting: value}))
    assert plain is not None
    assert changed is not None
    assert plain.fingerprint != changed.fingerprint


@pytest.mark.parametrize(("types", "logical_types"), [("connect", "connect"), ("own", "arrow")])
def test_own_types_have_the_times_of_avro(types: str, logical_types: Any) -> None:
    """The library's own types include Avro times that Kafka Connect doesn't know."""
    settings = {"value.converter.schema.registry.url": URL, "kafka2parquet.parquet.types": types}
    config = load_connect_config(given(**{**settings, "value.converter": "Avro"}))
    mapping = AvroMapping(logical_types=logical_types, null_becomes_default=True)
    expected = AvroConverter(ConfluentSchemaRegistry({"schema.registry.url": URL}), mapping=mapping)
    assert expected.fingerprint == make_converter(config, lambda _: LearnedSchema()).fingerprint


@pytest.mark.parametrize(
    ("role", "settings", "subject"),
    [
        ("value", {}, "topic-value"),
        ("key", {}, "topic-key"),
        (
            "value",
            {"value.subject.name.strategy": "io.confluent.kafka.serializers.subject.RecordNameStrategy"},
            "shop.User",
        ),
        ("key", {"key.subject.name.strategy": "TopicRecordNameStrategy"}, "topic-shop.User"),
    ],
)
def test_a_registry_is_asked(role: str, settings: dict[str, str], subject: str) -> None:
    """The registry is asked with credentials for the schema, and for its version in the topic's subject."""
    schema = {"type": "record", "name": "shop.User", "fields": [{"name": "id", "type": "long"}]}
    with RegistryServer(credentials="me:secret") as server:
        number = server.add(subject, {"type": "string"})
        number = server.add(subject, schema)
        credentials = {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "me:secret"}
        converter = converter_of(role, "Avro", **{"schema.registry.url": server.url, **credentials, **settings})
        assert converter is not None
        rows = converter.convert(batch_of([b"\0" + number.to_bytes(4, "big") + b"\x0e"])).rows
    assert {"id": [7]} == rows.table.to_pydict()
    assert rows.value_schema is not None
    assert 2 == rows.value_schema.version


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"value.converter": "Avro"},
            'Missing required configuration "value.converter.schema.registry.url" which has no default value. AvroConverter '
            "needs a schema registry: set the URL of yours, such as http://registry:8081.",
        ),
        (
            {"value.converter": "Protobuf", "value.converter.schema.registry.url": "registry:8081"},
            "value.converter.schema.registry.url has registry:8081, which is not an http or https URL.",
        ),
        (
            {
                "value.converter": "Avro",
                "value.converter.schema.registry.url": URL,
                "value.converter.basic.auth.credentials.source": "SASL_INHERIT",
            },
            "value.converter.basic.auth.credentials.source=SASL_INHERIT is not supported. Set USER_INFO and "
            "value.converter.basic.auth.user.info=<name>:<password>.",
        ),
        (
            {
                "value.converter": "Avro",
                "value.converter.schema.registry.url": URL,
                "value.converter.value.subject.name.strategy": "com.example.Mine",
            },
            "value.converter.value.subject.name.strategy=com.example.Mine is not supported. Use TopicNameStrategy, "
            "RecordNameStrategy, TopicRecordNameStrategy.",
        ),
        (
            {
                "value.converter": "Avro",
                "value.converter.schema.registry.url": URL,
                "value.converter.generalized.sum.type.support": "true",
            },
            "value.converter.generalized.sum.type.support=true is not supported for AvroConverter. Remove it; the columns of "
            "unions are then named after their types.",
        ),
        (
            {
                "value.converter": "Avro",
                "value.converter.schema.registry.url": URL,
                "value.converter.max.retries": "many",
            },
            "Invalid value many for configuration value.converter.max.retries: Not a number of type INT.",
        ),
        (
            {"value.converter": "com.example.Mine"},
            f"value.converter=com.example.Mine is not known. Use {', '.join(CONVERTERS)}, or name your own "
            "RecordConverter as `package.module:Class`.",
        ),
        (
            {"value.converter": "collections:OrderedDict"},
            "Invalid value collections:OrderedDict for configuration value.converter: collections:OrderedDict is not a "
            "subclass of RecordConverter.",
        ),
        (
            {"key.converter": "Avro", "kafka2parquet.metadata.columns": "key"},
            'Missing required configuration "key.converter.schema.registry.url" which has no default value. AvroConverter '
            "needs a schema registry: set the URL of yours, such as http://registry:8081.",
        ),
    ],
)
def test_each_mistake_has_its_sentence(changes: dict[str, str], problem: str) -> None:
    """Each mistake is reported once, with property, value and advice."""
    assert [problem] == problems_of(**changes)


def test_secrets_are_not_shown() -> None:
    """Problems don't show secrets."""
    shown = "".join(
        problems_of(
            **{
                "value.converter": "Avro",
                "value.converter.schema.registry.url": "http://me:secret@registry,ftp://me:secret@other",
                "value.converter.basic.auth.user.info": "me:secret",
                "value.converter.bearer.auth.token": "secret",
                "value.converter.bearer.auth.credentials.source": "CUSTOM",
            }
        )
    )
    assert "secret" not in shown


@pytest.mark.parametrize("side", ["key.converter", "value.converter"])
def test_the_workers_converter_counts_where_the_connector_has_none(side: str) -> None:
    """The worker's converter has the worker's properties, and not those of the connector."""
    worker = WorkerConfig(converters={side: "Avro", f"{side}.schema.registry.url": URL})
    base = {name: text for name, text in given().items() if not name.startswith(side)}
    config = with_worker_converter(load_connect_config({**base, f"{side}.connect.meta.data": "false"}), worker)
    assert ("Avro", (URL,), True) == _settings(config, side)
    own = with_worker_converter(load_connect_config({**base, side: "String", "value.converter": "String"}), worker)
    assert "String" == own.text(side)


def _settings(config: ConnectConfig, side: str) -> tuple[Any, ...]:
    return config.text(side), config.items(f"{side}.schema.registry.url"), config.flag(f"{side}.connect.meta.data")


_GLUE = "com.amazonaws.services.schemaregistry.kafkaconnect."


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (f"{_GLUE}AWSKafkaAvroConverter", "AWS Glue's schema registry is not supported: its messages begin with 18 bytes"),
        (f"{_GLUE}AWSCrossAccountKafkaAvroConverter", "AWS Glue's schema registry is not supported"),
        (f"{_GLUE}jsonschema.JsonSchemaConverter", "AWS Glue's schema registry is not supported"),
        ("software.amazon.glue.kafkaconnect.AWSKafkaAvroConverter", "AWS Glue's schema registry is not supported"),
        ("io.apicurio.registry.utils.converter.AvroConverter", "Apicurio's registry is supported if messages begin like"),
    ],
)
def test_converters_of_other_registries(name: str, advice: str) -> None:
    """The advice describes the format of their messages, and doesn't only list the supported converters."""
    with pytest.raises(ConfigurationError, match=f"value.converter={re.escape(name)} is not supported. {advice}"):
        load_connect_config(given(**{"value.converter": name}))


def test_keys_of_another_registry_may_stay_where_they_are_not_written() -> None:
    """An unsupported registry for keys is accepted if keys aren't written, because no code reads them."""
    assert load_connect_config(given(**{"key.converter": f"{_GLUE}AWSKafkaAvroConverter"}))


@pytest.mark.parametrize("name", ["com.blueapron.connect.protobuf.ProtobufConverter", "com.acme.AvroConverter"])
def test_converters_of_others_are_not_taken_for_confluents(name: str) -> None:
    """A Java class of the same name reads another format."""
    with pytest.raises(ConfigurationError, match=f"value.converter={name} is not known. Use AvroConverter, "):
        load_connect_config(given(**{"value.converter": name, "value.converter.schema.registry.url": URL}))


def test_replicators_byte_array_converter_is_the_common_one() -> None:
    """It is the same class under another name."""
    name = "io.confluent.connect.replicator.util.ByteArrayConverter"
    assert ByteArrayConverter is type(converter_of("value", name))


def test_misspelled_property_of_the_registry_is_refused() -> None:
    """Unknown names that begin with `schema.registry.` are refused."""
    with pytest.raises(ConfigurationError) as caught:
        load_connect_config(
            given(
                **{
                    "value.converter": "Avro",
                    "value.converter.schema.registry.url": URL,
                    "value.converter.schema.registry.uri": URL,
                }
            )
        )
    assert (
        "value.converter.schema.registry.uri is not a known property. Known are value.converter.schema.registry.url and "
        "value.converter.schema.registry.ssl.*.",
    ) == tuple(caught.value.problems)


@pytest.mark.parametrize(("name", "extra"), [("Avro", "avro"), ("Protobuf", "protobuf"), ("JsonSchema", "registry")])
def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str, extra: str) -> None:
    """One command installs all that the converter needs, and not only the registry's client."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    config = load_connect_config(
        json_sink({"value.converter": f"{name}Converter", "value.converter.schema.registry.url": "http://127.0.0.1:1"})
    )
    with pytest.raises(ConfigurationError, match=rf"pip install 'kafka2parquet\[{extra}\]'\."):
        make_converter(config, lambda _: LearnedSchema())
