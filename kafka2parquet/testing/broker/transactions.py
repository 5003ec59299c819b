"""Transactional producers: their ids and epochs, and the partitions and groups of their transactions.

A transactional id keeps its producer id forever. Its epoch grows with each initialisation, which fences older producers. A
transaction starts when the first partition or group is added, and ends with markers in all of its partitions. The producer
ends it; a new initialisation or the timeout aborts it.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from kafka2parquet.testing.broker.coordinator import GroupCoordinator, TopicPartition
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.topics import Topics


@attrs.define(eq=False)
class _Transaction:
    """The state of one transactional id. A transaction is open while it has partitions or groups."""

    producer_id: int
    epoch: int
    timeout_s: float
    partitions: set[TopicPartition] = attrs.Factory(set)
    groups: set[str] = attrs.Factory(set)
    deadline: float = 0.0
    last_ended_with_commit: bool | None = None  # the outcome of the last transaction, for a repeated EndTxn

    @property
    def is_open(self) -> bool:
        return bool(self.partitions or self.groups)


class TransactionCoordinator:
    """All producers of the broker. Not thread-safe: only the broker's event loop may use it."""

    def __init__(self, topics: Topics, groups: GroupCoordinator, wall_clock_ms: Callable[[], int]) -> None:
        self._topics = topics
        self._groups = groups
        self._wall_clock_ms = wall_clock_ms
        self._transactions: dict[str, _Transaction] = {}
        self._next_producer_id = 1000

    def init_producer(
        self, transactional_id: str | None, timeout_s: float, producer_id: int = -1, producer_epoch: int = -1
    ) -> tuple[int, int]:
        """Return a producer's id and epoch, and abort the transaction that its predecessor left open.

        Args:
            transactional_id: None for a producer that is only idempotent.
            timeout_s: how long a transaction may stay open.
            producer_id: the producer's current id if it only asks for a new epoch, else -1.
            producer_epoch: the producer's current epoch, else -1.

        Raises:
            BrokerError: the producer that asks for a new epoch is fenced.
        """
        if transactional_id is None:
            return self._new_producer_id(), 0
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            transaction = _Transaction(self._new_producer_id(), -1, timeout_s)
            self._transactions[transactional_id] = transaction
        elif producer_id >= 0 and (producer_id, producer_epoch) != (transaction.producer_id, transaction.epoch):
            raise BrokerError(ErrorCode.PRODUCER_FENCED)
        transaction.epoch += 1
        self._end(transaction, commit=False)
        transaction.timeout_s, transaction.last_ended_with_commit = timeout_s, None
        return transaction.producer_id, transaction.epoch

    def add_partitions(
        self, transactional_id: str, producer_id: int, producer_epoch: int, partitions: set[TopicPartition], now: float
    ) -> None:
        """Add partitions to a transaction.

        Raises:
            BrokerError: the producer is unknown or fenced.
        """
        transaction = self._open(transactional_id, producer_id, producer_epoch, now)
        transaction.partitions |= partitions

    def add_group(self, transactional_id: str, producer_id: int, producer_epoch: int, group_id: str, now: float) -> None:
        """Add the offsets of a group to a transaction.

        Raises:
            BrokerError: the producer is unknown or fenced.
        """
        self._open(transactional_id, producer_id, producer_epoch, now).groups.add(group_id)

    def check(self, transactional_id: str, producer_id: int, producer_epoch: int) -> None:
        """Raise a BrokerError if a producer is unknown or fenced."""
        self._find(transactional_id, producer_id, producer_epoch)

    def check_write(self, transactional_id: str, producer_id: int, producer_epoch: int, target: TopicPartition) -> None:
        """Check whether a producer may write to a partition now, so that a transaction marker will follow the records.

        Raises:
            BrokerError: the producer is unknown or fenced, or the partition was not added to its transaction.
        """
        transaction = self._transactions.get(transactional_id)
        if transaction is None or transaction.producer_id != producer_id:
            raise BrokerError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if transaction.epoch != producer_epoch:
            raise BrokerError(ErrorCode.INVALID_PRODUCER_EPOCH)
        if target not in transaction.partitions:
            raise BrokerError(ErrorCode.INVALID_TXN_STATE)

    def end(self, transactional_id: str, producer_id: int, producer_epoch: int, *, commit: bool) -> None:
        """Commit or abort a transaction. Repeating the request, after a lost response, changes nothing.

        Raises:
            BrokerError: the producer is unknown or fenced, or no transaction is open.
        """
        transaction = self._find(transactional_id, producer_id, producer_epoch)
        if transaction.is_open:
            self._end(transaction, commit=commit)
            transaction.last_ended_with_commit = commit
        elif transaction.last_ended_with_commit is not commit:
            raise BrokerError(ErrorCode.INVALID_TXN_STATE)

    def expire(self, now: float) -> bool:
        """Abort transactions that have been open for too long, and fence their producers. Returns whether there were any."""
        overdue = [each for each in self._transactions.values() if each.is_open and now >= each.deadline]
        for transaction in overdue:
            transaction.epoch += 1
            self._end(transaction, commit=False)
        return bool(overdue)

    def _open(self, transactional_id: str, producer_id: int, producer_epoch: int, now: float) -> _Transaction:
        transaction = self._find(transactional_id, producer_id, producer_epoch)
        if not transaction.is_open:
            transaction.deadline = now + transaction.timeout_s
        return transaction

    def _find(self, transactional_id: str, producer_id: int, producer_epoch: int) -> _Transaction:
        transaction = self._transactions.get(transactional_id)
        if transaction is None or transaction.producer_id != producer_id:
            raise BrokerError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if transaction.epoch != producer_epoch:
            raise BrokerError(ErrorCode.PRODUCER_FENCED)
        return transaction

    def _end(self, transaction: _Transaction, *, commit: bool) -> None:
        for topic, partition in transaction.partitions:
            try:
                log = self._topics.log(topic, partition)
            except BrokerError:
                continue  # the topic has been deleted meanwhile
            log.end_transaction(transaction.producer_id, transaction.epoch, self._wall_clock_ms(), commit=commit)
        for group_id in transaction.groups:
            self._groups.offsets(group_id).end_transaction(transaction.producer_id, commit=commit)
        transaction.partitions.clear()
        transaction.groups.clear()

    def _new_producer_id(self) -> int:
        self._next_producer_id += 1
        return self._next_producer_id
