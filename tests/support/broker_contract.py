"""What tests rely on in a broker: passed by the embedded one and by Apache Kafka alike.

A subclass gives a fixture `bootstrap`. Clients are kafka-python, confluent-kafka and, where a client would hide what the
broker says, single requests.
"""

from __future__ import annotations

from typing import Any

import confluent_kafka
import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource, NewPartitions, NewTopic
from kafka.errors import (
    CommitFailedError,
    OffsetMetadataTooLargeError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
)
from kafka.protocol.consumer import JoinGroupResponse, LeaveGroupResponse, SyncGroupResponse
from kafka.protocol.producer import InitProducerIdRequest, InitProducerIdResponse
from kafka.structs import OffsetAndMetadata

from kafka2parquet.testing.broker.error_codes import ErrorCode
from tests.support.kafka_clients import (
    LIMIT_S,
    admin_client,
    drain,
    fill,
    make_topic,
    python_consumer,
    python_producer,
    read,
    unique,
    wait_until,
)
from tests.support.raw_kafka_client import RawKafkaClient
from tests.support.raw_requests import (
    become_member,
    commit_offset,
    delete_group,
    heartbeat,
    join_request,
    leave_request,
    produce_batch,
    sync_request,
)
from tests.support.record_batches import produced_batch

TIME_MS = 1_767_225_600_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class RecordContract:
    """Records that are produced can be read from any offset."""

    def test_gives_back_what_was_produced(self, bootstrap: str) -> None:
        """Keys, values, timestamps, repeated headers, tombstones and empty values come back, at offsets from 0 on."""
        topic = make_topic(bootstrap)
        headers = [("h", b"1"), ("h", b"2"), ("empty", b"")]
        with python_producer(bootstrap) as producer:
            producer.send(topic, b"value", key=b"key", headers=headers, partition=0, timestamp_ms=TIME_MS)
            producer.send(topic, None, key=b"", partition=0, timestamp_ms=TIME_MS + 1)
            producer.send(topic, b"", partition=0, timestamp_ms=TIME_MS - 1)

        records = read(bootstrap, topic, 3)

        assert [
            (0, TIME_MS, b"key", b"value", headers),
            (1, TIME_MS + 1, b"", None, []),
            (2, TIME_MS - 1, None, b"", []),
        ] == [(each.offset, each.timestamp, each.key, each.value, [tuple(h) for h in each.headers]) for each in records]

    @pytest.mark.parametrize("codec", CODECS)
    def test_keeps_batches_of_every_codec(self, bootstrap: str, codec: str) -> None:
        """Batches are handed out as they came, however they are compressed."""
        topic = make_topic(bootstrap)
        values = [b"value %d" % number for number in range(100)]
        fill(bootstrap, topic, values, compression_type=None if codec == "none" else codec, linger_ms=50)

        assert values == [record.value for record in read(bootstrap, topic, 100)]

    def test_serves_confluent_clients(self, bootstrap: str) -> None:
        """Confluent's client, librdkafka, can produce and consume."""
        topic = make_topic(bootstrap)
        producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "compression.type": "zstd"})
        for number in range(10):
            producer.produce(topic, b"%d" % number, partition=0)
        producer.flush(LIMIT_S)
        consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": unique("group")})
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, 0, 4)])
            messages = consumer.consume(6, timeout=LIMIT_S)
        finally:
            consumer.close()

        assert [(offset, b"%d" % offset) for offset in range(4, 10)] == [(m.offset(), m.value()) for m in messages]

    def test_begins_in_the_middle_of_aproduced_batch(self, bootstrap: str) -> None:
        """A consumer that seeks into a batch gets the records from there on."""
        topic = make_topic(bootstrap)
        fill(bootstrap, topic, [b"%d" % number for number in range(20)], linger_ms=50)

        assert list(range(13, 20)) == [record.offset for record in read(bootstrap, topic, 7, offset=13)]

    def test_gives_a_batch_larger_than_the_fetch(self, bootstrap: str) -> None:
        """A reader with small limits still receives a larger batch."""
        topic = make_topic(bootstrap)
        fill(bootstrap, topic, [bytes(200_000), b"after"])

        records = read(bootstrap, topic, 2, fetch_max_bytes=1000, max_partition_fetch_bytes=1000)

        assert [200_000, 5] == [len(record.value) for record in records]

    def test_refuses_an_offset_behind_the_end(self, bootstrap: str) -> None:
        """Without a reset policy, the consumer gets an error that its offset doesn't exist."""
        topic = make_topic(bootstrap)
        fill(bootstrap, topic, [b"1"])

        with pytest.raises(OffsetOutOfRangeError):
            read(bootstrap, topic, 1, offset=1000, auto_offset_reset="none")

    def test_finds_offsets_by_time(self, bootstrap: str) -> None:
        """The first record that isn't older, also inside a batch; none when all are older."""
        topic, times_ms = make_topic(bootstrap), [TIME_MS + 1000 * number for number in range(10)]
        with python_producer(bootstrap, linger_ms=50) as producer:
            for time_ms in times_ms:
                producer.send(topic, b"value", partition=0, timestamp_ms=time_ms)
        partition = TopicPartition(topic, 0)

        with python_consumer(bootstrap) as consumer:
            found = [
                consumer.offsets_for_times({partition: time_ms})[partition]
                for time_ms in (TIME_MS - 1, TIME_MS + 4500, TIME_MS + 9000, TIME_MS + 9001)
            ]
            bounds = consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]

        assert [(0, TIME_MS), (5, TIME_MS + 5000), (9, TIME_MS + 9000), None] == [
            each and (each.offset, each.timestamp) for each in found
        ]
        assert (0, 10) == bounds

    def test_moves_the_log_start_when_records_are_deleted(self, bootstrap: str) -> None:
        """Earlier records are deleted and later ones stay, and the start can't be moved behind the end."""
        topic = make_topic(bootstrap)
        fill(bootstrap, topic, [b"%d" % number for number in range(10)], linger_ms=50)
        partition = TopicPartition(topic, 0)

        with admin_client(bootstrap) as admin:
            admin.delete_records({partition: 4})
            with pytest.raises(OffsetOutOfRangeError):
                admin.delete_records({partition: 11})
        with python_consumer(bootstrap) as consumer:
            start = consumer.beginning_offsets([partition])[partition]

        assert 4 == start
        assert list(range(4, 10)) == [record.offset for record in read(bootstrap, topic, 6, offset=4)]

    def test_knows_a_batch_that_is_sent_again(self, bootstrap: str) -> None:
        """An idempotent producer's repeated batch keeps its offset, and a gap in its sequence is refused."""
        topic = make_topic(bootstrap)
        with RawKafkaClient(bootstrap) as client:
            producer = client.ask_coordinator(
                InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000), InitProducerIdResponse, 4
            )

            def produce(base_sequence: int) -> tuple[int, int]:
                return produce_batch(
                    client, topic, produced_batch(3, producer.producer_id, producer.producer_epoch, base_sequence)
                )

            answers = [produce(0), produce(3), produce(0), produce(7)]

        assert [(0, 0), (0, 3), (0, 0), (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)] == answers

    def test_refuses_corrupt_batches(self, bootstrap: str) -> None:
        """A batch whose checksum is wrong doesn't get into the log."""
        topic = make_topic(bootstrap)
        batch = bytearray(produced_batch(3))
        batch[-1] ^= 1
        with RawKafkaClient(bootstrap) as client:
            answer = produce_batch(client, topic, bytes(batch))

        assert (ErrorCode.CORRUPT_MESSAGE, -1) == answer


class TopicContract:
    """Topics can be created, extended, deleted and described."""

    def test_refuses_a_topic_that_exists(self, bootstrap: str) -> None:
        """Creating a topic twice is an error."""
        topic = make_topic(bootstrap)

        with admin_client(bootstrap) as admin, pytest.raises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])

    def test_lets_topics_grow(self, bootstrap: str) -> None:
        """Partitions can be added to a topic."""
        topic = make_topic(bootstrap)
        with admin_client(bootstrap) as admin:
            admin.create_partitions({topic: NewPartitions(total_count=3)})

        with python_consumer(bootstrap) as consumer:
            wait_until(lambda: consumer.partitions_for_topic(topic) == {0, 1, 2}, "three partitions")

    def test_describes_settings(self, bootstrap: str) -> None:
        """A topic's settings can be read."""
        topic = make_topic(bootstrap, configs={"retention.ms": "1234567"})
        with admin_client(bootstrap) as admin:
            described = admin.describe_configs([ConfigResource("topic", topic)])

        assert "1234567" in str(described)

    def test_gives_a_recreated_topic_another_id(self, bootstrap: str) -> None:
        """The id distinguishes a topic from its successor with the same name."""
        topic = make_topic(bootstrap)
        with admin_client(bootstrap) as admin:

            def topic_id() -> Any:
                return next((each["topic_id"] for each in admin.describe_topics([topic]) if not each["error_code"]), None)

            first, again = topic_id(), topic_id()
            admin.delete_topics([topic])
            wait_until(lambda: topic not in admin.list_topics(), "the topic to be gone")
            admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])
            second = wait_until(topic_id, "the new topic")

        assert first == again
        assert first != second

    def test_forgets_committed_offsets_of_a_deleted_topic(self, bootstrap: str) -> None:
        """A topic's successor of the same name begins without committed offsets."""
        topic, group = make_topic(bootstrap), unique("group")
        partition = TopicPartition(topic, 0)
        with admin_client(bootstrap) as admin:
            _commit_as_tool(bootstrap, group, partition, 3, "old")
            admin.delete_topics([topic])
            wait_until(lambda: topic not in admin.list_topics(), "the topic to be gone")
            admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=1)])

        wait_until(lambda: _committed(bootstrap, group, partition) is None, "no committed offset")


class GroupContract:
    """Consumer groups share partitions, commit offsets and fence members."""

    def test_resumes_from_the_committed_offset(self, bootstrap: str) -> None:
        """A group's next member goes on where the last one committed."""
        topic, group = make_topic(bootstrap), unique("group")
        fill(bootstrap, topic, [b"%d" % number for number in range(10)])
        with python_consumer(bootstrap, topic, group_id=group) as consumer:
            drain(consumer, 10)
            consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(6, "", -1)})
        with python_consumer(bootstrap, topic, group_id=group) as consumer:
            offsets = [record.offset for record in drain(consumer, 4)]

        assert [6, 7, 8, 9] == offsets

    def test_shares_partitions_among_members(self, bootstrap: str) -> None:
        """Two members have half each; when one leaves, the other has all."""
        topic, group = make_topic(bootstrap, 4), unique("group")
        first, second = _confluent_member(bootstrap, group, topic), _confluent_member(bootstrap, group, topic)
        try:

            def shares() -> list[int]:
                for member in (first, second):
                    member.poll(0.05)
                return [len(member.assignment()) for member in (first, second)]

            wait_until(lambda: shares() == [2, 2], "two partitions each")
            second.close()

            def all_mine() -> bool:
                first.poll(0.05)
                return len(first.assignment()) == 4

            wait_until(all_mine, "all partitions for the one that stayed")
        finally:
            first.close()

    def test_keeps_metadata_with_committed_offsets(self, bootstrap: str) -> None:
        """Up to 4096 characters of metadata come back as they were committed, more are refused."""
        topic, group = make_topic(bootstrap), unique("group")
        partition, metadata = TopicPartition(topic, 0), "m" * 4096
        _commit_as_tool(bootstrap, group, partition, 5, metadata)

        with pytest.raises(OffsetMetadataTooLargeError):
            _commit_as_tool(bootstrap, group, partition, 6, metadata + "m")
        assert (5, metadata) == _committed(bootstrap, group, partition)

    def test_refuses_commits_of_strangers(self, bootstrap: str) -> None:
        """A client that is not a member can't commit for a group that has members."""
        topic, group = make_topic(bootstrap), unique("group")
        with python_consumer(bootstrap, topic, group_id=group) as member:
            wait_until(lambda: member.poll(timeout_ms=100) or member.assignment(), "an assignment")
            with pytest.raises(CommitFailedError):
                _commit_as_tool(bootstrap, group, TopicPartition(topic, 0), 1, "stranger")

    def test_gives_new_members_their_id_first(self, bootstrap: str) -> None:
        """A member without an id is given one, and joins with it."""
        group = unique("group")
        with RawKafkaClient(bootstrap) as client:
            refused = client.ask_coordinator(join_request(group, ""), JoinGroupResponse, 9)
            joined = client.ask(join_request(group, refused.member_id), JoinGroupResponse, 9)

        assert ErrorCode.MEMBER_ID_REQUIRED == refused.error_code
        assert (0, 1, refused.member_id) == (joined.error_code, joined.generation_id, joined.leader)

    def test_fences_other_members_and_generations(self, bootstrap: str) -> None:
        """Heartbeats and commits need the member id and generation of now."""
        topic, group = make_topic(bootstrap), unique("group")
        with RawKafkaClient(bootstrap) as client:
            member_id, generation = become_member(client, group)

            answers = [
                (heartbeat(client, group, *member), commit_offset(client, group, topic, *member))
                for member in ((member_id, generation), (member_id, generation + 1), ("nobody", generation))
            ]

        unknown, other = ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION
        assert [(0, 0), (other, other), (unknown, unknown)] == answers

    def test_calls_members_back_when_a_member_joins(self, bootstrap: str) -> None:
        """A join makes the others' heartbeats say so; once they have rejoined, a new generation begins for all."""
        group = unique("group")
        with RawKafkaClient(bootstrap) as one, RawKafkaClient(bootstrap) as other:
            first_id, generation = become_member(one, group)
            second_id = other.ask(join_request(group, ""), JoinGroupResponse, 9).member_id
            other.send(join_request(group, second_id), 9)
            wait_until(lambda: heartbeat(one, group, first_id, generation) == ErrorCode.REBALANCE_IN_PROGRESS, "a rebalance")
            leader = one.ask(join_request(group, first_id), JoinGroupResponse, 9)
            follower = other.receive(JoinGroupResponse, 9)
            other.send(sync_request(group, second_id, generation + 1, {}), 5)
            led = one.ask(
                sync_request(group, first_id, generation + 1, {first_id: b"1", second_id: b"2"}), SyncGroupResponse, 5
            )
            followed = other.receive(SyncGroupResponse, 5)

        assert {first_id, second_id} == {member.member_id for member in leader.members}
        assert (generation + 1, first_id, []) == (follower.generation_id, follower.leader, follower.members)
        assert (b"1", b"2") == (bytes(led.assignment), bytes(followed.assignment))

    def test_takes_a_static_member_back_without_rebalance(self, bootstrap: str) -> None:
        """The member gets a new id in the same generation, and its previous id is fenced."""
        group = unique("group")
        with RawKafkaClient(bootstrap) as client:
            old_id, generation = become_member(client, group, instance_id="one")
            back = client.ask(join_request(group, "", instance_id="one"), JoinGroupResponse, 9)
            assigned = client.ask(sync_request(group, back.member_id, generation, {}, "one"), SyncGroupResponse, 5)
            fenced = heartbeat(client, group, old_id, generation, "one")

        assert (0, generation, True) == (back.error_code, back.generation_id, back.skip_assignment)
        assert old_id != back.member_id
        assert b"mine" == bytes(assigned.assignment)
        assert ErrorCode.FENCED_INSTANCE_ID == fenced

    def test_drops_members_that_are_silent(self, bootstrap: str) -> None:
        """A member that neither polls nor leaves is dropped after its session timeout."""
        group = unique("group")
        with RawKafkaClient(bootstrap) as client:
            become_member(client, group, session_timeout_ms=1000)
        with admin_client(bootstrap) as admin:
            wait_until(lambda: "Empty" in str(admin.describe_groups([group])), "an empty group")

    def test_lists_describes_and_deletes_groups(self, bootstrap: str) -> None:
        """A group with members can be seen, and can't be deleted; one without can."""
        group = unique("group")
        with RawKafkaClient(bootstrap) as client, admin_client(bootstrap) as admin:
            member_id, _ = become_member(client, group)
            listed, described = str(admin.list_groups()), str(admin.describe_groups([group]))
            refused = delete_group(client, group)
            left = client.ask(leave_request(group, member_id), LeaveGroupResponse, 5).members[0].error_code
            deleted = delete_group(client, group)
            afterwards = str(admin.list_groups())

        assert group in listed
        assert "Stable" in described
        assert (ErrorCode.NON_EMPTY_GROUP, 0, 0) == (refused, left, deleted)
        assert group not in afterwards


class TransactionContract:
    """Transactions are atomic, and affect offsets."""

    def test_shows_committed_records_and_hides_aborted_ones(self, bootstrap: str) -> None:
        """Readers of committed records don't see aborted ones; markers take up offsets."""
        topic = make_topic(bootstrap)
        for value, end in ((b"a", "commit"), (b"b", "abort"), (b"c", "commit")):
            with python_producer(bootstrap, transactional_id=unique("transaction")) as producer:
                producer.init_transactions()
                producer.begin_transaction()
                producer.send(topic, value, partition=0).get(timeout=LIMIT_S)
                getattr(producer, f"{end}_transaction")()

        committed = read(bootstrap, topic, 2, isolation_level="read_committed")
        everything = read(bootstrap, topic, 3, isolation_level="read_uncommitted")

        assert [(0, b"a"), (4, b"c")] == [(record.offset, record.value) for record in committed]
        assert [(0, b"a"), (2, b"b"), (4, b"c")] == [(record.offset, record.value) for record in everything]

    def test_holds_readers_back_at_an_open_transaction(self, bootstrap: str) -> None:
        """The end for readers of committed records is the first record of the oldest open transaction."""
        topic = make_topic(bootstrap)
        partition = TopicPartition(topic, 0)
        fill(bootstrap, topic, [b"before"])
        with python_producer(bootstrap, transactional_id=unique("transaction")) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(topic, b"open", partition=0).get(timeout=LIMIT_S)
            fill(bootstrap, topic, [b"after"])
            with python_consumer(bootstrap, isolation_level="read_committed") as consumer:
                while_open = consumer.end_offsets([partition])[partition]
                producer.commit_transaction()
                wait_until(lambda: consumer.end_offsets([partition])[partition] == 4, "the end behind the marker")

        assert 1 == while_open
        assert [0, 1, 2] == [record.offset for record in read(bootstrap, topic, 3, isolation_level="read_committed")]

    def test_commits_offsets_with_the_transaction(self, bootstrap: str) -> None:
        """Offsets of a transaction count when it commits, and are forgotten when it aborts."""
        topic, group = make_topic(bootstrap), unique("group")
        partition = TopicPartition(topic, 0)
        with (
            python_consumer(bootstrap, topic, group_id=group) as consumer,
            python_producer(bootstrap, transactional_id=unique("transaction")) as producer,
        ):
            wait_until(lambda: consumer.poll(timeout_ms=100) or consumer.assignment(), "an assignment")
            producer.init_transactions()
            for offset, end in ((5, "commit"), (7, "abort")):
                producer.begin_transaction()
                producer.send_offsets_to_transaction(
                    {partition: OffsetAndMetadata(offset, "in transaction", -1)}, consumer.group_metadata()
                )
                getattr(producer, f"{end}_transaction")()

        wait_until(lambda: _committed(bootstrap, group, partition) == (5, "in transaction"), "the committed offset")

    def test_fences_the_older_producer(self, bootstrap: str) -> None:
        """A producer with the same transactional id ends the older one's transaction and takes its right to write."""
        topic, transactional_id = make_topic(bootstrap), unique("transaction")
        with RawKafkaClient(bootstrap) as client, python_producer(bootstrap, transactional_id=transactional_id) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(topic, b"lost", partition=0).get(timeout=LIMIT_S)
            request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=10_000)

            def init() -> Any:  # Kafka answers CONCURRENT_TRANSACTIONS while it aborts
                answer = client.ask_coordinator(request, InitProducerIdResponse, 4)
                return None if answer.error_code else answer

            newer = wait_until(init, "a producer id")
            batch = produced_batch(1, newer.producer_id, newer.producer_epoch - 1, 1, transactional=True)
            code, _ = produce_batch(client, topic, batch, transactional_id)
            fill(bootstrap, topic, [b"kept"])

        assert ErrorCode.INVALID_PRODUCER_EPOCH == code
        assert [b"kept"] == [record.value for record in read(bootstrap, topic, 1, isolation_level="read_committed")]


class BrokerContract(RecordContract, TopicContract, GroupContract, TransactionContract):
    """The contract of a broker: records, topics, groups and transactions."""


def _commit_as_tool(bootstrap: str, group: str, partition: TopicPartition, offset: int, metadata: str) -> None:
    with python_consumer(bootstrap, group_id=group) as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, metadata, -1)})


def _committed(bootstrap: str, group: str, partition: TopicPartition) -> tuple[int, str] | None:
    with python_consumer(bootstrap, group_id=group) as consumer:
        found = consumer.committed(partition, metadata=True)
        return None if found is None else (found.offset, found.metadata)


def _confluent_member(bootstrap: str, group: str, topic: str) -> confluent_kafka.Consumer:
    member = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 200,
            "enable.auto.commit": False,
        }
    )
    member.subscribe([topic])
    return member
