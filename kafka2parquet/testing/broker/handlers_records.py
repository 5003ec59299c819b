"""Handlers of requests about records: produce, fetch, offsets, deletion of records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.log import PartitionLog, Read
from kafka2parquet.testing.broker.messages import Call, Handler
from kafka2parquet.testing.broker.record_batches import read_header
from kafka2parquet.testing.broker.topics import Topics
from kafka2parquet.testing.broker.transactions import TransactionCoordinator

_READ_COMMITTED = 1

# timestamps with a special meaning in ListOffsets
_LATEST = -1
_EARLIEST = -2
_NEWEST_TIMESTAMP = -3
_EARLIEST_LOCAL = -4


class DataSignal:
    """Wakes the fetches that wait for records. Only the broker's event loop may use it."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all waiting fetches: more records can be read now."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        """Wait for the next `notify`, or until the timeout."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=timeout_s)
        finally:
            self._waiting.discard(future)


@attrs.frozen
class RecordHandlers:
    """Handles requests that read or change logs.

    Attributes:
        topics: the broker's topics.
        transactions: the broker's transactional producers.
        data: notified when records or transaction markers were appended.
    """

    topics: Topics
    transactions: TransactionCoordinator
    data: DataSignal

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request, by the name of the request."""
        return {
            "Produce": self.produce,
            "Fetch": self.fetch,
            "ListOffsets": self.list_offsets,
            "OffsetForLeaderEpoch": self.offset_for_leader_epoch,
            "DeleteRecords": self.delete_records,
        }

    async def produce(self, call: Call) -> Any:
        """Append record batches."""
        topic_class = call.api.response.TopicProduceResponse
        response = call.response(
            responses=[
                topic_class(
                    name=topic.name,
                    partition_responses=[self._produce(call, topic.name, partition) for partition in topic.partition_data],
                )
                for topic in call.request.topic_data
            ]
        )
        self.data.notify()
        return response if call.request.acks != 0 else None

    def _produce(self, call: Call, topic: str, partition: Any) -> Any:
        base_offset, log_start_offset, code = -1, -1, ErrorCode.NONE.value
        try:
            call.check()
            log = self.topics.log(topic, partition.index)
            data = bytes(partition.records or b"")
            transactional_id = call.request.transactional_id
            if transactional_id is not None:
                header = read_header(data)
                target = (topic, partition.index)
                self.transactions.check_write(transactional_id, header.producer_id, header.producer_epoch, target)
            base_offset, log_start_offset = log.append(data), log.start
        except BrokerError as error:
            code = error.code
        return call.api.response.TopicProduceResponse.PartitionProduceResponse(
            index=partition.index,
            error_code=code,
            base_offset=base_offset,
            log_append_time_ms=-1,
            log_start_offset=log_start_offset,
        )

    async def fetch(self, call: Call) -> Any:
        """Read record batches. Waits until there are `min_bytes` to read, or until `max_wait_ms` have passed.

        The response has session id 0, which refuses fetch sessions (KIP-227), so every request names all its partitions.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + call.request.max_wait_ms / 1000
        while not self._has_enough(call) and (left_s := deadline - now()) > 0:
            await self.data.wait(left_s)
        left_bytes = call.request.max_bytes
        topic_class = call.api.response.FetchableTopicResponse
        is_first = True
        topics = []
        for topic in call.request.topics:
            partitions = []
            for partition in topic.partitions:
                answer = self._fetch(call, topic.topic, partition, left_bytes, is_first)
                left_bytes -= len(answer.records)
                is_first = is_first and not answer.records
                partitions.append(answer)
            topics.append(topic_class(topic=topic.topic, partitions=partitions))
        return call.response(responses=topics)

    def _has_enough(self, call: Call) -> bool:
        """Return whether the response to a fetch is ready: there is enough data, or an error."""
        found_bytes = 0
        for topic in call.request.topics:
            for partition in topic.partitions:
                try:
                    call.check()
                    log = self.topics.log(topic.topic, partition.partition)
                    readable_bytes = log.readable_bytes(partition.fetch_offset, committed_only=_wants_committed(call))
                except BrokerError:
                    return True
                found_bytes += min(readable_bytes, partition.partition_max_bytes)
        return bool(found_bytes >= call.request.min_bytes)

    def _fetch(self, call: Call, topic: str, partition: Any, left_bytes: int, is_first: bool) -> Any:
        partition_class = call.api.response.FetchableTopicResponse.PartitionData
        try:
            call.check()
            log = self.topics.log(topic, partition.partition)
            read = log.read(
                partition.fetch_offset,
                min(left_bytes, partition.partition_max_bytes),
                committed_only=_wants_committed(call),
                at_least_one=is_first,
            )
        except BrokerError as error:
            return partition_class(
                partition_index=partition.partition,
                error_code=error.code,
                high_watermark=-1,
                aborted_transactions=None,
                records=b"",
            )
        return partition_class(
            partition_index=partition.partition,
            error_code=ErrorCode.NONE,
            high_watermark=log.end,
            last_stable_offset=log.last_stable_offset,
            log_start_offset=log.start,
            aborted_transactions=_aborted(partition_class, read) if _wants_committed(call) else None,
            records=read.data,
        )

    async def list_offsets(self, call: Call) -> Any:
        """Return log starts, log ends, or the first records that are not older than a timestamp."""
        topic_class = call.api.response.ListOffsetsTopicResponse
        return call.response(
            topics=[
                topic_class(
                    name=topic.name,
                    partitions=[self._list_offsets(call, topic.name, partition) for partition in topic.partitions],
                )
                for topic in call.request.topics
            ]
        )

    def _list_offsets(self, call: Call, topic: str, partition: Any) -> Any:
        offset, timestamp_ms, code = -1, -1, ErrorCode.NONE.value
        try:
            call.check()
            log = self.topics.log(topic, partition.partition_index)
            offset, timestamp_ms = _find_offset(log, partition.timestamp, _wants_committed(call))
        except BrokerError as error:
            code = error.code
        return call.api.response.ListOffsetsTopicResponse.ListOffsetsPartitionResponse(
            partition_index=partition.partition_index,
            error_code=code,
            timestamp=timestamp_ms,
            offset=offset,
            old_style_offsets=[offset] if offset >= 0 else [],
            leader_epoch=0 if offset >= 0 else -1,
        )

    async def offset_for_leader_epoch(self, call: Call) -> Any:
        """Return the log end: there is only one leader epoch, which never ends."""
        topic_class = call.api.response.OffsetForLeaderTopicResult
        return call.response(
            topics=[
                topic_class(
                    topic=topic.topic,
                    partitions=[self._leader_epoch(call, topic.topic, partition) for partition in topic.partitions],
                )
                for topic in call.request.topics
            ]
        )

    def _leader_epoch(self, call: Call, topic: str, partition: Any) -> Any:
        end_offset, code = -1, ErrorCode.NONE.value
        try:
            call.check()
            end_offset = self.topics.log(topic, partition.partition).end
        except BrokerError as error:
            code = error.code
        return call.api.response.OffsetForLeaderTopicResult.EpochEndOffset(
            error_code=code, partition=partition.partition, leader_epoch=-1 if code else 0, end_offset=end_offset
        )

    async def delete_records(self, call: Call) -> Any:
        """Move log starts up."""
        topic_class = call.api.response.DeleteRecordsTopicResult
        return call.response(
            topics=[
                topic_class(
                    name=topic.name,
                    partitions=[self._delete_records(call, topic.name, partition) for partition in topic.partitions],
                )
                for topic in call.request.topics
            ]
        )

    def _delete_records(self, call: Call, topic: str, partition: Any) -> Any:
        low_watermark, code = -1, ErrorCode.NONE.value
        try:
            call.check()
            low_watermark = self.topics.log(topic, partition.partition_index).delete_before(partition.offset)
        except BrokerError as error:
            code = error.code
        return call.api.response.DeleteRecordsTopicResult.DeleteRecordsPartitionResult(
            partition_index=partition.partition_index, low_watermark=low_watermark, error_code=code
        )


def _wants_committed(call: Call) -> bool:
    return bool(call.request.isolation_level == _READ_COMMITTED)


def _aborted(partition_class: Any, read: Read) -> list[Any]:
    return [
        partition_class.AbortedTransaction(producer_id=each.producer_id, first_offset=each.first_offset)
        for each in read.aborted
    ]


def _find_offset(log: PartitionLog, timestamp_ms: int, committed_only: bool) -> tuple[int, int]:
    """Return the offset and the timestamp in milliseconds that ListOffsets asks for; -1 for one that doesn't exist."""
    fixed: dict[int, Callable[[], int]] = {
        _LATEST: lambda: log.last_stable_offset if committed_only else log.end,
        _EARLIEST: lambda: log.start,
        _EARLIEST_LOCAL: lambda: log.start,
    }
    if timestamp_ms in fixed:
        return fixed[timestamp_ms](), -1
    found = log.newest_timestamp() if timestamp_ms == _NEWEST_TIMESTAMP else log.offset_for_time(timestamp_ms)
    return found or (-1, -1)
