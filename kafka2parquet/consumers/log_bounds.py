"""Looks up where logs start and end, through a kafka-python consumer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import kafka.errors as kafka_errors
from kafka.structs import TopicPartition


def log_starts(client: Any, names: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
    """Return the first offset that each log still has. Blocks for at most `timeout_ms`.

    Raises:
        kafka.errors.KafkaError: the answer for a partition is missing.
    """
    return _asked(client.beginning_offsets, names, timeout_ms)


def log_ends(client: Any, names: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
    """Return the end of each log for readers: the next offset that they will see. Blocks for at most `timeout_ms`.

    Raises:
        kafka.errors.KafkaError: the answer for a partition is missing.
    """
    return _asked(client.end_offsets, names, timeout_ms)


def _asked(
    ask: Callable[..., Mapping[TopicPartition, int]], names: Collection[TopicPartition], timeout_ms: int
) -> Mapping[TopicPartition, int]:
    try:
        found = ask(list(names), timeout_ms=timeout_ms)
        return {name: found[name] for name in names}
    # kafka-python silently leaves out partitions without a leader. Can go once it raises for them.
    except KeyError as error:
        raise kafka_errors.LeaderNotAvailableError(str(error)) from error
