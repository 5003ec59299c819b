"""A log that an unclean leader election of three real brokers truncates, while a sink is stopped and while one runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pytest

from kafka2parquet import SinkTask, build_task, load_connect_config
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import LogTruncatedError
from kafka2parquet.events import Event, LogTruncated
from tests.stack.kafka_cluster import KafkaCluster, kafka_cluster
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import unique, wait_until
from tests.support.local_sink import local_sink
from tests.support.truncated_log import TruncatedLog

_LONG_S = 120.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as cluster:
        yield cluster


def values(text: str, count: int) -> list[bytes]:
    return [b'{"text": "%s"}' % text.encode()] * count


class Sink:
    """Consecutive sinks of a group, with flushes of ten records."""

    def __init__(self, cluster: KafkaCluster, topic: str, folder: Path) -> None:
        self.events: list[Event] = []
        self._name = unique("sink")
        self._cluster, self._topic, self._folder = cluster, topic, folder

    def task(self, on_data_loss: str = "fail") -> SinkTask:
        settings = {
            "name": self._name,
            "flush.size": "10",
            "rotate.schedule.interval.ms": "3600000",
            "kafka2parquet.on.data.loss": on_data_loss,
            "kafka2parquet.metadata.columns": "offset",
            "consumer.override.metadata.max.age.ms": "1000",
        }
        config = load_connect_config(local_sink(self._topic, self._folder, settings))
        worker = WorkerConfig(bootstrap_servers=self._cluster.bootstrap)
        return build_task(config, worker, hooks=[self.events.append])

    def run_until_committed(self, offset: int, task: SinkTask) -> None:
        def is_committed() -> bool:
            task.step()
            group = f"connect-{self._name}"
            return committed_offsets(self._cluster.bootstrap, group, self._topic) == {0: offset} and not task.step().open_rows

        wait_until(is_committed, f"offset {offset}", _LONG_S)

    def run(self, offset: int, on_data_loss: str = "fail") -> None:
        task = self.task(on_data_loss)
        try:
            self.run_until_committed(offset, task)
        finally:
            task.close(flush=False)

    def rows(self) -> list[tuple[int, str]]:
        query = f"SELECT _kafka_offset, text FROM read_parquet('{self._folder}/**/*.parquet') ORDER BY 1"
        return duckdb.execute(query).fetchall()


def expected(*runs: tuple[str, int]) -> Sequence[tuple[int, str]]:
    texts = [text for text, count in runs for _ in range(count)]
    return list(enumerate(texts))


def test_a_stopped_sink_refuses_the_truncated_log_until_an_operator_decides(cluster: KafkaCluster, tmp_path: Path) -> None:
    """Each start raises the same error. After the decision, each offset is written once, and skipped ones are an event."""
    log = TruncatedLog(cluster)
    sink = Sink(cluster, log.topic, tmp_path)
    log.write(values("old", 20))
    log.stop_follower()
    log.write(values("lost", 10))
    sink.run(30)
    log.lose_tail()
    log.write(values("new", 40))
    for _ in range(2):
        with pytest.raises(LogTruncatedError, match=f"{log.topic}-0: the log was truncated at offset 20") as raised:
            sink.run(60)
        assert raised.value.offset == 20
    assert expected(("old", 20), ("lost", 10)) == sink.rows()
    log.restore()
    sink.run(60, "continue")
    assert expected(("old", 20), ("lost", 10), ("new", 30)) == sink.rows()
    assert [(20, 30)] == [(event.offset, event.position) for event in sink.events if isinstance(event, LogTruncated)]


def test_a_running_sink_notices_the_election(cluster: KafkaCluster, tmp_path: Path) -> None:
    """Unpublished records are dropped, and a restart raises the same error."""
    log = TruncatedLog(cluster)
    sink = Sink(cluster, log.topic, tmp_path)
    log.write(values("old", 12))
    log.stop_follower()
    log.write(values("lost", 13))
    task = sink.task()
    try:
        wait_until(lambda: task.step().open_rows == 5, "25 records that are taken", _LONG_S)
        log.lose_tail()
        log.write(values("new", 28))
        with pytest.raises(LogTruncatedError, match="truncated at offset 12"):
            sink.run_until_committed(40, task)
    finally:
        task.close()
    with pytest.raises(LogTruncatedError, match="truncated at offset 12"):
        sink.run(40)
    log.restore()
    sink.run(40, "continue")
    assert expected(("old", 12), ("lost", 8), ("new", 20)) == sink.rows()
