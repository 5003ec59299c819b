"""Brokers whose settings are too small for what is kept with a committed offset."""

from __future__ import annotations

import pytest

from kafka2parquet import DefaultPartitioner, JsonConverter, KafkaPythonConsumer, RecordCountRotation, SinkTask
from kafka2parquet.errors import GuaranteeError
from kafka2parquet.testing import MemoryStorage
from tests.stack.kafka import kafka
from tests.support.kafka_clients import fill, make_topic, wait_until


def test_small_offset_metadata_is_reported_with_the_name_of_the_setting() -> None:
    """Nothing is published, and the message names the setting of the broker to change."""
    storage = MemoryStorage()
    with kafka(settings="offset.metadata.max.bytes=64") as server:
        topic = make_topic(server.bootstrap)
        fill(server.bootstrap, topic, [b'{"a": 1}'] * 10)
        task = SinkTask(
            consumer=KafkaPythonConsumer(bootstrap_servers=server.bootstrap, group_id="small", topics=[topic]),
            converter=JsonConverter(),
            partitioner=DefaultPartitioner(),
            rotation=RecordCountRotation(10),
            storage=storage,
        )
        with pytest.raises(GuaranteeError, match=r"The broker setting offset\.metadata\.max\.bytes is too small"), task:
            wait_until(lambda: task.step(0.2).files, "an error")

    assert {} == storage.objects
