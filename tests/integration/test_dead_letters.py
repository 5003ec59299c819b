"""Dead letters on Apache Kafka: rights, replicas, outages; and a task that loses neither rows nor rejects."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from confluent_kafka import Producer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from kafka2parquet import load_connect_config
from kafka2parquet.connect.parts.rejects import DeadLetterPlan
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.dead_letters.kafka_queue import KafkaDeadLetterQueue
from kafka2parquet.errors import ConfigurationError, KafkaAuthorizationError, RejectedRecordError
from kafka2parquet.records import Reject, Stage, TopicPartition
from tests.stack.kafka import kafka
from tests.stack.kafka_fault_proxy import Action
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import admin_client, fill, make_topic, read, unique, wait_until
from tests.support.local_sink import local_sink, run_until, written

AUTHORIZER = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
RECORDS = 3000
BAD = frozenset(range(50, RECORDS, 100))


@pytest.fixture(scope="module")
def broker() -> Iterator[Any]:
    """Starts a broker behind a proxy, whose rights can be revoked."""
    with kafka(proxied=True, settings=AUTHORIZER) as server:
        yield server


@pytest.fixture(autouse=True)
def repaired(broker: Any) -> Iterator[None]:
    """Repairs what the test has broken."""
    yield
    broker.proxy.clear()


class Denied:
    """A context in which no user has a certain right on a topic."""

    def __init__(self, broker: Any, topic: str, operation: ACLOperation) -> None:
        self._bootstrap = broker.direct
        self._acl = ACL(
            principal="User:*",
            host="*",
            operation=operation,
            permission_type=ACLPermissionType.DENY,
            resource_pattern=ResourcePattern(ResourceType.TOPIC, topic),
        )

    def __enter__(self) -> None:
        with admin_client(self._bootstrap) as admin:
            admin.create_acls([self._acl])

    def __exit__(self, *_: object) -> None:
        with admin_client(self._bootstrap) as admin:
            admin.delete_acls([self._acl])


def properties(topic: str, dead_letters: str, folder: Path = Path("/unused")) -> dict[str, str]:
    """Returns a connector that skips bad records and sends them to a topic."""
    return local_sink(
        topic,
        folder,
        {
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": dead_letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
            "producer.override.request.timeout.ms": "2000",
        },
    )


def make_queue(broker: Any, dead_letters: str, **changes: str) -> KafkaDeadLetterQueue:
    """Makes the queue of a configuration."""
    given = {**properties("orders", dead_letters), **{name.replace("_", "."): text for name, text in changes.items()}}
    config = load_connect_config(given)
    plan = DeadLetterPlan.of(config, WorkerConfig(bootstrap_servers=broker.bootstrap))
    assert plan is not None
    return plan.queue(config, 0)


@pytest.fixture
def queue(broker: Any) -> Iterator[KafkaDeadLetterQueue]:
    """Makes a connected queue."""
    queue = make_queue(broker, unique("dead"))
    wait(queue.prepare())
    yield queue
    queue.close(5)


def reject(offset: int, headers: tuple[tuple[str, bytes | None], ...] = ()) -> Reject:
    return Reject(
        TopicPartition("orders", 3), offset, Stage.DECODE, "not JSON", "", 1000 + offset, b"k", b"v%d" % offset, headers
    )


def wait(*sendings: DeadLetterFuture) -> None:
    wait_until(lambda: all(sending.done() for sending in sendings), "the dead letters")


def values(broker: Any, topic: str, count: int) -> list[bytes]:
    return [record.value for record in read(broker.direct, topic, count)]


# ---- the queue


def test_letter_arrives_with_its_headers(broker: Any) -> None:
    """The letter is unchanged in a new topic with one partition, and the error is described behind its own headers."""
    topic = unique("dead")
    queue = make_queue(broker, topic)
    wait(queue.send(reject(7, (("mine", b"1"), ("nothing", None)))))
    queue.close(5)
    record = read(broker.direct, topic, 1)[0]
    assert (b"k", b"v7", 1007) == (record.key, record.value, record.timestamp)
    assert [
        ("mine", b"1"),
        ("nothing", None),
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"7"),
    ] == list(record.headers[:5])
    assert 12 == len(record.headers)
    assert "PartitionCount: 1" in broker.tool("kafka-topics", "--describe", "--topic", topic)


def test_more_replicas_than_brokers(broker: Any) -> None:
    """The error names the property and Kafka's reason, because Connect's default of 3 needs three brokers."""
    queue = make_queue(broker, unique("dead"), errors_deadletterqueue_topic_replication_factor="3")
    with pytest.raises(ConfigurationError, match=r"with 3 replicas: .*1 broker.*errors\.deadletterqueue\.topic\.replication"):
        wait(queue.prepare())
    queue.close(5)


@pytest.mark.parametrize("operation", [ACLOperation.WRITE, ACLOperation.CREATE])
def test_missing_right(broker: Any, operation: ACLOperation) -> None:
    """The error names the required rights and the topic."""
    topic = unique("dead")
    with Denied(broker, topic, operation):
        queue = make_queue(broker, topic)
        with pytest.raises(KafkaAuthorizationError, match=f"needs DESCRIBE and WRITE on the dead-letter topic {topic}"):
            wait(queue.send(reject(0)))
        queue.close(5)


@pytest.mark.parametrize(
    "action", [Action.RESET_BEFORE, Action.LOSE_RESPONSE, Action.FREEZE_BEFORE, Action.FREEZE_AFTER, Action.CUT_RESPONSE]
)
def test_broken_requests(broker: Any, queue: KafkaDeadLetterQueue, action: Action) -> None:
    """Every letter arrives in order, and some may be repeated."""
    fault = broker.proxy.fault("Produce", action)
    wait(*[queue.send(reject(offset)) for offset in range(20)])
    assert 1 == fault.hits
    seen = list(dict.fromkeys(values(broker, queue._topic, 20)))
    assert [b"v%d" % offset for offset in range(20)] == seen[:20]


def test_broker_that_is_gone(broker: Any, queue: KafkaDeadLetterQueue) -> None:
    """Letters wait until the broker is back, and arrive once."""
    broker.proxy.refuse()
    sendings = [queue.send(reject(offset)) for offset in range(20)]
    assert not any(sending.done() for sending in sendings)
    broker.proxy.listen()
    wait(*sendings)
    assert [b"v%d" % offset for offset in range(20)] == values(broker, queue._topic, 20)


def test_broker_that_is_killed(broker: Any, queue: KafkaDeadLetterQueue) -> None:
    """The broker keeps its log, and unconfirmed letters are sent again."""
    wait(queue.send(reject(0)))
    broker.kill()
    sending = queue.send(reject(1))
    broker.start()
    wait(sending)
    assert [b"v0", b"v1"] == list(dict.fromkeys(values(broker, queue._topic, 2)))


# ---- a task


def messages() -> list[bytes]:
    """Makes messages; every hundredth is not JSON."""
    return [b"{broken %d" % n if n in BAD else json.dumps({"n": n}).encode() for n in range(RECORDS)]


def run(broker: Any, given: Mapping[str, str], until: int) -> None:
    """Runs a task of the configuration until its committed offset is as given."""
    run_until(given, WorkerConfig(bootstrap_servers=broker.bootstrap), broker.direct, {0: until})


def dead(broker: Any, topic: str, count: int) -> collections.Counter[int]:
    """Counts how often each number is among the dead letters."""
    return collections.Counter(int(value.split()[1]) for value in values(broker, topic, count))


def test_task_keeps_every_record(broker: Any, tmp_path: Path) -> None:
    """While connections to Kafka break repeatedly, good records are in files once, and bad ones in the topic."""
    topic, dead_letters = make_topic(broker.direct), unique("dead")
    fill(broker.direct, topic, messages())
    broker.proxy.fault("Produce", Action.LOSE_RESPONSE)
    broker.proxy.fault("Produce", Action.RESET_BEFORE)
    run(broker, properties(topic, dead_letters, tmp_path), RECORDS)
    assert sorted(set(range(RECORDS)) - BAD) == written(tmp_path, topic)
    assert BAD == set(dead(broker, dead_letters, len(BAD)))


def test_task_without_the_right_to_write_dead_letters(broker: Any, tmp_path: Path) -> None:
    """The task ends before it commits an unsent record. With the right, it continues without loss."""
    topic, dead_letters = make_topic(broker.direct), make_topic(broker.direct)
    fill(broker.direct, topic, messages())
    given = properties(topic, dead_letters, tmp_path)
    group = f"connect-{given['name']}"
    with Denied(broker, dead_letters, ACLOperation.WRITE), pytest.raises(KafkaAuthorizationError):
        run(broker, given, RECORDS)
    assert committed_offsets(broker.direct, group, topic).get(0, 0) <= min(BAD)
    wait_until(lambda: _describes(broker, dead_letters), "the right to be back")
    run(broker, given, RECORDS)
    assert sorted(set(range(RECORDS)) - BAD) == written(tmp_path, topic)
    assert BAD == set(dead(broker, dead_letters, len(BAD)))


def _describes(broker: Any, topic: str) -> bool:
    with admin_client(broker.direct) as admin:
        return bool(admin.describe_topics([topic])[0]["error_code"] == 0)


def test_task_that_tolerates_nothing(broker: Any, tmp_path: Path) -> None:
    """The task ends at the first bad record, after that record has arrived in the topic."""
    topic, dead_letters = make_topic(broker.direct), unique("dead")
    fill(broker.direct, topic, messages())
    with pytest.raises(RejectedRecordError, match=r"offset 50: .*Tolerance exceeded in error handler"):
        run(broker, {**properties(topic, dead_letters, tmp_path), "errors.tolerance": "none"}, RECORDS)
    assert {min(BAD)} == set(dead(broker, dead_letters, 1))


#: Eight ways to be bad, each with its stage; `n` distinguishes the records.
KINDS: Mapping[str, tuple[str, bytes | None]] = {
    "no JSON": ("decode", b"%d"),
    "cut off": ("decode", b'{"n": %d, "time": 17790'),
    "no object": ("decode", b'[{"n": %d}]'),
    "no UTF-8": ("decode", b'{"n": %d, "name": "\xff"}'),
    "another type": ("decode", b'{"n": %d, "time": 1779012000000, "country": {"code": "FR"}}'),
    "tombstone": ("write", None),
    "no time": ("timestamp", b'{"n": %d, "country": "FR"}'),
    "a time that no year has": ("timestamp", b'{"n": %d, "time": 9223372036854775807, "country": "FR"}'),
}


def _produce(bootstrap: str, topic: str, sent: Sequence[bytes | None]) -> None:
    """Produces with a client that, unlike kafka-python, accepts records without key and value."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in sent:
        producer.produce(topic, value)
    producer.flush()


def test_every_kind_of_bad_record_is_found_again(broker: Any, tmp_path: Path) -> None:
    """One record in a hundred, of eight kinds, is in the quarantine once and in the dead letters, with its stage in both."""
    topic, dead_letters = make_topic(broker.direct), unique("dead")
    good = b'{"n": %d, "time": 1779012000000, "country": "FR"}'
    kinds = dict(zip(sorted(BAD), itertools.cycle(KINDS), strict=False))
    formats = [KINDS[kinds[n]][1] if n in kinds else good for n in range(RECORDS)]
    sent = [None if text is None else text % n for n, text in enumerate(formats)]
    _produce(broker.direct, topic, sent)
    given = {
        **properties(topic, dead_letters, tmp_path),
        "kafka2parquet.quarantine": "true",
        "kafka2parquet.partition.field.name": "country",
        "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
        "timestamp.extractor": "RecordField",
        "timestamp.field": "time",
        "locale": "en",
        "behavior.on.null.values": "ignore",
        "report.null.values.to.dlq": "true",
    }
    run(broker, given, RECORDS)

    expected = {n: (KINDS[kind][0], sent[n]) for n, kind in kinds.items()}
    found = ds.dataset(tmp_path / "topics" / "_kafka2parquet" / topic / "quarantine", format="parquet").to_table()
    assert len(BAD) == len(found)
    assert expected == {row["offset"]: (row["stage"], row["value"]) for row in found.to_pylist()}
    letters = [(dict(letter.headers), letter.value) for letter in read(broker.direct, dead_letters, len(BAD))]
    offsets = [int(headers["__connect.errors.offset"]) for headers, _ in letters]
    connect_stages = {"decode": "VALUE_CONVERTER", "timestamp": "TASK_PUT", "write": "TASK_PUT"}
    assert {n: (connect_stages[stage], value) for n, (stage, value) in expected.items()} == {
        offset: (headers["__connect.errors.stage"].decode(), value)
        for offset, (headers, value) in zip(offsets, letters, strict=True)
    }
    assert sorted(set(range(RECORDS)) - BAD) == written(tmp_path, topic)
