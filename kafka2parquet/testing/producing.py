"""Puts records into a topic of a real broker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic


def produce(
    bootstrap_servers: str, topic: str, partitions: int, values: Sequence[bytes], timestamps_ms: npt.NDArray[np.int64]
) -> None:
    """Make the topic and put the values into its partitions by turns. Blocks until the broker has all of them.

    Raises:
        kafka.errors.KafkaError: what kafka-python raises; this is for trials, not for services.
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
