"""Which subjects the doctor asks a schema registry for."""

from __future__ import annotations

import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.doctor.broker.cluster import TopicInfo
from kafka2parquet.doctor.check import Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.registry import ask_for_subjects
from tests.support.registry_server import RegistryServer
from tests.support.sink_properties import json_sink

RECORD_NAMES = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
STRATEGY = "value.converter.value.subject.name.strategy"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema.compatibility": "BACKWARD"}, [(Level.WARNING, "payments")]),
        ({"schema.compatibility": "FULL", "topics": "orders"}, [(Level.OK, "")]),
        ({}, []),
        ({"schema.compatibility": "BACKWARD", STRATEGY: RECORD_NAMES}, []),
    ],
    ids=["one is missing", "all are there", "versions don't decide", "records name subjects"],
)
def test_subjects_of_topics(changes: dict[str, str], expected: list[tuple[Level, str]]) -> None:
    """A missing subject is a warning that names the subject, where the topic gives its name and versions decide."""
    with RegistryServer() as server:
        server.add("orders-value", '"string"')
        properties = {
            "topics": "orders,payments",
            "kafka2parquet.storage.url": "/unused",
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": server.url,
            **changes,
        }
        sink = {name: text for name, text in json_sink(properties).items() if name != "value.converter.schemas.enable"}
        facts = Facts.of(load_connect_config(sink), load_worker_config(bootstrap_servers="broker:9092"))
        facts.topics = tuple(TopicInfo(topic, 0) for topic in properties["topics"].split(","))
        found = list(ask_for_subjects(facts))
    assert expected == [(each.level, each.subject) for each in found]
    assert all("no subject payments-value" in each.text for each in found if each.level is Level.WARNING)
