"""What the delivery engine relies on in a consumer, as tests for pytest.

Subclass `ConsumerContract` in a test module and define one fixture, `kafka`, with the methods of `KafkaUnderTest`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs
import pytest

from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    CommittedOffset,
    Consumer,
    ConsumerEvent,
    PartitionFailed,
    Revoked,
)
from kafka2parquet.errors import DataLossError, TopicRecreatedError, UsageError
from kafka2parquet.records import ConsumedBatch, TopicPartition

_LIMIT_S = 60.0
_GROUP = "group-of-the-contract"


class KafkaUnderTest(Protocol):
    """A broker and its consumers. `append` gives record number n the timestamp n milliseconds and the key `k<n>`."""

    def make_topic(self, partitions: int) -> str:
        """Make a new topic and return its name."""

    def append(self, topic: str, partition: int, values: Sequence[bytes | None]) -> None:
        """Append records; readers can see the records when this returns."""

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Delete all records before an offset."""

    def consumer(self, group_id: str, topic: str) -> Consumer:
        """Return a consumer that has not joined the group yet. The fixture closes the consumer."""


@attrs.define(eq=False)
class Reader:
    """Polls a consumer as an engine would, and keeps all events and batches."""

    consumer: Consumer
    events: list[ConsumerEvent] = attrs.Factory(list)
    batches: list[ConsumedBatch] = attrs.Factory(list)
    started: bool = True
    assigned: dict[int, Assigned] = attrs.Factory(dict)

    def poll(self, timeout_s: float = 0.1) -> None:
        """Poll once; start new partitions at their committed offset, or at the start of their log."""
        polled = self.consumer.poll(timeout_s)
        for event in polled.events:
            self.events.append(event)
            if isinstance(event, Assigned):
                self.assigned[event.assignment.topic_partition.partition] = event
                if self.started:
                    self.consumer.start(event.assignment, event.committed.offset if event.committed else event.log_start)
            elif isinstance(event, Revoked):
                self.assigned.pop(event.assignment.topic_partition.partition, None)
        owned = {assigned.assignment.topic_partition for assigned in self.assigned.values()}
        for batch in polled.batches:
            assert batch.topic_partition in owned, "a batch of a partition that is not ours"
            self.batches.append(batch)

    def poll_until(self, condition: Callable[[], object]) -> None:
        """Poll until the condition holds."""
        poll_all_until(condition, self)

    def poll_for(self, seconds: float) -> None:
        """Poll for some seconds, to check that something doesn't happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.poll()

    def offsets(self, partition: int = 0) -> list[int]:
        """Return the offsets of all records that were delivered from a partition."""
        batches = (batch for batch in self.batches if batch.topic_partition.partition == partition)
        return [offset for batch in batches for offset in batch.offsets.to_pylist()]

    def events_of(self, kind: type[ConsumerEvent]) -> list[ConsumerEvent]:
        """Return all events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def assignment(self) -> Assignment:
        """The assignment of partition 0."""
        return self.assigned[0].assignment


def poll_all_until(condition: Callable[[], object], *readers: Reader) -> None:
    """Poll the readers one after another until the condition holds.

    Raises:
        TimeoutError: the condition doesn't hold within 60 s.
    """
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"The condition did not hold within {_LIMIT_S} s. Events: {[reader.events for reader in readers]}"
            )
        for reader in readers:
            reader.poll(0.05)


def _has_more(reader: Reader, than: int) -> bool:
    return len(reader.offsets()) > than


class ConsumerContract:
    """Checks that every `Consumer` has to pass.

    A subclass defines one fixture: `kafka`, a broker with its consumers, which has the methods of `KafkaUnderTest`.
    """

    @pytest.fixture
    def topic(self, kafka: KafkaUnderTest) -> str:
        """Make a topic with one partition and ten records."""
        topic = kafka.make_topic(1)
        kafka.append(topic, 0, [b"value %d" % number for number in range(10)])
        return topic

    @pytest.fixture
    def reader(self, kafka: KafkaUnderTest, topic: str) -> Reader:
        """Return a reader to which the topic's partition is assigned."""
        reader = Reader(kafka.consumer(_GROUP, topic))
        reader.poll_until(lambda: reader.assigned)
        return reader

    def test_describes_a_new_partition(self, reader: Reader, topic: str) -> None:
        """The event of a new assignment has the committed offset (None here), the log's bounds and both ids."""
        assigned = reader.assigned[0]

        assert TopicPartition(topic, 0) == assigned.assignment.topic_partition
        assert (None, 0, 10) == (assigned.committed, assigned.log_start, assigned.log_end)
        assert assigned.cluster_id
        assert assigned.topic_id

    def test_delivers_nothing_before_start(self, kafka: KafkaUnderTest, topic: str) -> None:
        """An assigned partition delivers records only after `start`."""
        reader = Reader(kafka.consumer(_GROUP, topic), started=False)
        reader.poll_until(lambda: reader.assigned)
        reader.poll_for(0.5)

        assert [] == reader.batches

    def test_delivers_all_columns(self, reader: Reader) -> None:
        """Keys, values and timestamps of all records are delivered in the order of the log."""
        reader.poll_until(lambda: len(reader.offsets()) == 10)

        assert [b"value %d" % number for number in range(10)] == [
            value for batch in reader.batches for value in batch.values.to_pylist()
        ]
        assert [b"k%d" % number for number in range(10)] == [key for batch in reader.batches for key in batch.keys.to_pylist()]
        assert list(range(10)) == [time for batch in reader.batches for time in batch.timestamps_ms.to_pylist()]
        assert list(range(10)) == reader.offsets()
        assert 10 == reader.batches[-1].high_watermark

    def test_delivers_tombstones(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """A record without a value has a null value, which differs from an empty value."""
        kafka.append(topic, 0, [None, b""])
        reader.poll_until(lambda: len(reader.offsets()) == 12)

        assert [None, b""] == [value for batch in reader.batches for value in batch.values.to_pylist()][-2:]

    def test_starts_at_the_given_offset(self, kafka: KafkaUnderTest, topic: str) -> None:
        """A start in the middle of the log is exact: the first batch starts at that offset."""
        reader = Reader(kafka.consumer(_GROUP, topic), started=False)
        reader.poll_until(lambda: reader.assigned)
        reader.consumer.start(reader.assignment, 4)
        reader.poll_until(lambda: reader.offsets()[-1:] == [9])

        assert list(range(4, 10)) == reader.offsets()
        assert 4 == reader.batches[0].first_offset

    def test_batches_are_gapless(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """Each batch starts where the batch before it ended."""
        for _ in range(5):
            before = len(reader.offsets())
            kafka.append(topic, 0, [b"later"])
            reader.poll_until(functools.partial(_has_more, reader, before))
        reader.poll_until(lambda: len(reader.offsets()) == 15)

        bounds = [0, *(batch.next_offset for batch in reader.batches)]
        assert bounds[:-1] == [batch.first_offset for batch in reader.batches]

    def test_goes_back(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """A second start delivers from its own offset again, and drops whatever was fetched before."""
        kafka.append(topic, 0, [b"x" * 100] * 5000)
        reader.poll_until(lambda: reader.batches)
        reader.batches.clear()
        reader.consumer.start(reader.assignment, 2)
        reader.poll_until(lambda: reader.offsets()[-1:] == [5009])

        assert list(range(2, 5010)) == reader.offsets()

    def test_commits(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """The outcome of a commit is an event, and the next owner gets offset and metadata."""
        reader.consumer.commit(reader.assignment, 7, "some ~ metadata")
        reader.poll_until(lambda: reader.events_of(CommitSucceeded))
        assert [CommitSucceeded(reader.assignment, 7, "some ~ metadata")] == reader.events_of(CommitSucceeded)
        reader.consumer.close(5.0)
        after = Reader(kafka.consumer(_GROUP, topic))
        after.poll_until(lambda: after.assigned)

        assert CommittedOffset(7, "some ~ metadata") == after.assigned[0].committed

    def test_takes_one_commit_at_a_time(self, reader: Reader) -> None:
        """A second commit is refused until the outcome of the first is known."""
        reader.consumer.commit(reader.assignment, 1, "first")
        with pytest.raises(UsageError, match="under way"):
            reader.consumer.commit(reader.assignment, 2, "second")
        reader.poll_until(lambda: reader.events_of(CommitSucceeded))
        reader.consumer.commit(reader.assignment, 2, "second")
        reader.poll_until(lambda: len(reader.events_of(CommitSucceeded)) == 2)

    @pytest.mark.parametrize("metadata", ["x" * 301, "ünï"])
    def test_refuses_odd_metadata(self, reader: Reader, metadata: str) -> None:
        """Commit metadata has to be ASCII of at most 300 characters."""
        with pytest.raises(UsageError, match="ASCII"):
            reader.consumer.commit(reader.assignment, 1, metadata)

    def test_refuses_a_commit_with_an_old_token(self, reader: Reader) -> None:
        """A commit with the assignment of an earlier epoch is refused, although the partition is the same."""
        old = attrs.evolve(reader.assignment, epoch=reader.assignment.epoch - 1)
        reader.consumer.commit(old, 5, "late")
        reader.poll_until(lambda: reader.events_of(CommitRefused))

        refused = reader.events_of(CommitRefused)[0]
        assert isinstance(refused, CommitRefused)
        assert (old, 5, "late") == (refused.assignment, refused.offset, refused.metadata)

    def test_pauses_without_losing_the_position(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """A paused partition delivers nothing, and continues at its position after `resume`."""
        reader.poll_until(lambda: len(reader.offsets()) == 10)
        reader.consumer.pause(reader.assignment)
        kafka.append(topic, 0, [b"later"] * 10)
        reader.poll_for(0.7)
        assert 10 == len(reader.offsets())
        reader.consumer.resume(reader.assignment)
        reader.poll_until(lambda: len(reader.offsets()) == 20)

        assert list(range(20)) == reader.offsets()

    def test_shares_partitions_with_a_second_member(self, kafka: KafkaUnderTest) -> None:
        """A partition that moves is revoked before the other member gets it; the others continue without gap or event."""
        topic = kafka.make_topic(4)
        one, two = (Reader(kafka.consumer(_GROUP, topic)) for _ in range(2))
        one.poll_until(lambda: len(one.assigned) == 4)
        for partition in range(4):
            kafka.append(topic, partition, [b"x"] * 100)
        one.poll_until(lambda: sum(len(one.offsets(partition)) for partition in range(4)) == 400)
        before = dict(one.assigned)
        poll_all_until(lambda: len(one.assigned) == 2 == len(two.assigned), one, two)
        for partition in range(4):
            kafka.append(topic, partition, [b"y"] * 100)
        poll_all_until(lambda: all(len(one.offsets(partition)) == 200 for partition in one.assigned), one, two)

        assert set(range(4)) == set(one.assigned) | set(two.assigned)
        assert set() == set(one.assigned) & set(two.assigned)
        assert {partition: before[partition] for partition in one.assigned} == one.assigned
        assert all(list(range(200)) == one.offsets(partition) for partition in one.assigned)

    def test_gives_its_partitions_up_when_it_closes(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """Another member gets the partitions of a closed consumer, which may be closed again but not polled."""
        reader.consumer.close(5.0)
        reader.consumer.close(5.0)
        with pytest.raises(UsageError, match="closed"):
            reader.consumer.poll(0)
        other = Reader(kafka.consumer(_GROUP, topic))
        other.poll_until(lambda: other.assigned)

    def test_reports_lost_records(self, kafka: KafkaUnderTest, reader: Reader, topic: str) -> None:
        """A start before the start of the log reports the missing range; another start continues."""
        reader.poll_until(lambda: len(reader.offsets()) == 10)
        kafka.delete_records(topic, 0, 6)
        reader.batches.clear()
        reader.consumer.start(reader.assignment, 2)
        reader.poll_until(lambda: reader.events_of(PartitionFailed))
        failed = reader.events_of(PartitionFailed)[0]
        assert isinstance(failed, PartitionFailed)
        assert isinstance(failed.error, DataLossError)
        assert (2, 6) == (failed.error.missing_start, failed.error.missing_end)
        reader.consumer.start(reader.assignment, 6)
        reader.poll_until(lambda: reader.offsets()[-1:] == [9])

        assert list(range(6, 10)) == reader.offsets()

    def test_reports_a_log_that_is_too_short(self, reader: Reader) -> None:
        """A start after the end of the log reports that the topic was recreated."""
        reader.consumer.start(reader.assignment, 1000)
        reader.poll_until(lambda: reader.events_of(PartitionFailed))
        failed = reader.events_of(PartitionFailed)[0]

        assert isinstance(failed, PartitionFailed)
        assert isinstance(failed.error, TopicRecreatedError)
