"""How rejected records are handled: tolerated or not, limited, logged, sent to a dead-letter topic."""

import kafka2parquet.consumers.kafka_python  # noqa: F401  # has to run before any module imports a part of kafka-python
from kafka2parquet.dead_letters.base import DeadLetterFuture, DeadLetterQueue
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.kafka_queue import KafkaDeadLetterQueue
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance

__all__ = [
    "DeadLetterFuture",
    "DeadLetterQueue",
    "FailureReporter",
    "KafkaDeadLetterQueue",
    "RejectLimit",
    "RejectLog",
    "Tolerance",
]
