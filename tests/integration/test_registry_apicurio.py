"""ConfluentSchemaRegistry with a real registry: schemas of every kind, references, versions, what isn't there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kafka2parquet import ConfluentSchemaRegistry
from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.registry.base import SchemaNotFound
from kafka2parquet.errors import SchemaRegistryUnavailableError
from kafka2parquet.records import TopicPartition
from tests.support.batches import batch_of
from tests.support.kafka_clients import unique

ADDRESS = {"type": "record", "name": "Address", "namespace": "x", "fields": [{"name": "zip", "type": "string"}]}
MONEY = 'syntax = "proto3"; package m; message Money { int64 cents = 1; }'
ORDER = 'syntax = "proto3"; package o; import "money.proto"; message Order { m.Money total = 1; }'


@pytest.fixture
def client(registry_server: Any) -> Iterator[ConfluentSchemaRegistry]:
    registry = ConfluentSchemaRegistry({"schema.registry.url": registry_server.url})
    yield registry
    registry.close()


def _record(*names: str) -> dict[str, Any]:
    fields = [{"name": name, "type": ["null", "int"], "default": None} for name in names]
    return {"type": "record", "name": "R", "fields": fields}


def test_versions_of_a_subject(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """Each id has the version of its subject."""
    subject = unique("t") + "-value"
    ids = [registry_server.register(subject, _record(*"abc"[:count])) for count in (1, 2, 3)]
    found = [client.schema(schema_id, subject) for schema_id in ids]
    assert [1, 2, 3] == [schema.version for schema in found]
    assert [_record(*"abc"[:count]) for count in (1, 2, 3)] == [json.loads(schema.text) for schema in found]
    assert ["AVRO"] * 3 == [schema.type for schema in found]


def test_the_same_schema_in_two_subjects(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """One id has a different version in each subject, and none in a subject without the schema."""
    one, two = unique("t") + "-value", unique("t") + "-value"
    registry_server.register(two, _record("a"))
    schema_id = registry_server.register(two, _record("a", "b"))
    assert schema_id == registry_server.register(one, _record("a", "b"))
    assert [1, 2, None] == [client.schema(schema_id, subject).version for subject in (one, two, unique("t"))]


def test_avro_with_a_reference(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """Referenced schemas are included, under the names by which they are referenced."""
    subject, address = unique("t") + "-value", unique("address")
    registry_server.register(address, ADDRESS)
    customer = {"type": "record", "name": "C", "fields": [{"name": "home", "type": "x.Address"}]}
    schema_id = registry_server.register(subject, customer, references=[("x.Address", address, 1)])
    ((name, referenced),) = client.schema(schema_id, subject).references
    assert ("x.Address", ADDRESS, 1) == (name, json.loads(referenced.text), referenced.version)


def test_protobuf_with_a_reference(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """Files are returned as they were registered."""
    subject, money = unique("t") + "-value", unique("money")
    registry_server.register(money, MONEY, "PROTOBUF")
    schema_id = registry_server.register(subject, ORDER, "PROTOBUF", references=[("money.proto", money, 1)])
    found = client.schema(schema_id, subject)
    ((name, referenced),) = found.references
    assert ("PROTOBUF", ORDER) == (found.type, found.text)
    assert ("money.proto", "PROTOBUF", MONEY) == (name, referenced.type, referenced.text)


def test_json_schema(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """JSON Schema, the third format, is returned, too."""
    subject = unique("t") + "-value"
    schema = {"title": "J", "type": "object", "properties": {"a": {"type": "integer"}}}
    found = client.schema(registry_server.register(subject, schema, "JSON"), subject)
    assert ("JSON", schema, 1) == (found.type, json.loads(found.text), found.version)


def test_what_confluents_serializer_writes(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """Producers alternate between two registered versions, and each value is a row of its version."""
    topic = unique("t")
    with SchemaRegistryClient({"url": registry_server.url}) as producers_client:
        versions = [AvroSerializer(producers_client, json.dumps(_record(*names))) for names in ("a", "ab")]
        context = SerializationContext(topic, MessageField.VALUE)
        rows = [{"a": number, "b": -number} if number % 2 else {"a": number} for number in range(6)]
        values = [versions[len(row) - 1](row, context) for row in rows]
    batch = attrs.evolve(batch_of(values), topic_partition=TopicPartition(topic, 0))
    converted = AvroConverter(client).convert(batch)
    assert [] == list(converted.rejects)
    found = {group.value_schema.version: group.table.to_pylist() for group in converted.groups if group.value_schema}
    assert {1: rows[::2], 2: rows[1::2]} == found


def test_an_unknown_id(client: ConfluentSchemaRegistry) -> None:
    """The registry answers that the schema is unknown, which differs from a registry that is down."""
    with pytest.raises(SchemaNotFound, match="schema id 999999 is not in the registry"):
        client.schema(999_999, "t-value")


def test_a_subject_that_was_deleted(registry_server: Any, client: ConfluentSchemaRegistry) -> None:
    """Records of a deleted subject can be read, because a log may outlive its subjects."""
    subject = unique("t") + "-value"
    schema_id = registry_server.register(subject, _record(unique("a").replace("-", "_")))
    registry_server.delete(subject)
    found = client.schema(schema_id, subject)
    assert (schema_id, 1) == (found.id, found.version)


def test_a_registry_that_is_away_and_comes_back(own_registry: Any) -> None:
    """Known schemas don't need the registry, and records with unknown ones wait for it."""
    subject = unique("t") + "-value"
    known = own_registry.register(subject, _record("a"))
    client = ConfluentSchemaRegistry({"schema.registry.url": own_registry.url, "max.retries": "0"})
    before = client.schema(known, subject)
    own_registry.stop()
    assert before is client.schema(known, subject)
    with pytest.raises(SchemaRegistryUnavailableError):
        client.schema(known + 1, subject)
    own_registry.start()
    own_registry.register(unique("t"), _record("a"))
    new = own_registry.register(subject, _record("a", "b"))
    assert _record("a", "b") == json.loads(client.schema(new, subject).text)
    client.close()
