"""500 small files are merged, and audited deeply, by worker processes, Dask with a killed worker and four shards, all alike."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import duckdb
import pytest

from kafka2parquet.bounded import drain
from kafka2parquet.compaction import MergeUnit, SinkCompaction, UnitResult, verify
from kafka2parquet.connect import build_task, load_connect_config, load_worker_config
from kafka2parquet.storage.temporary_files import is_temporary
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.units import run_units
from tests.stack import install
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[2]
TOPIC = "events"
HOUR_MS = 3_600_000
HOURS, PARTITIONS, FLUSHES, ROWS = 5, 4, 25, 8
#: The beginning of an hour that has ended.
HOUR = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 9 * HOUR_MS
OPTIONS = ("--target-bytes", "16KiB")


@attrs.frozen
class Written:
    """A sink's configuration and the broker that it has read."""

    broker: EmbeddedBroker
    folder: Path

    def copy(self, folder: Path) -> Path:
        """Copies the files, and returns the path of a configuration for the copies."""
        shutil.copytree(self.folder / "files", folder / "files")
        return configure(folder)


def configure(folder: Path) -> Path:
    path = folder / "sink.json"
    properties = {
        "name": "engines",
        "topics": TOPIC,
        "flush.size": str(ROWS),
        "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
        "locale": "en",
        "timezone": "UTC",
        "consumer.override.fetch.min.bytes": "1",
        "kafka2parquet.storage.url": str(folder / "files"),
        "kafka2parquet.metadata.columns": "partition,offset",
    }
    path.write_text(json.dumps(json_sink(properties)))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """500 files in five hours, and one file of the next hour for each partition."""
    folder = tmp_path_factory.mktemp("written")
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=PARTITIONS)
        per_hour = FLUSHES * ROWS
        for partition in range(PARTITIONS):
            times_ms = [HOUR + hour * HOUR_MS + number for hour in range(HOURS) for number in range(per_hour)]
            values = [b'{"number":%d,"half":%d.5,"text":"%x"}' % (n, n, n * 7919) for n in range(len(times_ms) + 1)]
            broker.append_values(TOPIC, partition, values, [*times_ms, HOUR + HOURS * HOUR_MS])
        drain(build_task(load_connect_config(configure(folder)), load_worker_config(bootstrap_servers=broker.bootstrap)))
        assert HOURS * PARTITIONS * FLUSHES == 500
        assert 500 + PARTITIONS == len([*(folder / "files").rglob("*.parquet")])
        yield Written(broker, folder)


def merged(sink: Path) -> Mapping[str, bytes]:
    """Returns all objects under the prefix of merged files, by name. A killed process may leave a temporary file there."""
    base = sink.parent / "files" / "topics-merged"
    paths = [path for path in base.rglob("*") if path.is_file() and not is_temporary(path.name)]
    return {str(path.relative_to(base)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def expected(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """What one process makes of the files. Each row is in one merged file, as DuckDB reads them."""
    sink = written.copy(tmp_path_factory.mktemp("one"))
    assert [0] == start(written, sink, "compact", *OPTIONS)
    with duckdb.connect() as connection:
        query = "select _kafka_partition, _kafka_offset from read_parquet(?) order by all"
        rows = connection.execute(query, [f"{sink.parent}/files/topics-merged/**/*.parquet"]).fetchall()
    assert [(partition, offset) for partition in range(PARTITIONS) for offset in range(HOURS * FLUSHES * ROWS)] == rows
    return merged(sink)


def start(written: Written, sink: Path, *command: str, shards: int = 0) -> list[int]:
    """Runs a command, or one for each shard at the same time, and returns the exit codes."""
    name, *options = command
    arguments = [sys.executable, "-m", "kafka2parquet", name, str(sink), "--bootstrap-server", written.broker.bootstrap]
    split = [["--shard", f"{index}/{shards}"] for index in range(shards)] or [[]]
    processes = [subprocess.Popen([*arguments, *options, *each], cwd=ROOT, stdout=subprocess.DEVNULL) for each in split]
    return [process.wait(120) for process in processes]


def test_worker_processes(written: Written, expected: Mapping[str, bytes], tmp_path: Path) -> None:
    """Two worker processes write the same bytes as one process."""
    sink = written.copy(tmp_path)
    assert [0] == start(written, sink, "compact", *OPTIONS, "--workers", "2")
    assert expected == merged(sink)
    assert [0] == start(written, sink, "audit", "--deep", "--workers", "2")


def test_shards(written: Written, expected: Mapping[str, bytes], tmp_path: Path) -> None:
    """Four processes that know nothing of each other write the same bytes as one process."""
    sink = written.copy(tmp_path)
    assert [0] * 4 == start(written, sink, "compact", *OPTIONS, shards=4)
    assert expected == merged(sink)
    assert [0] * 4 == start(written, sink, "audit", "--deep", shards=4)


def run_on(executor: concurrent.futures.Executor, written: Written, sink: Path, on_result: Callable[[], None]) -> None:
    """Merges on an executor with the Python API, and verifies the results."""
    worker = load_worker_config(bootstrap_servers=written.broker.bootstrap)
    compaction = SinkCompaction(load_connect_config(sink), worker, target_bytes=16 << 10)
    (planned,) = compaction.plan()
    assert len(planned.units) > 10
    results: list[UnitResult] = []
    for _, result in run_units(compaction.run, planned.units, executor=executor):
        results.append(result)
        on_result()
    assert {} == verify(planned.units, results, compaction.storage)
    assert 500 == sum(unit.files for unit in planned.units)
    assert list(planned.units) == [MergeUnit.from_json(json.loads(json.dumps(unit.to_json()))) for unit in planned.units]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_dask_with_a_killed_worker(written: Written, expected: Mapping[str, bytes], tmp_path: Path) -> None:
    """On a Dask cluster of two processes, one of which is killed after the first result, all units get done."""
    import distributed  # where its warnings are ignored

    sink = written.copy(tmp_path)
    killed: list[int] = []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):

        def kill_a_worker() -> None:
            if not killed:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], signal.SIGKILL)

        run_on(client.get_executor(), written, sink, kill_a_worker)
        assert killed[0] not in client.run(os.getpid).values()
    assert expected == merged(sink)


@pytest.mark.heavy
def test_spark(written: Written, expected: Mapping[str, bytes], tmp_path: Path) -> None:
    """Spark, with two executor processes, maps the same function over the same units."""
    sink = written.copy(tmp_path)
    environment = {
        **os.environ,
        "JAVA_HOME": str(install.jdk()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        "PYSPARK_PYTHON": sys.executable,
    }
    command = [sys.executable, "-m", "tests.support.spark_units", str(sink), written.broker.bootstrap]
    finished = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert 0 == finished.returncode, finished.stderr[-3000:]
    assert "processes 2, problems 0" in finished.stdout
    assert expected == merged(sink)
