"""Handlers of requests of transactional and idempotent producers."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import attrs

from kafka2parquet.testing.broker.coordinator import CommittedOffset, GroupCoordinator
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.handlers_groups import GroupHandlers
from kafka2parquet.testing.broker.handlers_records import DataSignal
from kafka2parquet.testing.broker.messages import Call, Handler
from kafka2parquet.testing.broker.transactions import TransactionCoordinator


@attrs.frozen
class TransactionHandlers:
    """Handles requests of the transaction protocol, in the versions before KIP-890.

    Attributes:
        transactions: the broker's producers.
        groups: the broker's groups.
        group_handlers: stores the offsets of a transaction.
        data: notified when transaction markers make more records readable.
    """

    transactions: TransactionCoordinator
    groups: GroupCoordinator
    group_handlers: GroupHandlers
    data: DataSignal

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request, by the name of the request."""
        return {
            "InitProducerId": self.init_producer_id,
            "AddPartitionsToTxn": self.add_partitions_to_txn,
            "AddOffsetsToTxn": self.add_offsets_to_txn,
            "TxnOffsetCommit": self.txn_offset_commit,
            "EndTxn": self.end_txn,
        }

    async def init_producer_id(self, call: Call) -> Any:
        """Return a producer's id and epoch."""
        asked = call.request
        producer_id, producer_epoch, code = -1, -1, ErrorCode.NONE.value
        try:
            call.check()
            producer_id, producer_epoch = self.transactions.init_producer(
                asked.transactional_id, asked.transaction_timeout_ms / 1000, asked.producer_id, asked.producer_epoch
            )
        except BrokerError as error:
            code = error.code
        self.data.notify()
        return call.response(error_code=code, producer_id=producer_id, producer_epoch=producer_epoch)

    async def add_partitions_to_txn(self, call: Call) -> Any:
        """Add partitions to a transaction."""
        asked = call.request
        topics = asked.v3_and_below_topics
        code = call.attempt(
            functools.partial(
                self.transactions.add_partitions,
                asked.v3_and_below_transactional_id,
                asked.v3_and_below_producer_id,
                asked.v3_and_below_producer_epoch,
                {(topic.name, partition) for topic in topics for partition in topic.partitions},
                asyncio.get_running_loop().time(),
            )
        )
        topic_class = call.api.response.AddPartitionsToTxnTopicResult
        partition_class = topic_class.AddPartitionsToTxnPartitionResult
        return call.response(
            results_by_topic_v3_and_below=[
                topic_class(
                    name=topic.name,
                    results_by_partition=[
                        partition_class(partition_index=partition, partition_error_code=code) for partition in topic.partitions
                    ],
                )
                for topic in topics
            ]
        )

    async def add_offsets_to_txn(self, call: Call) -> Any:
        """Add the offsets of a group to a transaction."""
        asked = call.request
        now = asyncio.get_running_loop().time()
        add = functools.partial(
            self.transactions.add_group, asked.transactional_id, asked.producer_id, asked.producer_epoch, asked.group_id, now
        )
        return call.response(error_code=call.attempt(add))

    async def txn_offset_commit(self, call: Call) -> Any:
        """Store offsets that take effect when their transaction is committed."""
        asked = call.request
        refused = call.attempt(functools.partial(self._check_offset_commit, asked))

        def store(topic: str, partition: Any) -> int:
            offset = CommittedOffset(
                partition.committed_offset, partition.committed_leader_epoch, partition.committed_metadata or ""
            )
            return refused or self.group_handlers.store_offset(
                asked.group_id, topic, partition.partition_index, offset, asked.producer_id
            )

        topic_class = call.api.response.TxnOffsetCommitResponseTopic
        return call.response(
            topics=[
                topic_class(
                    name=topic.name,
                    partitions=[
                        topic_class.TxnOffsetCommitResponsePartition(
                            partition_index=partition.partition_index, error_code=store(topic.name, partition)
                        )
                        for partition in topic.partitions
                    ],
                )
                for topic in asked.topics
            ]
        )

    def _check_offset_commit(self, asked: Any) -> None:
        self.transactions.check(asked.transactional_id, asked.producer_id, asked.producer_epoch)
        if asked.generation_id >= 0:
            self.groups.group(asked.group_id).check_commit(
                asked.member_id, asked.group_instance_id, asked.generation_id, asyncio.get_running_loop().time()
            )

    async def end_txn(self, call: Call) -> Any:
        """Commit or abort a transaction."""
        asked = call.request

        def end() -> None:
            self.transactions.end(asked.transactional_id, asked.producer_id, asked.producer_epoch, commit=asked.committed)

        code = call.attempt(end)
        self.data.notify()
        return call.response(error_code=code)
