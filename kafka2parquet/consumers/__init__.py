"""Consumers: where records come from, and the adapter for kafka-python.

A consumer of another client implements the `Consumer` protocol with the other names here: the token of an assignment, and the
events that `Consumer.poll` returns.
"""

from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    CommittedOffset,
    Consumer,
    ConsumerEvent,
    GroupMember,
    LogBounds,
    PartitionFailed,
    Polled,
    Revoked,
)
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer

__all__ = [
    "Assigned",
    "Assignment",
    "CommitRefused",
    "CommitSucceeded",
    "CommittedOffset",
    "Consumer",
    "ConsumerEvent",
    "GroupMember",
    "KafkaPythonConsumer",
    "LogBounds",
    "PartitionFailed",
    "Polled",
    "Revoked",
]
