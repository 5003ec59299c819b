"""Protobuf from a registry, two alternating versions of a schema: on Apache Kafka, Apicurio and S3, from a configuration."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import message_factory

from kafka2parquet.converters.protobuf.files import compile_file
from tests.support.connect_sink import ConnectRun, ConnectSink, ObjectName
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import unique
from tests.support.registries import registered
from tests.support.topic_partition_writer import Sent, files_of

PARTITIONS = 3
ROWS = 300
FLUSH_ROWS = 60
BEGIN = datetime.datetime(2026, 5, 17, 10, 0, tzinfo=datetime.timezone.utc)
FILE = """
    syntax = "proto3";
    package shop;
    import "google/protobuf/timestamp.proto";
    message Order {
      int64 number = 1;
      google.protobuf.Timestamp at = 2;
      State state = 3;
      Customer customer = 4;
      repeated Line lines = 5;
      oneof payment { Card card = 6; uint32 cash_cents = 7; }
      %s
      enum State { NEW = 0; PAID = 1; %s }
      message Customer { string name = 1; Address address = 2; message Address { string city = 1; } }
      message Line { string sku = 1; double price = 2; }
      message Card { string holder = 1; }
    }
"""
#: The second version has two more fields and another state.
VERSIONS = {1: FILE % ("", ""), 2: FILE % ("string note = 8; optional int32 discount = 9;", "SENT = 2;")}


def _row(index: int, version: int) -> dict[str, Any]:
    """Returns the expected row of a record, which also determines its message."""
    card, cash = index % 3 == 0, index % 3 == 1
    row: dict[str, Any] = {
        "number": index,
        "at": BEGIN + datetime.timedelta(seconds=index * 25),
        "state": ["NEW", "PAID", "SENT"][index % (1 + version)],
        "customer": {"name": f"c{index}", "address": {"city": "Paris"} if index % 2 else None} if index % 7 else None,
        "lines": [{"sku": f"s{line}", "price": line / 4} for line in range(index % 4)],
        "payment_0": {"card": {"holder": "h"} if card else None, "cash_cents": index if cash else None},
    }
    if not card and not cash:
        row["payment_0"] = None
    if version == 2:
        row |= {"note": f"note {index}" if index % 2 else "", "discount": index if index % 5 else None}
    return row


def _filled(message: Any, row: Mapping[str, Any]) -> Any:
    """Makes the message of a row."""
    message.number, message.state = (
        row["number"],
        message.DESCRIPTOR.enum_types_by_name["State"].values_by_name[row["state"]].number,
    )
    message.at.FromDatetime(row["at"])
    if row["customer"] is not None:
        message.customer.name = row["customer"]["name"]
        if row["customer"]["address"] is not None:
            message.customer.address.city = row["customer"]["address"]["city"]
    for line in row["lines"]:
        message.lines.add(**line)
    payment = row["payment_0"] or {}
    if payment.get("card") is not None:
        message.card.holder = payment["card"]["holder"]
    if payment.get("cash_cents") is not None:
        message.cash_cents = payment["cash_cents"]
    for name in ("note", "discount"):
        if row.get(name) is not None:
            setattr(message, name, row[name])
    return message


@attrs.frozen
class Log:
    """A topic and its records, by partition."""

    topic: str
    records: Mapping[int, list[Sent]]


@pytest.fixture(scope="module")
def log(kafka_server: Any, registry_server: Any) -> Log:
    """Produces records with Confluent's serializer, which registers their schemas; versions change every few records."""
    topic = unique("orders")
    create_topic(kafka_server.bootstrap, topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap})
    context = SerializationContext(topic, MessageField.VALUE)
    records: dict[int, list[Sent]] = collections.defaultdict(list)
    messages = {
        version: message_factory.GetMessageClass(compile_file(registered(text)).message([0]))
        for version, text in VERSIONS.items()
    }
    with SchemaRegistryClient({"url": registry_server.url}) as client:
        settings = {"use.deprecated.format": False}
        serialize = {version: ProtobufSerializer(message, client, settings) for version, message in messages.items()}
        for partition in range(PARTITIONS):
            for offset in range(ROWS):
                version = 1 + (offset // (5 + 4 * partition)) % 2
                row = _row(offset, version)
                producer.produce(topic, serialize[version](_filled(messages[version](), row), context), partition=partition)
                folder = f"{row['at']:year=%Y/month=%m/day=%d/hour=%H}"
                records[partition].append(Sent(offset, round(row["at"].timestamp() * 1000), folder, version, row))
    producer.flush()
    return Log(topic, records)


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


def may_join(record: int, file: int) -> bool:
    """Returns whether a record may join a file: under BACKWARD a newer version begins a file, an older one is projected."""
    return record <= file


def test_new_fields_under_backward(registry_server: Any, sink: ConnectSink, log: Log) -> None:
    """Files settle on the newer version, in which older records have null for missing fields."""
    properties = sink.properties(
        {
            "topics": log.topic,
            "value.converter": "io.confluent.connect.protobuf.ProtobufConverter",
            "value.converter.schema.registry.url": registry_server.url,
            "timestamp.extractor": "RecordField",
            "timestamp.field": "at",
            "schema.compatibility": "BACKWARD",
            "flush.size": str(FLUSH_ROWS),
        }
    )
    with ConnectRun(sink, properties) as run:
        progress = run.drain(PARTITIONS * ROWS)
    assert (PARTITIONS * ROWS, 0) == (progress.committed_rows, progress.rejected)
    absent = {"note": None, "discount": None}
    expected = {
        ObjectName(log.topic, file.folder, partition, file.offsets[0]): [
            {**(absent if file.schema == 2 else {}), **record.row} for record in file.records
        ]
        for partition, records in log.records.items()
        for file in files_of(records, flush_size=FLUSH_ROWS, may_join=may_join)
    }
    assert expected == {name: table.to_pylist() for name, table in sink.tables()}
