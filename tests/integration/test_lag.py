"""`kafka2parquet lag` on Apache Kafka: transactions, compaction, and a sink that runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.cli.commands.lag import EXIT_SHOWN
from kafka2parquet.cli.main import main
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import LIMIT_S, fill, make_topic, python_consumer, read, unique, wait_until
from tests.support.sink_properties import json_sink

HOUR_MS = 3_600_000


def _now_ms() -> int:
    return round(time.time() * 1000)


def _transaction(bootstrap: str, topic: str, ages_s: list[int], *, commit: bool = True) -> None:
    """Writes a transaction with a record of each age; a marker follows its records in the log."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": unique("writer")})
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    for age_s in ages_s:
        producer.produce(topic, b"{}", partition=0, timestamp=_now_ms() - age_s * 1000)
    producer.flush(LIMIT_S)
    if commit:
        producer.commit_transaction(LIMIT_S)
    else:
        producer.abort_transaction(LIMIT_S)


def _commit(bootstrap: str, group: str, topic: str, offset: int) -> None:
    with python_consumer(bootstrap, group_id=group) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})


def _lag(capsys: pytest.CaptureFixture[str], bootstrap: str, folder: Path, topic: str) -> Any:
    sink = folder / "sink.json"
    sink.write_text(json.dumps(json_sink({"name": topic, "topics": topic, "kafka2parquet.storage.url": str(folder / "files")})))
    assert EXIT_SHOWN == main(["lag", str(sink), "--bootstrap-server", bootstrap, "--json"])
    (found,) = json.loads(capsys.readouterr().out)["partitions"]
    return found


def test_marker_at_the_committed_offset(kafka_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the committed offset is that of a marker, the next record counts; markers and aborted records alone don't count."""
    bootstrap = kafka_server.bootstrap
    topic = make_topic(bootstrap, configs={"retention.ms": str(24 * HOUR_MS)})
    _transaction(bootstrap, topic, [5000, 4000])  # offsets 0 and 1, and the marker at 2
    _commit(bootstrap, f"connect-{topic}", topic, 2)
    only_marker = _lag(capsys, bootstrap, tmp_path, topic)
    assert (3, 2, 0, 0.0, None) == tuple(
        only_marker[name] for name in ("log_end", "committed", "durable_lag_records", "durable_lag_s", "retention_margin_s")
    )

    _transaction(bootstrap, topic, [3500], commit=False)  # offset 3, and its marker at 4
    assert 0 == _lag(capsys, bootstrap, tmp_path, topic)["durable_lag_records"]

    _transaction(bootstrap, topic, [3000, 2000])  # offsets 5 and 6, and the marker at 7
    found = _lag(capsys, bootstrap, tmp_path, topic)
    assert (8, 2, 3) == (found["log_end"], found["committed"], found["durable_lag_records"])
    assert 3000 <= found["durable_lag_s"] < 3060
    assert 24 * 3600 - found["durable_lag_s"] == pytest.approx(found["retention_margin_s"])


def test_open_transaction_is_not_counted(kafka_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Records of a transaction that is still open can't be read yet, so they don't count."""
    bootstrap = kafka_server.bootstrap
    topic = make_topic(bootstrap)
    fill(bootstrap, topic, [b"{}"])
    _commit(bootstrap, f"connect-{topic}", topic, 1)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": unique("writer")})
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    producer.produce(topic, b"{}", partition=0)
    producer.flush(LIMIT_S)
    found = _lag(capsys, bootstrap, tmp_path, topic)
    producer.abort_transaction(LIMIT_S)
    assert (1, 0) == (found["log_end"], found["durable_lag_records"])


def test_compacted_record_at_the_committed_offset(
    kafka_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If compaction has removed the record at the committed offset, the next record counts; such a topic has no margin."""
    bootstrap = kafka_server.bootstrap
    configs = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "1",
    }
    topic = make_topic(bootstrap, configs={**configs, "max.compaction.lag.ms": "1"})
    begin_ms = _now_ms() - HOUR_MS
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for number, key in enumerate((b"a", b"a", b"a", b"b", b"c")):
        producer.produce(topic, b"{}", key=key, partition=0, timestamp=begin_ms + number * 60_000)
        producer.flush(LIMIT_S)
    _commit(bootstrap, f"connect-{topic}", topic, 1)

    def compacted() -> bool:
        producer.produce(topic, b"{}", key=b"roll", partition=0)  # a segment is closed by the next record
        producer.flush(LIMIT_S)
        return bool(read(bootstrap, topic, 1, offset=1)[0].offset == 2)

    wait_until(compacted, "the compaction", limit_s=120)
    found = _lag(capsys, bootstrap, tmp_path, topic)
    assert (1, found["log_end"] - 2) == (found["committed"], found["durable_lag_records"])
    assert 3600 - 120 <= found["durable_lag_s"] < 3600 - 60
    assert (None, None) == (found["retention_s"], found["retention_margin_s"])


def test_lag_of_a_sink(kafka_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lag of a sink that has run: rows in its files are durable, and rows of its open file are not."""
    bootstrap = kafka_server.bootstrap
    topic = make_topic(bootstrap)
    fill(bootstrap, topic, [b'{"a": 1}'] * 250)
    _lag(capsys, bootstrap, tmp_path, topic)
    task = build_task(load_connect_config(tmp_path / "sink.json"), load_worker_config(bootstrap_servers=bootstrap))
    try:
        group = f"connect-{topic}"
        wait_until(lambda: task.step() and committed_offsets(bootstrap, group, topic).get(0) == 200, "two flushes")
        found = _lag(capsys, bootstrap, tmp_path, topic)
    finally:
        task.close()
    assert (200, 250, 50) == (found["committed"], found["log_end"], found["durable_lag_records"])
    assert 0 < found["durable_lag_s"] < LIMIT_S
    assert 0 == _lag(capsys, bootstrap, tmp_path, topic)["durable_lag_records"]
