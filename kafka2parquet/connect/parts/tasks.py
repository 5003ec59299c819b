"""Decides how many tasks a process starts."""

from __future__ import annotations

import logging

from kafka2parquet.connect.clients.consumer import ConsumerSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.cores import usable_cores
from kafka2parquet.connect.properties.names import TASKS
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.util.display import counted

_LOG = logging.getLogger(__name__)

#: How long a start waits for the number of partitions. Without an answer, the cores decide.
_TIMEOUT_S = 5.0


def task_count(config: ConnectConfig, partitions: int | None, cores: int) -> int:
    """Return how many tasks a process starts: the number that the configuration sets, or as many as help.

    A task more than the topics have partitions has nothing to read. A task more than there are cores costs CPU time, because
    each task fetches, decodes and encodes smaller batches.

    Args:
        config: the connector's configuration.
        partitions: the number of partitions of all topics; None if it isn't known.
        cores: the number of cores that the process may use.
    """
    return config.number(TASKS) or min(config.tasks_max, cores, cores if partitions is None else max(1, partitions))


def decide_task_count(config: ConnectConfig, consumer: ConsumerSettings) -> int:
    """Return how many tasks this process starts, and log the reason if there are fewer than `tasks.max`.

    Kafka is asked only if the number of partitions matters. Blocks until a broker answers, for about five seconds at most.
    Without an answer the tasks start nevertheless: they wait for the brokers, or fail with the reason.
    """
    if config.number(TASKS):
        return config.number(TASKS)
    cores = usable_cores()
    partitions = _partitions(config, consumer) if task_count(config, None, cores) > 1 else None
    tasks = task_count(config, partitions, cores)
    if tasks < config.tasks_max:
        topics = "" if partitions is None else f", and the topics have {counted(partitions, 'partition')}"
        _LOG.info(
            "Starting %s of at most %d (tasks.max): this process may use %s%s. %s sets another number.",
            counted(tasks, "task"),
            config.tasks_max,
            counted(cores, "core"),
            topics,
            TASKS,
        )
    return tasks


def _partitions(config: ConnectConfig, consumer: ConsumerSettings) -> int | None:
    """Ask Kafka how many partitions the topics have; None without an answer, or if a topic doesn't exist yet."""
    try:
        with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings, _TIMEOUT_S) as log:
            counts = [log.partition_count(topic) for topic in config.topics_among(log.topics)]
    except Kafka2ParquetError as error:
        _LOG.info("Kafka doesn't say how many partitions the topics have, so tasks.max and the cores decide: %s", error)
        return None
    return sum(counts) if all(counts) and counts else None
