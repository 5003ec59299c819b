"""Backfills by the command line on Apache Kafka and S3: killed, run twice, and exact."""

from __future__ import annotations

import collections
import io
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from kafka2parquet.cli.commands.audit import audit
from kafka2parquet.connect import load_connect_config
from tests.support.connect_sink import ConnectSink
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique, wait_until

PARTITIONS = 4
#: The partition whose records come from transactions. Every third transaction is aborted, the last one too.
TRANSACTIONAL = 3
RECORDS_IN_A_TRANSACTION = 500
BEGIN_MS = 1_779_012_000_000
LIMIT_S = 1200.0


class Backfill:
    """A topic, a bucket, and processes of one command line."""

    def __init__(self, kafka: Any, sink: ConnectSink, folder: Path, rows: int) -> None:
        self.kafka, self.sink = kafka, sink
        self.topic = unique("backfill")
        self.rows, self.flush_rows = rows, max(250, rows // 200)
        self.config, self.range, self.result = (folder / name for name in ("sink.json", "range.json", "result.json"))
        create_topic(kafka.bootstrap, self.topic, PARTITIONS)
        properties = sink.properties(
            {
                "name": unique("orders"),
                "tasks.max": "2",
                "topics": self.topic,
                "flush.size": str(self.flush_rows),
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": "false",
                "kafka2parquet.metadata.columns": "partition,offset",
                "consumer.override.session.timeout.ms": "3000",
                "consumer.override.heartbeat.interval.ms": "1000",
            }
        )
        self.properties = properties
        self.config.write_text(json.dumps(properties))

    def produce(self, rows: int) -> None:
        """Fill the partitions without transactions in equal parts, and the other one with its share in transactions."""
        share = rows // PARTITIONS
        plain = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 20, "compression.type": "lz4"})
        for number in range(share * (PARTITIONS - 1)):
            _send(plain, self.topic, number % (PARTITIONS - 1), number)
        plain.flush()
        settings = {"bootstrap.servers": self.kafka.bootstrap, "transactional.id": unique("writer"), "linger.ms": 5}
        transactional = Producer(settings)
        transactional.init_transactions()
        for begin in range(0, share, RECORDS_IN_A_TRANSACTION):
            transactional.begin_transaction()
            for number in range(begin, min(share, begin + RECORDS_IN_A_TRANSACTION)):
                _send(transactional, self.topic, TRANSACTIONAL, number)
            is_aborted = begin // RECORDS_IN_A_TRANSACTION % 3 == 2 or begin + RECORDS_IN_A_TRANSACTION >= share
            transactional.flush()  # an abort would drop records that are not sent yet
            (transactional.abort_transaction if is_aborted else transactional.commit_transaction)()

    def start(self, result: Path | None = None) -> subprocess.Popen[str]:
        command = [
            "run",
            str(self.config),
            "--bootstrap-server",
            self.kafka.bootstrap,
            "--endpoint-url",
            self.sink.worker().endpoint_url,
        ]
        ranges = ["--from", "start", "--to", "now", "--range", str(self.range), "--result", str(result or self.result)]
        return subprocess.Popen(
            [sys.executable, "-m", "kafka2parquet", *map(str, command), *ranges],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> str:
        """Run to the end, and return the output."""
        process = self.start()
        output, _ = process.communicate(timeout=LIMIT_S)
        assert 0 == process.returncode, output
        return output

    def kill_at(self, objects: int) -> None:
        """Start a process, and kill it as soon as there is this number of objects."""
        process = self.start()
        wait_until(lambda: process.poll() is not None or len(self.data_keys()) >= objects, f"{objects} objects", LIMIT_S)
        process.kill()
        output, _ = process.communicate()
        assert -signal.SIGKILL == process.returncode, output

    def data_keys(self) -> list[str]:
        keys = self.sink.keys()
        return [key for key in keys if key.endswith(".parquet")]

    def found(self) -> Any:
        return json.loads(self.result.read_text())

    def ends(self) -> dict[int, int]:
        return {line["partition"]: line["to"] for line in json.loads(self.range.read_text())["ranges"]}

    def offsets(self) -> collections.Counter[tuple[int, int]]:
        """Count the rows of all files by partition and offset, read with boto3 and pyarrow."""
        found: collections.Counter[tuple[int, int]] = collections.Counter()
        for key in self.data_keys():
            table = pq.read_table(
                io.BytesIO(self.sink.read(key)), columns=["_kafka_partition", "_kafka_offset"], partitioning=None
            )
            found.update(zip(table["_kafka_partition"].to_pylist(), table["_kafka_offset"].to_pylist(), strict=True))
        return found


def _send(producer: Producer, topic: str, partition: int, number: int) -> None:
    time_ms = BEGIN_MS + number // 100 % 2 * 3_600_000
    while True:
        try:
            producer.produce(
                topic, b'{"number":%d,"text":"some text of a record"}' % number, partition=partition, timestamp=time_ms
            )
            return
        except BufferError:
            producer.poll(0.05)


def committed_records(bootstrap: str, topic: str, ends: Mapping[int, int]) -> collections.Counter[tuple[int, int]]:
    """Read which offsets before the ends have committed records, with librdkafka."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": unique("check"),
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
    found: collections.Counter[tuple[int, int]] = collections.Counter()
    at_end: set[int] = set()
    while len(at_end) < len(ends):
        for message in consumer.consume(10_000, 1.0):
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            if message.error() is not None:
                at_end.add(partition)
                continue
            assert offset is not None
            if offset < ends[partition]:
                found[partition, offset] += 1
    consumer.close()
    return found


@pytest.mark.parametrize(
    ("rows", "kills"), [(12_000, 2), pytest.param(2_000_000, 5, marks=[pytest.mark.heavy, pytest.mark.timeout(3600)])]
)
def test_a_backfill_that_is_killed_and_run_twice(
    kafka_server: Any, s3_server: Any, tmp_path: Path, rows: int, kills: int
) -> None:
    """Every committed record of the range is in one file and no later record is; the second run writes nothing."""
    backfill = Backfill(kafka_server, ConnectSink(kafka_server, s3_server), tmp_path, rows)
    backfill.produce(rows)
    files = 2 * rows // backfill.flush_rows  # of two hours
    for number in range(1, kills + 1):
        backfill.kill_at(files * number // (kills + 3))
        assert not backfill.found()["complete"]
        if number == 1:
            backfill.produce(rows // 20)  # records behind the range, which was looked up by the first process
    output = backfill.run()
    assert "COMPLETE: all 4 topic-partitions are at their end" in output
    first, ends = backfill.found(), backfill.ends()
    expected = committed_records(kafka_server.bootstrap, backfill.topic, ends)
    assert rows * 0.8 < expected.total() < rows
    assert expected == backfill.offsets()

    keys = backfill.data_keys()
    assert {
        "rows": expected.total(),
        "files": len(keys),
        "bytes": sum(len(backfill.sink.read(key)) for key in keys),
        "rejects": 0,
    } == (first["published"])
    by_partition = collections.Counter(partition for partition, _ in expected.elements())
    assert [(partition, 0, ends[partition], ends[partition], by_partition[partition]) for partition in range(PARTITIONS)] == [
        (each["partition"], each["from"], each["to"], each["durable_to"], each["published"]["rows"])
        for each in first["partitions"]
    ]
    assert ends == committed_offsets(kafka_server.bootstrap, first["group"], backfill.topic)

    again = backfill.run()
    assert "COMPLETE before: all 4 topic-partitions were at their end, and this run wrote nothing" in again
    second = backfill.found()
    assert (True, 0, 0, first["published"]) == (second["complete"], second["files"], second["rows"], second["published"])
    assert sorted(keys) == sorted(backfill.data_keys())

    judged = audit(load_connect_config(backfill.properties), backfill.sink.worker(), deep=True, group_id=first["group"])
    assert judged.is_exact, judged
    assert expected.total() == sum(coverage.rows for coverage in judged.coverages)
    backfill.sink.close()


def test_two_processes_share_a_range(kafka_server: Any, s3_server: Any, tmp_path: Path) -> None:
    """Two processes of one command line agree on the range, share its partitions, and both end when all of it is done."""
    backfill = Backfill(kafka_server, ConnectSink(kafka_server, s3_server), tmp_path, 24_000)
    backfill.produce(24_000)
    results = [tmp_path / f"result-{number}.json" for number in (1, 2)]
    processes = [backfill.start(result) for result in results]
    outputs = [process.communicate(timeout=LIMIT_S)[0] for process in processes]
    assert [0, 0] == [process.returncode for process in processes], outputs
    found = [json.loads(result.read_text()) for result in results]
    expected = committed_records(kafka_server.bootstrap, backfill.topic, backfill.ends())
    assert expected == backfill.offsets()
    assert expected.total() == sum(each["rows"] for each in found)
    assert [json.loads(backfill.range.read_text())["group"]] * 2 == [each["group"] for each in found]
    assert [expected.total()] * 2 == [each["published"]["rows"] for each in found]
    backfill.sink.close()
