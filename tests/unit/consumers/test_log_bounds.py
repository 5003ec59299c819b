"""Starts and ends of logs, looked up through a kafka-python consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import kafka.errors as kafka_errors
import pytest
from kafka.structs import TopicPartition

from kafka2parquet.consumers.log_bounds import log_ends, log_starts

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class Client:
    """Answers for the partitions that have a leader."""

    def __init__(self, *led: TopicPartition) -> None:
        self.led = led

    def beginning_offsets(self, names: Sequence[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
        return {name: 3 for name in names if name in self.led}

    def end_offsets(self, names: Sequence[TopicPartition], timeout_ms: int) -> Mapping[TopicPartition, int]:
        return {name: 9 for name in names if name in self.led}


def test_each_partition_has_its_bounds() -> None:
    """The result has an offset for each partition."""
    client = Client(FIRST, SECOND)

    assert {FIRST: 3, SECOND: 3} == log_starts(client, [FIRST, SECOND], 1)
    assert {FIRST: 9} == log_ends(client, [FIRST], 1)


def test_a_partition_without_a_leader_is_a_temporary_error() -> None:
    """A partition that kafka-python leaves out of its answer is reported as a partition without a leader."""
    with pytest.raises(kafka_errors.LeaderNotAvailableError):
        log_starts(Client(FIRST), [FIRST, SECOND], 1)
