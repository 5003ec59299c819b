"""From Confluent's sink to kafka2parquet and back, as docs/migrating-from-confluent.md says, with Kafka's own tools.

Confluent's sink is not available here, only what it leaves behind. A real worker of Kafka Connect commits the offsets, with
Kafka's FileStreamSink under the connector's name, and pyarrow makes the files under the names that Confluent's sink would have
given them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.cli.main import main
from kafka2parquet.errors import ForeignObjectError
from tests.chaos.verify import keys
from tests.stack.connect_worker import ConnectWorker, connect_worker
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import python_producer, unique, wait_until

_GUIDE = Path(__file__).parents[2] / "docs" / "migrating-from-confluent.md"
_STRINGS = "org.apache.kafka.connect.storage.StringConverter"
BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
HOUR_MS = 3_600_000
FLUSH_ROWS = 100

Record = tuple[int, int]
"""Partition and index; the record with index n has offset n."""


@pytest.fixture(scope="module")
def connect(kafka_server: Any) -> Iterator[ConnectWorker]:
    """Starts Kafka Connect with Kafka's connectors for files."""
    with connect_worker(kafka_server.bootstrap) as worker:
        yield worker


class Migration:
    """One topic, its bucket, and the connector that writes the topic to the bucket."""

    def __init__(self, kafka: Any, s3: Any, connect: ConnectWorker, folder: Path) -> None:
        self.kafka, self.s3, self.connect = kafka, s3, connect
        self.name, self.topic, self.bucket = unique("s3-sink"), unique("events"), unique("bucket")
        self.group = f"connect-{self.name}"
        self.counts = [0, 0, 0]
        self.written_by_connect: Counter[Record] = Counter()
        self.hours_at_once = 1
        self._folder = folder
        create_topic(kafka.bootstrap, self.topic, len(self.counts))
        s3.create_bucket(self.bucket)
        self._client = s3.client()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    # ---- Kafka

    @property
    def log(self) -> Counter[Record]:
        """Returns all records."""
        return Counter((partition, index) for partition, count in enumerate(self.counts) for index in range(count))

    def produce(self, *counts: int) -> None:
        """Fills the partitions up to a number of records."""
        with python_producer(self.kafka.bootstrap) as producer:
            for partition, count in enumerate(counts):
                for index in range(self.counts[partition], count):
                    value = b'{"partition":%d,"index":%d}' % (partition, index)
                    time_ms = BEGIN_MS + self._hour_of(index) * HOUR_MS
                    producer.send(self.topic, value, partition=partition, timestamp_ms=time_ms)
            producer.flush()
        self.counts = list(counts)

    def _hour_of(self, index: int) -> int:
        return index // (2 * FLUSH_ROWS) + index % self.hours_at_once

    def committed(self, group: str = "") -> dict[int, int]:
        """Returns committed offsets by partition."""
        return committed_offsets(self.kafka.bootstrap, group or self.group, self.topic)

    def groups_tool(self, *arguments: str, group: str = "") -> str:
        """Runs Kafka's own tool for groups."""
        return str(self.kafka.tool("kafka-consumer-groups", "--group", group or self.group, *arguments))

    def export(self) -> Path:
        """Exports the group's offsets as the guide describes."""
        path = self._folder / "offsets.csv"
        path.write_text(self.groups_tool("--all-topics", "--reset-offsets", "--to-current", "--export", "--dry-run"))
        return path

    # ---- Confluent's sink

    def run_connect(self) -> None:
        """Lets the connector read everything, and stops it in order."""
        path = self.connect.write_file(self.name, {"topics": self.topic, "value.converter": _STRINGS})
        wait_until(lambda: self.committed() == dict(enumerate(self.counts)), "Connect's commits")
        rows = map(json.loads, path.read_text().splitlines())
        self.written_by_connect = Counter((row["partition"], row["index"]) for row in rows)
        self.connect.stop(self.name)
        self.connect.delete(self.name)

    def confluent_writes(self, partition: int, start: int, end: int, *, only_hour: int | None = None) -> None:
        """Puts files of the records [start, end), or of one hour, where Confluent's sink puts them."""
        for first in range(start, end, FLUSH_ROWS):
            of_hour: dict[int, list[int]] = {}
            for index in range(first, min(first + FLUSH_ROWS, end)):
                of_hour.setdefault(self._hour_of(index), []).append(index)
            for hour, indexes in of_hour.items():
                if only_hour in (None, hour):
                    self._put(partition, hour, indexes)

    def _put(self, partition: int, hour: int, indexes: list[int]) -> None:
        table = pa.table({"partition": [partition] * len(indexes), "index": indexes})
        pq.write_table(table, sink := pa.BufferOutputStream())
        self._client.put_object(
            Bucket=self.bucket, Key=self.key(partition, hour, indexes[0]), Body=sink.getvalue().to_pybytes()
        )

    def key(self, partition: int, hour: int, first_offset: int) -> str:
        """Returns the name that Confluent's sink gives to a file."""
        name = f"{self.topic}+{partition}+{first_offset:010}.snappy.parquet"
        return f"topics/{self.topic}/year=2026/month=05/day=17/hour={10 + hour}/{name}"

    # ---- kafka2parquet

    def config(self, name: str = "", changes: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """Returns the connector's configuration."""
        config = {
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "tasks.max": "1",
            "topics": self.topic,
            "consumer.override.fetch.min.bytes": "1",
            "s3.bucket.name": self.bucket,
            "s3.region": "us-east-1",
            "aws.access.key.id": self.s3.key,
            "aws.secret.access.key": self.s3.secret,
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "flush.size": str(FLUSH_ROWS),
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "timestamp.extractor": "Record",
            "locale": "en",
            "timezone": "UTC",
        }
        return {"name": name or self.name, "config": {**config, **changes}}

    def run(self, rows: int, *, name: str = "", **changes: str) -> None:
        """Runs kafka2parquet until it has taken a number of rows, and stops it in order."""
        worker = load_worker_config(bootstrap_servers=self.kafka.bootstrap, endpoint_url=self.s3.url)
        runner = build_runner(load_connect_config(self.config(name, changes)), worker)
        runner.start()
        wait_until(lambda: runner.failed or runner.progress.taken_rows >= rows, "the rows")
        runner.stop()
        assert runner.join(30)
        assert rows == runner.progress.committed_rows

    def command(self, *arguments: str, name: str = "", **changes: str) -> int:
        """Runs a command of `kafka2parquet` on the configuration and returns its exit code."""
        path = self._folder / "sink.json"
        path.write_text(json.dumps(self.config(name, changes)))
        servers = ("--bootstrap-server", self.kafka.bootstrap, "--endpoint-url", self.s3.url)
        return main([arguments[0], str(path), *servers, *arguments[1:]])

    def doctor(self, capsys: pytest.CaptureFixture[str], *, name: str = "") -> list[str]:
        """Returns the failed checks and their causes."""
        capsys.readouterr()
        self.command("doctor", "--json", name=name)
        findings = json.loads(capsys.readouterr().out)["findings"]
        return [f"{each['check']}/{each['cause']}" for each in findings if each["level"] == "failed"]

    # ---- the bucket

    def objects(self) -> dict[str, str]:
        """Returns the keys in the bucket with a hash of each object."""
        return {
            key: self._client.head_object(Bucket=self.bucket, Key=key)["ETag"]
            for key in keys(self._client, self.bucket, "")
            if key.endswith(".parquet")
        }

    def rows(self) -> Counter[Record]:
        """Returns the rows of all files in the bucket."""
        found: Counter[Record] = Counter()
        for key in self.objects():
            content = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            table = pq.read_table(pa.BufferReader(content))
            found.update(zip(table["partition"].to_pylist(), table["index"].to_pylist(), strict=True))
        return found

    def move_away(self, key: str) -> None:
        """Moves files out of `topics.dir`."""
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def script(self, exported: Path) -> subprocess.CompletedProcess[str]:
        """Runs the guide's script that looks for files past the offsets, unchanged."""
        return self._run(1, f"s3://{self.bucket}/topics", str(exported))

    def rows_of_folders(self, topics_dir: str) -> list[str]:
        """Runs the guide's script that prints types and rows, unchanged, and returns its lines."""
        found = self._run(0, f"s3://{self.bucket}/{topics_dir}/{self.topic}")
        assert (0, "") == (found.returncode, found.stderr)
        return found.stdout.splitlines()

    def _run(self, number: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of the guide."""
        path = self._folder / f"script_{number}.py"
        path.write_text(_GUIDE.read_text().split("```python\n")[1 + number].split("```")[0])
        return subprocess.run(
            [sys.executable, path, *arguments],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": self.s3.key,
                "AWS_SECRET_ACCESS_KEY": self.s3.secret,
                "AWS_ENDPOINT_URL": self.s3.url,
                "AWS_DEFAULT_REGION": self.s3.region,
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def migration(kafka_server: Any, s3_server: Any, connect: ConnectWorker, tmp_path: Path) -> Iterator[Migration]:
    made = Migration(kafka_server, s3_server, connect, tmp_path)
    yield made
    made.close()


def lines(text: str) -> list[str]:
    """Returns the lines of a CSV file in order of partitions."""
    return sorted(line for line in text.splitlines() if line)


def test_switch_in_order(migration: Migration, capsys: pytest.CaptureFixture[str]) -> None:
    """The same group continues at the connector's offsets: old files stay, and every later record is in one new file."""
    migration.produce(300, 200, 0)
    migration.run_connect()
    migration.confluent_writes(0, 0, 300)
    migration.confluent_writes(1, 0, 200)
    before = migration.objects()
    assert "Empty" in migration.groups_tool("--describe", "--state")
    # the sink for files has committed the beginning of the empty partition; Confluent's sink commits nothing without a file
    migration.groups_tool("--delete-offsets", "--topic", f"{migration.topic}:2")
    exported = migration.export()
    assert [f"{migration.topic},0,300", f"{migration.topic},1,200"] == lines(exported.read_text())
    migration.produce(450, 200, 30)

    assert 0 == migration.command("check")
    assert f"members of the consumer group {migration.group}." in capsys.readouterr().out
    migration.run(150 + 30)

    after = migration.objects()
    assert before == {key: after[key] for key in before}
    assert {migration.key(0, 1, 300), migration.key(0, 2, 400), migration.key(2, 0, 0)} == after.keys() - before.keys()
    assert migration.log == migration.rows()
    assert {0: 450, 1: 200, 2: 30} == migration.committed()
    assert 0 == migration.command("audit", "--json")
    partitions = json.loads(capsys.readouterr().out)["partitions"]
    assert [(300, 450, 450), (200, 200, 200), (0, 30, 30)] == [
        (each["start"], each["end"], each["committed"]) for each in partitions
    ]
    assert [(2, 3), (0, 2), (1, 0)] == [(each["files"], each["history_files"]) for each in partitions]
    # hours 10 and 11 have files of both sinks
    day = f"topics/{migration.topic}/year=2026/month=05/day=17"
    left_out = [f"{day}/hour=10: left out, because it also has 4 files", f"{day}/hour=11: left out, because it also has 1 file"]
    assert 0 == migration.command("complete", "--idle-after", "1h")
    assert left_out == [
        line.partition(" of another tool")[0] for line in capsys.readouterr().out.splitlines() if "left out" in line
    ]
    assert 0 == migration.command("compact", "--dry-run", "--idle-after", "1h")
    out = capsys.readouterr().out
    assert left_out == [f"topics/{line}".partition(" of another tool")[0] for line in out.splitlines() if "left out" in line]
    assert 0 == migration.command("publish", "--to", "delta")
    assert "registered 3 files with 180 rows" in capsys.readouterr().out


@pytest.fixture
def crashed(migration: Migration) -> Migration:
    """Makes the state after the connector wrote files of partition 0 up to 500 and was killed when only 300 was committed."""
    migration.produce(300, 200, 0)
    migration.run_connect()
    migration.confluent_writes(0, 0, 500)
    migration.confluent_writes(1, 0, 200)
    migration.produce(560, 250, 0)
    return migration


def test_files_past_the_offsets_end_the_task(crashed: Migration, capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign file in the place of the sink's own is not overwritten, and doctor finds it. Behind it, the sink continues."""
    before = crashed.objects()
    assert ["store-older-files/past-offset"] == crashed.doctor(capsys)
    with pytest.raises(ForeignObjectError) as raised:
        crashed.run(260 + 50)
    assert crashed.key(0, 1, 300) == raised.value.key
    after = crashed.objects()
    assert before == {key: after[key] for key in before}
    assert not [key for key in after.keys() - before.keys() if f"{crashed.topic}+0+" in key]
    assert 300 == crashed.committed()[0]

    exported = crashed.export()
    behind = crashed.script(exported)
    assert crashed.key(0, 1, 300) in behind.stderr
    assert crashed.key(0, 2, 400) in behind.stderr
    assert f"{crashed.topic},0,500" in lines(behind.stdout)
    exported.with_name("new-offsets.csv").write_text(behind.stdout)
    crashed.groups_tool("--reset-offsets", "--from-file", str(exported.with_name("new-offsets.csv")), "--execute")
    assert [] == crashed.doctor(capsys)
    assert ["store-older-files/no-offsets"] == crashed.doctor(capsys, name="another")
    crashed.run(60 + 250 - crashed.committed()[1])
    assert crashed.log == crashed.rows()


def test_files_under_other_names_are_not_noticed(crashed: Migration) -> None:
    """If names differ, here by the codec, rows are repeated; the guide describes this limit."""
    crashed.run(260 + 50, **{"parquet.codec": "zstd"})
    assert Counter((0, index) for index in range(300, 500)) == crashed.rows() - crashed.log
    assert not crashed.log - crashed.rows()


@pytest.fixture
def half_written(migration: Migration) -> Migration:
    """Makes the state after the connector was killed when it had written one of the two folders of flush [200, 300)."""
    migration.hours_at_once = 2
    migration.produce(200, 0, 0)
    migration.run_connect()
    migration.confluent_writes(0, 0, 200)
    migration.confluent_writes(0, 200, 300, only_hour=2)
    migration.produce(600, 0, 0)
    return migration


def test_a_flush_of_which_files_are_missing_is_moved_away(half_written: Migration) -> None:
    """The incomplete flush has to be moved away, because no offset is right for it."""
    key = half_written.key(0, 2, 201)
    found = half_written.script(half_written.export())
    assert (1, "") == (found.returncode, found.stdout)
    assert f"{key} doesn't begin at 200" in found.stderr
    half_written.move_away(key)
    half_written.run(400)
    assert half_written.log == half_written.rows()


def test_a_foreign_file_within_a_flush_is_never_taken_for_ours(half_written: Migration) -> None:
    """The file is refused at every start while it exists."""
    for _ in range(2):
        with pytest.raises(ForeignObjectError):
            half_written.run(400, **{"flush.size": "150"})


def test_another_group(migration: Migration, capsys: pytest.CaptureFixture[str]) -> None:
    """With the offsets handed over, the sink continues after the connector; the audit of a separate folder finds nothing."""
    migration.produce(300, 200, 0)
    migration.run_connect()
    migration.confluent_writes(0, 0, 300)
    migration.confluent_writes(1, 0, 200)
    migration.produce(350, 250, 40)
    group = f"{migration.group}-new"
    exported = migration.export()
    migration.groups_tool("--reset-offsets", "--from-file", str(exported), "--execute", group=group)
    assert {0: 300, 1: 200, 2: 0} == migration.committed(group)

    name = group.removeprefix("connect-")
    migration.run(50 + 50 + 40, name=name, **{"topics.dir": "lake"})
    assert migration.log == migration.rows()
    assert {0: 350, 1: 250, 2: 40} == migration.committed(group)
    assert 0 == migration.command("audit", "--deep", name=name, **{"topics.dir": "lake"})
    assert "EXACT: every offset is covered once; 140 rows" in capsys.readouterr().out


def test_rehearsal(migration: Migration) -> None:
    """A run to the end in another group and folder has the rows of the old files, and the connector's offsets stay."""
    migration.produce(300, 200, 0)
    migration.run_connect()
    migration.confluent_writes(0, 0, 300)
    migration.confluent_writes(1, 0, 200)
    committed = migration.committed()
    rehearsal = {"topics.dir": "rehearsal"}
    assert 0 == migration.command("run", "--to", "now", name=f"{migration.name}-rehearsal", **rehearsal)
    assert ["index: int64", "partition: int64"] == migration.rows_of_folders("topics")[:2]
    assert migration.rows_of_folders("topics") == migration.rows_of_folders("rehearsal")
    assert committed == migration.committed()


def test_an_export_of_an_active_group_is_refused(migration: Migration, tmp_path: Path) -> None:
    """The text of an error in the place of offsets ends the script with what to do."""
    path = tmp_path / "error.csv"
    path.write_text("Error: Assignments can only be reset if the group is inactive, but the current state is Stable.\n")
    found = migration.script(path)
    assert (1, "") == (found.returncode, found.stdout)
    assert "Is the group still active?" in found.stderr


def test_back_although_flushes_are_not_committed(migration: Migration, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of flushes past the committed offset are moved away, and Connect writes their records again."""
    migration.produce(400, 0, 0)
    migration.run(400)
    migration.groups_tool("--reset-offsets", "--topic", f"{migration.topic}:0", "--to-offset", "200", "--execute")
    capsys.readouterr()
    assert 0 == migration.command("files", "--json")
    files = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for file in files:
        if file["partition"] == 0 and file["flush_start"] >= 200:
            migration.move_away(file["key"])
    kept = migration.rows()
    migration.run_connect()
    assert Counter((0, index) for index in range(200)) == kept
    assert migration.log - kept == migration.written_by_connect


def test_back_and_forth(migration: Migration, capsys: pytest.CaptureFixture[str]) -> None:
    """Connect continues at the sink's offsets, and the sink at Connect's; each record is written by one of them.

    The audit then finds the files of Connect, and the gap of each partition in which they are.
    """
    migration.produce(250, 120, 30)
    migration.run(400)
    ours = migration.log
    migration.produce(300, 200, 30)
    migration.run_connect()
    assert migration.log - ours == migration.written_by_connect
    migration.confluent_writes(0, 250, 300)
    migration.confluent_writes(1, 120, 200)
    migration.produce(310, 200, 60)
    migration.run(10 + 30)
    assert migration.log == migration.rows()
    capsys.readouterr()
    assert 4 == migration.command("audit", "--json")
    partitions = json.loads(capsys.readouterr().out)["partitions"]
    assert [(0, "gap", 250, 300), (1, "gap", 120, 200)] == [
        (each["partition"], finding["kind"], finding["start"], finding["end"])
        for each in partitions
        for finding in each["findings"]
        if finding["kind"] != "foreign file"
    ]
