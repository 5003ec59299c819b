"""Offsets set back with Kafka's own tool: nothing new, nothing changed, and the offsets return to the end."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from kafka2parquet import FirstOf, FsspecStorage, KafkaPythonConsumer, RecordCountRotation, ScheduledRotation, SinkTask
from kafka2parquet.storage.options import S3Options
from tests.chaos.load import Load
from tests.chaos.member import parts_of
from tests.chaos.setups import SETUPS
from tests.chaos.verify import Verdict, keys, verify
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

PARTITIONS = 2
RESETS = {
    "to the start": ("--reset-offsets", "--to-earliest", "--execute"),
    "into a flush": ("--reset-offsets", "--to-offset", "777", "--execute"),
    "to a time": ("--reset-offsets", "--to-datetime", "2026-05-17T10:00:30.000", "--execute"),
    "group deleted": ("--delete",),
}


#: Rejects, keys and headers in separate files.
SETUP = SETUPS["quarantine"]


class Sink:
    """A topic, a bucket, and tasks of one group with wall-clock cuts and hourly folders, so that a flush has several files."""

    def __init__(self, kafka: Any, s3: Any) -> None:
        self.kafka = kafka
        self.s3 = s3
        self.topic, self.bucket, self.group = unique("rewind"), unique("bucket"), unique("group")
        self.dead_letters = f"{self.topic}-dead"
        s3.create_bucket(self.bucket)
        create_topic(kafka.bootstrap, self.topic, PARTITIONS)

    def drain(self, counts: list[int]) -> None:
        """Runs a task until everything is committed, then stops it in order."""
        options = S3Options(
            endpoint_url=self.s3.url, access_key_id=self.s3.key, secret_access_key=self.s3.secret, region="us-east-1"
        )
        storage = FsspecStorage(f"s3://{self.bucket}", options)
        settings = {"bootstrap": self.kafka.bootstrap, "topic": self.topic, "dead_letters": self.dead_letters, "replicas": 1}
        task = SinkTask(
            consumer=KafkaPythonConsumer(
                bootstrap_servers=self.kafka.bootstrap, group_id=self.group, topics=[self.topic], gather_max_wait_s=0.1
            ),
            rotation=FirstOf(ScheduledRotation(datetime.timedelta(seconds=1)), RecordCountRotation(2_000)),
            storage=storage,
            **parts_of(SETUP, settings, storage),
        )
        with task:
            wait_until(lambda: self._step(task) == dict(enumerate(counts)), "lag zero")

    def _step(self, task: SinkTask) -> dict[int, int]:
        task.step()
        return committed_offsets(self.kafka.bootstrap, self.group, self.topic)

    def reset(self, arguments: tuple[str, ...]) -> None:
        """Resets the offsets with Kafka's own command-line tool."""
        topic = ("--topic", self.topic) if "--reset-offsets" in arguments else ()
        self.kafka.tool("kafka-consumer-groups", "--group", self.group, *topic, *arguments)

    def verify(self, counts: list[int]) -> Verdict:
        """Checks that every record is in its place once."""
        return verify(self.s3, self.bucket, self.kafka.bootstrap, self.topic, self.dead_letters, SETUP, counts, uploads=[])

    def objects(self) -> dict[str, tuple[str, datetime.datetime]]:
        """Returns the objects in the bucket with their times of creation."""
        client = self.s3.client()
        found = {}
        for key in keys(client, self.bucket, "topics/"):
            head = client.head_object(Bucket=self.bucket, Key=key)
            found[key] = (head["ETag"], head["LastModified"])
        client.close()
        return found


@pytest.fixture(scope="module")
def sink(kafka_server: Any, s3_server: Any) -> Sink:
    return Sink(kafka_server, s3_server)


@pytest.fixture(scope="module")
def counts(sink: Sink) -> list[int]:
    """Drains the topic once and returns the counts."""
    load = Load(sink.kafka.bootstrap, sink.topic, PARTITIONS, SETUP)
    load.start()
    wait_until(lambda: min(load.counts) >= 5_000, "some records")
    counts = load.stop()
    sink.drain(counts)
    return counts


@pytest.mark.parametrize("kind", RESETS)
def test_after_a_finished_run_nothing_is_written(sink: Sink, counts: list[int], kind: str) -> None:
    """Objects are neither added nor changed, and the offsets are at the end again."""
    before = sink.objects()
    sink.reset(RESETS[kind])
    assert dict(enumerate(counts)) != committed_offsets(sink.kafka.bootstrap, sink.group, sink.topic)
    sink.drain(counts)

    assert before == sink.objects()
    verdict = sink.verify(counts)
    assert verdict.is_exact, verdict


@pytest.mark.parametrize("kind", RESETS)
def test_while_new_records_arrive_only_they_are_written(kafka_server: Any, s3_server: Any, kind: str) -> None:
    """Old objects stay unchanged, and every record, old or new, is in exactly one object."""
    sink = Sink(kafka_server, s3_server)
    load = Load(kafka_server.bootstrap, sink.topic, PARTITIONS, SETUP)
    load.start()
    wait_until(lambda: min(load.counts) >= 3_000, "some records")
    old = load.stop()
    sink.drain(old)
    before = sink.objects()
    sink.reset(RESETS[kind])
    again = Load(kafka_server.bootstrap, sink.topic, PARTITIONS, SETUP)
    again.counts = list(old)
    again.start()
    wait_until(lambda: min(again.counts) >= min(old) + 3_000, "new records")
    counts = again.stop()
    sink.drain(counts)

    after = sink.objects()
    assert before == {key: after[key] for key in before}
    verdict = sink.verify(counts)
    assert verdict.is_exact, verdict
    assert sum(counts) == verdict.rows_out + verdict.rejects_out
