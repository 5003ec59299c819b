"""Makes `KafkaConsumer.poll` return columns, or builds columns from the records that it returns.

kafka-python creates records through the attribute `PartitionRecords` of its fetcher. A version that finds or calls this class
in another way continues to create `ConsumerRecord`s. They are converted to columns, which is slow but equally exact. Can go
once kafka-python returns raw record batches.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import kafka
import kafka.errors as kafka_errors

from kafka2parquet.consumers.record_batches.fetched_batches import ColumnarPartitionRecords, FetchedBatches, columns_of
from kafka2parquet.consumers.record_batches.headers import NO_HEADERS
from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import ConsumedBatch, TopicPartition

_LOG = logging.getLogger(__name__)

#: Limit of one poll. With columns, a whole fetch of a partition counts as one record.
_MOST_RECORDS = 8192


def poll_columns(consumer: Any) -> None:
    """Patch the `poll` of a new `KafkaConsumer` to return lists of `FetchedBatches`."""
    polling = _Polling(consumer)
    consumer.poll = polling.poll


@attrs.frozen(eq=False)
class FetchedRecords(FetchedBatches):
    """Records that kafka-python has decoded, for versions of kafka-python that can't return columns."""

    single: Sequence[Any]
    error: Exception | None

    def decode_legacy(self, most_bytes: int) -> ConsumedBatch:
        """Build columns from the records. kafka-python has already decompressed them, so `most_bytes` has no effect.

        Raises:
            CorruptRecordBatchError: kafka-python couldn't decode the batch.
        """
        if self.error is not None:
            raise self.corrupt(str(self.error), self.first_offset) from self.error
        return self.batch_of(columns_of(self.single), self.size_bytes)


class _Polling:
    """The replacement for one consumer's `poll`."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._poll = consumer.poll
        self._fetcher: Any = getattr(consumer, "_fetcher", None)
        self._warned = False
        self._makes_columns: bool | None = None  # unknown until the first records arrive
        own_class = getattr(self._fetcher, "PartitionRecords", None)

        def make(*arguments: Any, **keywords: Any) -> Any:
            try:
                return ColumnarPartitionRecords(*arguments, **keywords)
            except (TypeError, AttributeError):
                if own_class is None:
                    raise
                return own_class(*arguments, **keywords)

        if self._fetcher is not None:
            with contextlib.suppress(AttributeError):
                self._fetcher.PartitionRecords = make
            with contextlib.suppress(AttributeError):
                self._fetcher._parse_fetched_data = self._with_stable_end(self._fetcher._parse_fetched_data)
        if getattr(self._fetcher, "PartitionRecords", None) is not make:
            self._warn()

    @staticmethod
    def _with_stable_end(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Let kafka-python keep the end of the log for readers, instead of the high watermark.

        Behind the last stable offset are records of open transactions, which readers can't see yet. Can go once kafka-python
        returns this offset.
        """

        def parse_fetched(fetched: Any) -> Any:
            data = fetched.partition_data
            stable_end = getattr(data, "last_stable_offset", None)
            if stable_end is not None and stable_end >= 0:
                data.high_watermark = stable_end
            return parse(fetched)

        return parse_fetched

    def poll(self, timeout_ms: int) -> Mapping[Any, Sequence[FetchedBatches]]:
        """Return fetched batches by topic-partition. Blocks as long as `KafkaConsumer.poll`.

        Raises:
            CorruptRecordBatchError: the headers of a record batch are invalid.
            kafka.errors.KafkaError: kafka-python raised another error.
        """
        before = {} if self._makes_columns else self._positions()
        try:
            fetched: Mapping[Any, Sequence[Any]] = self._poll(timeout_ms=timeout_ms, max_records=_MOST_RECORDS)
        except (Kafka2ParquetError, OSError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, kafka_errors.KafkaError) and not isinstance(error, kafka_errors.CorruptRecordError):
                raise
            if not (corrupt := self._corrupt(error)):
                raise
            return corrupt
        if self._makes_columns is None and fetched:
            self._makes_columns = all(isinstance(piece, FetchedBatches) for pieces in fetched.values() for piece in pieces)
        if self._makes_columns:
            return fetched
        return self._gather(before, fetched)

    def _positions(self) -> dict[Any, int]:
        """Return the positions of all partitions that are being read.

        `KafkaConsumer.position` is not used, because it may raise, and records would be lost.
        """
        states = dict(self._consumer._subscription.assignment)  # a copy, because kafka-python's own thread may change it
        return {
            partition: state.position.offset
            for partition, state in states.items()
            if not state.paused and state.position is not None
        }

    def _gather(self, before: Mapping[Any, int], fetched: Mapping[Any, Sequence[Any]]) -> dict[Any, list[FetchedBatches]]:
        """Return each partition's records up to its new position, which may be after markers and other skipped offsets."""
        gathered: dict[Any, list[FetchedBatches]] = {}
        for partition, next_offset in self._positions().items():
            records = fetched.get(partition, ())
            first_offset = before.get(partition, records[0].offset if records else next_offset)
            if next_offset <= first_offset:
                continue
            if records:
                self._warn()
            gathered[partition] = _pieces(partition, records, first_offset, next_offset)
        return gathered

    def _corrupt(self, error: Exception) -> dict[Any, list[FetchedBatches]]:
        """Turn an error of kafka-python's own decoder into a piece whose decoding raises it.

        Returns {} if the failed partition is unknown. Pauses the partition, because kafka-python would fetch the same bytes
        again and again. A start resumes it.
        """
        broken = getattr(self._fetcher, "_next_partition_records", None)
        if broken is None or isinstance(broken, ColumnarPartitionRecords):
            return {}
        partition = broken.topic_partition
        broken.drain()  # otherwise each poll would try to decode it again
        position = self._positions().get(partition)
        if position is None:
            return {}
        self._consumer.pause(partition)
        return {partition: [_piece(partition, (), position, position, error)]}

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _LOG.warning(
                "kafka-python %s creates records in a way that kafka2parquet does not support. Records are read one by one,"
                " which is exact but several times slower. Install a version of kafka-python that kafka2parquet requires.",
                kafka.__version__,
            )


def _pieces(partition: Any, records: Sequence[Any], first_offset: int, next_offset: int) -> list[FetchedBatches]:
    """Return one piece for each run of records with the same leader epoch. The last piece extends to `next_offset`."""
    runs = [list(run) for _, run in itertools.groupby(records, key=lambda record: record.leader_epoch)] or [[]]
    starts = [first_offset, *(run[0].offset for run in runs[1:]), next_offset]
    return [_piece(partition, run, *bounds) for run, bounds in zip(runs, itertools.pairwise(starts), strict=True)]


def _piece(
    partition: Any, records: Sequence[Any], first_offset: int, next_offset: int, error: Exception | None = None
) -> FetchedRecords:
    sizes = ((record.serialized_key_size, record.serialized_value_size, record.serialized_header_size) for record in records)
    return FetchedRecords(
        topic_partition=TopicPartition(*partition),
        data=b"",
        headers=NO_HEADERS,
        legacy=(0, sum(size for record_sizes in sizes for size in record_sizes if size > 0)),
        first_offset=first_offset,
        next_offset=next_offset,
        leader_epoch=records[-1].leader_epoch if records else -1,
        records=len(records),
        single=records,
        error=error,
    )
