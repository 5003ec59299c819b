"""KafkaPythonConsumer beyond the contract: what breaks, on the embedded broker, which breaks on order."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator

import pytest

from kafka2parquet.consumers.base import Assigned, CommitRefused, CommitSucceeded, CommittedOffset, PartitionFailed, Revoked
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer
from kafka2parquet.consumers.kafka_python.shared_state import Command
from kafka2parquet.errors import CorruptRecordBatchError, KafkaUnavailableError, TopicRecreatedError, UsageError
from kafka2parquet.records import decode_headers
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.broker.record_batches import build_batches
from kafka2parquet.testing.contracts.consumer import Reader, poll_all_until
from tests.support.kafka_clients import python_producer
from tests.support.kafka_consumers import Consumers

GROUP, TOPIC = "group", "topic"


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(auto_create_topics=False) as broker:
        broker.create_topic(TOPIC)
        yield broker


@pytest.fixture
def consumers(broker: EmbeddedBroker) -> Iterator[Consumers]:
    with Consumers(broker.bootstrap) as consumers:
        yield consumers


@pytest.fixture
def reader(consumers: Consumers) -> Reader:
    reader = Reader(consumers.consumer(GROUP, TOPIC))
    reader.poll_until(lambda: reader.assigned)
    return reader


def append(broker: EmbeddedBroker, count: int) -> None:
    broker.append_values(TOPIC, 0, [b"value"] * count, [0] * count)


def _has_partitions(reader: Reader) -> Callable[[], object]:
    """Return a condition: the reader has been assigned partitions."""
    return lambda: reader.assigned


def test_a_lost_answer_to_a_commit_is_read_back(broker: EmbeddedBroker, reader: Reader) -> None:
    """A commit that was stored succeeds without a second request, even if its answer is lost."""
    broker.inject("OffsetCommit", lose_response=True)
    reader.consumer.commit(reader.assignment, 0, "unsure")
    reader.poll_until(lambda: reader.events_of(CommitSucceeded))

    assert (0, "unsure") == broker.committed(GROUP, TOPIC, 0)
    assert [] == reader.events_of(CommitRefused)


def test_a_commit_that_stays_unclear_ends_the_assignment(broker: EmbeddedBroker, reader: Reader) -> None:
    """The member rejoins before it commits anything else, because the unclear commit might still arrive."""
    append(broker, 10)
    before = reader.assignment
    broker.inject("OffsetCommit", close=True, times=1000)
    reader.consumer.commit(before, 5, "never")
    reader.poll_until(lambda: reader.events_of(CommitRefused))
    broker.clear_faults()
    reader.poll_until(lambda: reader.assigned and reader.assignment != before)

    assert [Revoked(before)] == reader.events_of(Revoked)
    assert [] == reader.events_of(CommitSucceeded)
    reader.consumer.commit(reader.assignment, 6, "again")
    reader.poll_until(lambda: reader.events_of(CommitSucceeded))
    assert (6, "again") == broker.committed(GROUP, TOPIC, 0)


def test_an_evicted_member_gets_a_new_assignment(broker: EmbeddedBroker, reader: Reader) -> None:
    """An evicted member's commits are refused, and its partition starts again under a new token."""
    append(broker, 10)
    reader.poll_until(lambda: len(reader.offsets()) == 10)
    before = reader.assignment
    broker.evict(GROUP)
    reader.consumer.commit(before, 5, "late")
    reader.poll_until(lambda: reader.assigned and reader.assignment != before)

    assert [Revoked(before)] == reader.events_of(Revoked)
    assert [5] == [event.offset for event in reader.events_of(CommitRefused) if isinstance(event, CommitRefused)]
    assert broker.committed(GROUP, TOPIC, 0) is None


@pytest.mark.parametrize("call", ["start", "pause"])
def test_a_partition_that_is_lost_between_two_polls_is_revoked(broker: EmbeddedBroker, reader: Reader, call: str) -> None:
    """A call about a partition that kafka-python's own thread has just given up doesn't fail."""
    append(broker, 10)
    poll_thread = reader.consumer._poll_thread  # type: ignore[attr-defined]
    run_command = poll_thread._run_command

    def lose_and_run(command: Command) -> None:
        poll_thread._client._subscription.assign_from_subscribed([])
        poll_thread._run_command = run_command
        run_command(command)

    poll_thread._run_command = lose_and_run
    before = reader.assignment
    arguments = (before, 0) if call == "start" else (before,)
    getattr(reader.consumer, call)(*arguments)
    broker.evict(GROUP)
    reader.poll_until(lambda: reader.assigned and reader.assignment != before)
    reader.poll_until(lambda: set(range(10)) <= set(reader.offsets()))


def test_a_broker_that_goes_away_and_comes_back(broker: EmbeddedBroker, reader: Reader) -> None:
    """Reading continues after a broker outage, and nothing is raised."""
    append(broker, 10)
    reader.poll_until(lambda: len(reader.offsets()) == 10)
    broker.stop_listening()
    reader.poll_for(0.5)
    broker.start_listening()
    append(broker, 10)
    reader.poll_until(lambda: set(reader.offsets()) == set(range(20)))


def test_a_corrupt_batch_fails_its_partition_alone(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """Batches before a corrupt one are delivered, the error names its offset, and a start behind it continues."""
    append(broker, 10)
    good = b"".join(build_batches([b"broken"] * 3, [0] * 3))
    broker.append(TOPIC, 0, good[:-1] + bytes([good[-1] ^ 1]), check_crc=False)
    append(broker, 10)
    reader = Reader(consumers.consumer(GROUP, TOPIC))
    reader.poll_until(lambda: reader.events_of(PartitionFailed))
    failed = reader.events_of(PartitionFailed)[0]

    assert isinstance(failed, PartitionFailed)
    assert isinstance(failed.error, CorruptRecordBatchError)
    assert (TOPIC, 0, 10) == (failed.error.topic, failed.error.partition, failed.error.offset)
    assert 13 == failed.error.next_offset
    assert b"broken" in failed.error.content
    assert list(range(10)) == reader.offsets()
    reader.consumer.start(reader.assignment, 13)
    reader.poll_until(lambda: reader.offsets()[-1] == 22)


def test_headers_that_make_no_sense_fail_the_partition(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A batch with an impossible length is an error with its offset, not a hang."""
    good = b"".join(build_batches([b"x"], [0]))
    broker.append(TOPIC, 0, good[:57] + struct.pack(">i", 5000) + good[61:], check_crc=False)
    reader = Reader(consumers.consumer(GROUP, TOPIC))
    reader.poll_until(lambda: reader.events_of(PartitionFailed))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_all_codecs_with_headers(broker: EmbeddedBroker, reader: Reader, codec: str) -> None:
    """Keys, values, timestamps and headers arrive as they were sent, with each codec."""
    with python_producer(broker.bootstrap, compression_type=None if codec == "none" else codec) as producer:
        for number in range(300):
            headers = [("h", b"%d" % number), ("h", b"again"), ("é", b"")] if number % 3 else []
            producer.send(TOPIC, b"v" * (number * 7), None if number % 2 else b"k%d" % number, headers, timestamp_ms=number)
        producer.flush()
    reader.poll_until(lambda: len(reader.offsets()) == 300)
    columns = {
        name: [value for batch in reader.batches for value in getattr(batch, name).to_pylist()]
        for name in ("keys", "values", "headers", "timestamps_ms")
    }

    assert [None if number % 2 else b"k%d" % number for number in range(300)] == columns["keys"]
    assert [b"v" * (number * 7) for number in range(300)] == columns["values"]
    assert list(range(300)) == columns["timestamps_ms"]
    assert [(("h", b"%d" % number), ("h", b"again"), ("é", b"")) if number % 3 else () for number in range(300)] == [
        decode_headers(section) for section in columns["headers"]
    ]


def test_aborted_records_only_move_the_position(broker: EmbeddedBroker, reader: Reader) -> None:
    """An empty batch covers the records of an aborted transaction and all markers."""
    with python_producer(broker.bootstrap, transactional_id="transactions") as producer:
        producer.init_transactions()
        for aborted in (False, True):
            producer.begin_transaction()
            for _ in range(5):
                producer.send(TOPIC, b"aborted" if aborted else b"committed", partition=0)
            producer.flush()
            (producer.abort_transaction if aborted else producer.commit_transaction)()
    end = broker.log_end(TOPIC, 0)
    reader.poll_until(lambda: reader.batches and reader.batches[-1].next_offset == end)

    assert [0, 1, 2, 3, 4] == reader.offsets()
    assert {b"committed"} == {value for batch in reader.batches for value in batch.values.to_pylist()}


def test_holes_in_the_log_are_not_gaps(broker: EmbeddedBroker, reader: Reader) -> None:
    """Batches also cover the offsets that compaction has removed."""
    append(broker, 3)
    broker.leave_gap(TOPIC, 0, 40)
    append(broker, 3)
    reader.poll_until(lambda: len(reader.offsets()) == 6)

    bounds = [0, *(batch.next_offset for batch in reader.batches)]
    assert bounds[:-1] == [batch.first_offset for batch in reader.batches]
    assert 46 == bounds[-1]


def test_a_topic_that_was_created_again_is_noticed(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A partition of a re-created topic fails, or comes back with the new topic's id."""
    reader = Reader(consumers.consumer(GROUP, TOPIC, metadata_max_age_ms=200))
    append(broker, 10)
    reader.poll_until(lambda: len(reader.offsets()) == 10)
    before = reader.assigned[0]
    broker.delete_topic(TOPIC)
    broker.create_topic(TOPIC)

    def noticed() -> bool:
        failed = [event for event in reader.events_of(PartitionFailed) if isinstance(event, PartitionFailed)]
        again = [event for event in reader.events_of(Assigned) if isinstance(event, Assigned)]
        return any(isinstance(event.error, TopicRecreatedError) for event in failed) or any(
            event.topic_id != before.topic_id for event in again
        )

    reader.poll_until(noticed)


def test_partitions_that_are_added_are_assigned(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A new partition is assigned while the old one continues."""
    reader = Reader(consumers.consumer(GROUP, TOPIC, metadata_max_age_ms=200))
    reader.poll_until(lambda: reader.assigned)
    before = reader.assignment
    broker.create_partitions(TOPIC, 3)
    reader.poll_until(lambda: set(reader.assigned) == {0, 1, 2})

    assert before == reader.assignment


def test_a_pattern_has_to_match_the_whole_name(broker: EmbeddedBroker) -> None:
    """A pattern has to match a topic's whole name, and also finds topics that are created later."""
    broker.create_topic("topic-b")
    broker.create_topic("other-topic")
    consumer = KafkaPythonConsumer(
        bootstrap_servers=broker.bootstrap,
        group_id=GROUP,
        topics_pattern="topic(-b)?",
        client_settings={"metadata_max_age_ms": 200},
    )
    polled: set[str] = set()
    reader = Reader(consumer)
    try:
        reader.poll_until(
            lambda: (
                {"topic", "topic-b"}
                == {event.assignment.topic_partition.topic for event in reader.events if isinstance(event, Assigned)} | polled
            )
        )
    finally:
        consumer.close(5.0)


def test_a_driver_that_stops_polling_gives_its_partitions_up(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A driver loses its partitions after `max_poll_interval_ms` without a poll, and joins again with the next poll."""
    lazy = Reader(consumers.consumer(GROUP, TOPIC, max_poll_interval_ms=1000))
    lazy.poll_until(lambda: lazy.assigned)
    before = lazy.assignment
    other = Reader(consumers.consumer(GROUP, TOPIC))
    other.poll_until(lambda: other.assigned)
    other.consumer.close(5.0)
    lazy.poll_until(lambda: lazy.assigned and lazy.assignment != before)

    assert [Revoked(before)] == lazy.events_of(Revoked)


def test_fetching_pauses_at_the_budget_and_goes_on(broker: EmbeddedBroker) -> None:
    """A slow driver costs a bounded amount of memory and loses nothing."""
    broker.append_values(TOPIC, 0, [b"x" * 1000] * 20_000, [0] * 20_000)
    consumer = KafkaPythonConsumer(
        bootstrap_servers=broker.bootstrap, group_id=GROUP, topics=[TOPIC], queue_bytes=1 << 20, gather_max_wait_s=0.01
    )
    reader = Reader(consumer)
    try:
        reader.poll_until(lambda: reader.offsets()[-1:] == [19_999])
    finally:
        consumer.close(5.0)
    assert list(range(20_000)) == reader.offsets()


def test_an_unreachable_broker_is_an_error_that_says_so() -> None:
    """`poll` raises an error when `connect_timeout_s` is over and no broker has answered."""
    consumer = KafkaPythonConsumer(bootstrap_servers="127.0.0.1:1", group_id=GROUP, topics=[TOPIC], connect_timeout_s=0.1)
    reader = Reader(consumer)
    with pytest.raises(KafkaUnavailableError, match=r"127\.0\.0\.1:1.*bootstrap\.servers"):
        reader.poll_until(lambda: False)
    consumer.close(5.0)


def test_a_forked_child_may_not_use_it(reader: Reader) -> None:
    """A forked child gets an error instead of a hang, and closing the consumer there does nothing."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reader.consumer.poll(0)
        except UsageError:
            reader.consumer.close(1.0)
            os.write(write_end, b"refused")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"refused" == os.read(read_end, 20)
    os.close(read_end)
    os.close(write_end)
    reader.poll()


def test_topics_or_a_pattern() -> None:
    """The constructor requires either topics or a pattern, but not both."""
    with pytest.raises(UsageError):
        KafkaPythonConsumer(bootstrap_servers="x", group_id=GROUP)


def test_a_static_member_comes_back_to_its_partitions(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A restarted static member gets its partitions back without a wait."""
    first = Reader(consumers.consumer(GROUP, TOPIC, group_instance_id="one"))
    first.poll_until(lambda: first.assigned)
    first.consumer.commit(first.assignment, 0, "mine")
    first.poll_until(lambda: first.events_of(CommitSucceeded))
    first.consumer.close(5.0)
    again = Reader(consumers.consumer(GROUP, TOPIC, group_instance_id="one"))
    again.poll_until(lambda: again.assigned)

    assert CommittedOffset(0, "mine") == again.assigned[0].committed


def test_members_that_come_and_go_never_leave_a_gap(broker: EmbeddedBroker, consumers: Consumers) -> None:
    """A partition that stays with a member continues without a gap, whatever the other members do."""
    broker.create_topic("busy", partitions=6)
    steady = Reader(consumers.consumer(GROUP, "busy"))
    for _ in range(3):
        guest = Reader(consumers.consumer(GROUP, "busy"))
        for partition in range(6):
            broker.append_values("busy", partition, [b"x"] * 50, [0] * 50)
        poll_all_until(_has_partitions(guest), steady, guest)
        guest.consumer.close(5.0)
        steady.poll_until(lambda: len(steady.assigned) == 6)
    kept: dict[int, int] = {}
    for batch in steady.batches:
        partition = batch.topic_partition.partition
        expected = kept.get(partition)
        assert expected in (None, batch.first_offset) or batch.first_offset == 0
        kept[partition] = batch.next_offset
