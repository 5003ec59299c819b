"""Where a log begins and ends, from a kafka-python consumer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import kafka.errors as kafka_errors
from kafka.structs import TopicPartition


def log_starts(client: Any, names: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
    """Return the first offset that each log still has. Blocks for at most `timeout_ms`.

    Raises:
        kafka.errors.KafkaError: there is no answer for some partition.
    """
    return _asked(client.beginning_offsets, names, timeout_ms)


def log_ends(client: Any, names: Collection[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
    """Return the next offset that readers can see in each log. Blocks for at most `timeout_ms`.

    Raises:
        kafka.errors.KafkaError: there is no answer for some partition.
    """
    return _asked(client.end_offsets, names, timeout_ms)


def _asked(
    ask: Callable[..., Mapping[TopicPartition, int]], names: Collection[TopicPartition], timeout_ms: int
) -> Mapping[TopicPartition, int]:
    try:
        found = ask(list(names), timeout_ms=timeout_ms)
        return {name: found[name] for name in names}
    except KeyError as error:  # kafka-python answers for some partitions only where one has no leader
        raise kafka_errors.LeaderNotAvailableError(str(error)) from error
