"""The command `kafka2parquet demo`: fills a folder from an embedded broker, or from your own broker to your own store."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import attrs
import numpy as np
import numpy.typing as npt

from kafka2parquet.cli.logs import log_to_stderr
from kafka2parquet.cli.options import count
from kafka2parquet.cli.running import live
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.build import build_runner
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError, KafkaUnavailableError, TransientError
from kafka2parquet.events import Event, FilePublished
from kafka2parquet.runner import Progress, TaskRunner
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.events import generate_events
from kafka2parquet.testing.producing import produce
from kafka2parquet.util.display import counted, plural

_PARTITIONS = 4
_SPAN = datetime.timedelta(hours=3)
_STILL_S = 60.0
#: Share of the largest file's rows below which a file is small enough to need an explanation.
_SMALL_SHARE = 0.1

#: The configuration of the README, with other names.
_CONFIG = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "2",
    "s3.bucket.name": "demo",
    "s3.region": "us-east-1",
    "topics.dir": "raw/kafka-source",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    "flush.size": "100000",
    "rotate.interval.ms": "3600000",
    "rotate.schedule.interval.ms": "3600000",
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "partition.duration.ms": "3600000",
    "locale": "en-US",
    "timezone": "UTC",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "schema.compatibility": "NONE",
}


@attrs.define
class _Tally:
    """The files that the sink has published so far."""

    files: list[FilePublished] = attrs.Factory(list)

    def hook(self, event: Event) -> None:
        if isinstance(event, FilePublished) and event.created:
            self.files.append(event)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "--events",
        type=count,
        metavar="NUMBER",
        default=500_000,
        help="number of events to produce to the topic (default: %(default)s)",
    )
    command.add_argument("--bootstrap-server", metavar="HOST:PORT", help="your own broker instead of the embedded one")
    command.add_argument("--topic", help="name of the topic to create there (default: a new name)")
    command.add_argument("--to", metavar="URL", help="where the files go, such as s3://bucket (default: a temporary folder)")
    command.add_argument("--endpoint-url", metavar="URL", help="URL of the object store, if it is not the provider's own")
    command.set_defaults(refuse=command.error)


def run(options: argparse.Namespace) -> int:
    """Run the demo, and return the exit code."""
    if options.endpoint_url and not options.to:
        options.refuse("--endpoint-url is the address of an object store, so it needs a bucket, such as --to s3://bucket")
    try:
        importlib.import_module("duckdb")
    except ImportError:
        print("The demo shows its result with DuckDB: pip install 'kafka2parquet[demo]'", file=sys.stderr)
        return 1
    log_to_stderr(text="%(message)s", level=logging.WARNING)
    try:
        return _run(options)
    except Kafka2ParquetError as error:
        tell(f"{type(error).__name__}: {error}", to=sys.stderr)
    except KeyboardInterrupt:
        tell("\nStopped.", to=sys.stderr)
        return 130
    except Exception as error:
        tell(f"The demo has failed: {type(error).__name__}: {error}", to=sys.stderr)
    return 3


def _run(options: argparse.Namespace) -> int:
    topic = options.topic or f"shop-events-{time.time_ns() // 1_000_000}"
    url = options.to or tempfile.mkdtemp(prefix="kafka2parquet-demo-")
    if "://" not in url:
        try:
            Path(url).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"--to {url}: the folder can't be created: {error.strerror}. Choose another folder."
            ) from error
    print(f"Making {counted(options.events, 'event')} of three hours ...", flush=True)
    begin = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - _SPAN
    values, timestamps_ms = generate_events(options.events, begin, _SPAN, 1)
    with _topic(options.bootstrap_server, topic, values, timestamps_ms) as bootstrap:
        tally = _Tally()
        config = {**_CONFIG, "name": f"demo-{topic}", "topics": topic, "kafka2parquet.storage.url": url}
        if options.endpoint_url:
            config["store.url"] = options.endpoint_url
        runner = build_runner(load_connect_config(config), load_worker_config(bootstrap_servers=bootstrap), hooks=(tally.hook,))
        seconds = _drain(runner, options.events)
    _show_tree(url, tally.files)
    rows_out = _query(url, topic, options.endpoint_url)
    print(f"\nRows in {options.events:,}, rows out {rows_out:,}; {options.events / seconds:,.0f} rows/s")
    print(f"The files are in {url}")
    return 0 if rows_out == options.events else 1


@contextlib.contextmanager
def _topic(bootstrap: str | None, topic: str, values: list[bytes], timestamps_ms: npt.NDArray[np.int64]) -> Iterator[str]:
    """Yield the address of a broker whose topic contains the events."""
    if bootstrap is not None:
        try:
            produce(bootstrap, topic, _PARTITIONS, values, timestamps_ms)
        except Exception as error:  # any error of the Kafka client
            raise KafkaUnavailableError(
                f"The topic {topic} can't be created and filled at {bootstrap}: {error}. Check --bootstrap-server; --topic"
                " has to be the name of a new topic."
            ) from error
        yield bootstrap
        return
    with EmbeddedBroker() as broker:
        broker.create_topic(topic, _PARTITIONS)
        for partition in range(_PARTITIONS):
            broker.append_values(topic, partition, values[partition::_PARTITIONS], timestamps_ms[partition::_PARTITIONS])
        yield broker.bootstrap


def _drain(runner: TaskRunner, events: int) -> float:
    """Run until every record was taken, then stop in order, and return the time in seconds.

    Raises:
        TransientError: the progress has stood still for a minute.
    """
    began = moved_at = time.perf_counter()
    has_view = live.is_possible(sys.stdout)
    lines = _ProgressLines(sys.stdout) if not has_view else None
    with live.live_view(runner.status, sys.stdout) if has_view else contextlib.nullcontext():
        runner.start()
        last = runner.progress
        while not runner.failed and last.taken_rows < events:
            time.sleep(0.1)
            now, progress = time.perf_counter(), runner.progress
            if progress != last:
                last, moved_at = progress, now
                if lines is not None:
                    lines.update(progress, now)
            elif now - moved_at > _STILL_S:
                runner.stop()
                raise TransientError(f"No progress for {_STILL_S:.0f} s. The lines above say what can't be reached.")
        runner.stop()
        runner.join()
    seconds = time.perf_counter() - began
    print(f"{_progress(runner.progress)} in {seconds:.1f} s", flush=True)
    return seconds


class _ProgressLines:
    """Lines about the progress, at most one in each second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._printed_at_s = float("-inf")

    def update(self, progress: Progress, now_s: float) -> None:
        """Print a line if the last line is a second old at `now_s`, a monotonic time in seconds."""
        if now_s >= self._printed_at_s + 1.0:
            self._printed_at_s = now_s
            print(_progress(progress), file=self._stream, flush=True)


def _progress(progress: Progress) -> str:
    read, published = plural(progress.records, "record"), plural(progress.files, "file")
    return f"{progress.records:>9,} {read} read, {progress.files:>3} {published} published"


def _show_tree(url: str, files: list[FilePublished]) -> None:
    print(f"\n{url}")
    folder = ""
    for file in sorted(files, key=lambda file: file.key):
        path, _, name = file.key.rpartition("/")
        if path != folder:
            folder = path
            print(f"  {folder}/")
        print(f"    {name:<60} {file.rows:>9,} {plural(file.rows, 'row'):<4} {file.size_bytes:>12,} bytes")
    rows = [file.rows for file in files]
    if rows and min(rows) < _SMALL_SHARE * max(rows):
        print(
            "\nSmall files: an event that arrived late belongs to the previous hour, and as in Kafka Connect each change"
            "\nbetween hours closes the file. In a configuration, rotate.file.on.partition.change=false keeps several open."
        )


def _query(url: str, topic: str, endpoint_url: str | None) -> int:
    """Run and show one query over the Hive partitions, and return the number of rows that DuckDB sees."""
    connection = importlib.import_module("duckdb").connect()
    if "://" in url:
        storage = FsspecStorage(url, endpoint_url=endpoint_url) if endpoint_url else FsspecStorage(url)
        connection.register_filesystem(storage.filesystem)
    glob = f"{url.rstrip('/')}/raw/kafka-source/{topic}/**/*.parquet"
    quoted = glob.replace("'", "''")
    files = f"read_parquet('{quoted}', hive_partitioning=true, union_by_name=true)"
    query = (
        "SELECT year, month, day, hour, count(*) AS events, count(DISTINCT user.id) AS users,"
        "\n  round(sum(product.price * product.quantity) FILTER (event_type = 'order_placed'), 2) AS sales"
        f"\nFROM {files}\nGROUP BY ALL ORDER BY ALL"
    )
    print(f"\n{query}\n")
    print(connection.sql(query))
    return int(connection.sql(f"SELECT count(*) FROM {files}").fetchall()[0][0])  # noqa: S608
