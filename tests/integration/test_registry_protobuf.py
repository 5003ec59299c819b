"""ProtobufConverter with a real registry and Confluent's own serializer."""

from __future__ import annotations

from typing import Any

import attrs
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import message_factory

from kafka2parquet import ConfluentSchemaRegistry, ProtobufConverter
from kafka2parquet.converters.protobuf.files import compile_file
from kafka2parquet.records import TopicPartition
from tests.support.batches import batch_of
from tests.support.kafka_clients import unique
from tests.support.registries import registered

ORDERS = registered("""
    syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    message Order {
      message Line { string article = 1; uint32 count = 2; }
      int64 number = 1;
      repeated Line lines = 2;
      google.protobuf.Timestamp at = 3;
    }
    message Refund { int64 number = 1; }
""")


def test_what_confluents_serializer_writes(registry_server: Any) -> None:
    """The serializer registers two messages of one file as descriptors, and each value is a row of its message."""
    topic = unique("t")
    compiled = compile_file(ORDERS)
    order, line, refund = (message_factory.GetMessageClass(compiled.message(indexes)) for indexes in ([0], [0, 0], [1]))
    context = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry_server.url}) as client:
        values = [
            ProtobufSerializer(type(message), client, {"use.deprecated.format": False})(message, context)
            for message in (order(number=1, lines=[line(article="a", count=2)]), refund(number=2), line(article="b"))
        ]
    registry = ConfluentSchemaRegistry({"schema.registry.url": registry_server.url})
    batch = attrs.evolve(batch_of(values), topic_partition=TopicPartition(topic, 0))
    converted = ProtobufConverter(registry).convert(batch)
    registry.close()
    assert [] == [reject.reason for reject in converted.rejects]
    assert [
        {"number": 1, "lines": [{"article": "a", "count": 2}], "at": None},
        {"number": 2},
        {"article": "b", "count": 0},
    ] == [row for group in converted.groups for row in group.table.to_pylist()]
