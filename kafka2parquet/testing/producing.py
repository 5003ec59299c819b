"""Produces records to a topic of a real broker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic


def produce(
    bootstrap_servers: str, topic: str, partitions: int, values: Sequence[bytes], timestamps_ms: npt.NDArray[np.int64]
) -> None:
    """Create the topic and send the values to its partitions in turn. Blocks until the broker has acknowledged all.

    Raises:
        kafka.errors.KafkaError: whatever kafka-python raises. This function is for demos, not for services.
    """
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        admin.create_topics([NewTopic(name=topic, num_partitions=partitions, replication_factor=-1)])
    finally:
        admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, compression_type="zstd", linger_ms=50, batch_size=1 << 18)
    try:
        for number, (value, timestamp_ms) in enumerate(zip(values, timestamps_ms.tolist(), strict=True)):
            producer.send(topic, value, partition=number % partitions, timestamp_ms=timestamp_ms)
        producer.flush()
    finally:
        producer.close()
