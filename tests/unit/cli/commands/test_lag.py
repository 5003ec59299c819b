"""`kafka2parquet lag` on the embedded broker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from kafka2parquet.cli.commands.lag import EXIT_SHOWN
from kafka2parquet.cli.main import main
from kafka2parquet.testing import EmbeddedBroker
from tests.support.kafka_clients import python_consumer
from tests.support.sink_properties import json_sink

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def topic(broker: EmbeddedBroker, request: pytest.FixtureRequest) -> str:
    """A topic of two partitions that keeps records for a day; the second partition is empty."""
    name = str(request.node.name).replace("[", "-").replace("]", "")
    broker.create_topic(name, partitions=2, configs={"retention.ms": str(DAY_MS), "cleanup.policy": "delete"})
    return name


def _fill(broker: EmbeddedBroker, topic: str, ages_s: list[int]) -> None:
    """Appends a record of each age."""
    now_ms = round(time.time() * 1000)
    broker.append_values(topic, 0, [b"{}"] * len(ages_s), [now_ms - age_s * 1000 for age_s in ages_s])


def _commit(broker: EmbeddedBroker, group: str, topic: str, offset: int) -> None:
    with python_consumer(broker.bootstrap, group_id=group) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})


def _sink(folder: Path, topic: str, **changes: str) -> str:
    path = folder / "sink.json"
    named = {name.replace("_", "."): text for name, text in changes.items()}
    path.write_text(json.dumps(json_sink({"name": topic, "topics": topic, **named})))
    return str(path)


def _lags(capsys: pytest.CaptureFixture[str], broker: EmbeddedBroker, sink: str) -> list[Any]:
    assert EXIT_SHOWN == main(["lag", sink, "--bootstrap-server", broker.bootstrap, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert 1 == found["version"]
    return list(found["partitions"])


def test_lag_of_a_commit(broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lag is counted from the committed offset; its age and its margin are those of the record at that offset."""
    _fill(broker, topic, [7200, 3600, 1800, 60])
    _commit(broker, f"connect-{topic}", topic, 1)
    members = broker.group_members(f"connect-{topic}")
    lagging, empty = _lags(capsys, broker, _sink(tmp_path, topic))

    assert (topic, 0, 0, 4, 1, 3) == tuple(
        lagging[name] for name in ("topic", "partition", "log_start", "log_end", "committed", "durable_lag_records")
    )
    assert 3600 <= lagging["durable_lag_s"] < 3660
    assert (86_400.0, 0) == (lagging["retention_s"], lagging["lost_records"])
    assert 86_400 - lagging["durable_lag_s"] == pytest.approx(lagging["retention_margin_s"])
    assert (None, 0, 0.0, None) == tuple(
        empty[name] for name in ("committed", "durable_lag_records", "durable_lag_s", "retention_margin_s")
    )
    assert members == broker.group_members(f"connect-{topic}") == []
    committed = broker.committed(f"connect-{topic}", topic, 0)
    assert committed is not None
    assert 1 == committed[0]


def test_idle_topic_has_no_lag(broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A topic whose records are all durable has no lag, however old its last record is."""
    _fill(broker, topic, [70_000, 60_000])
    _commit(broker, f"connect-{topic}", topic, 2)
    idle, _ = _lags(capsys, broker, _sink(tmp_path, topic))
    assert (0, 0.0, None) == (idle["durable_lag_records"], idle["durable_lag_s"], idle["retention_margin_s"])


@pytest.mark.parametrize(("reset", "records"), [("earliest", 2), ("latest", 0)])
def test_without_a_commit(
    broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], reset: str, records: int
) -> None:
    """Without a committed offset, the lag is counted from where the sink will begin."""
    _fill(broker, topic, [50, 40])
    first, _ = _lags(capsys, broker, _sink(tmp_path, topic, consumer_override_auto_offset_reset=reset))
    assert (None, records) == (first["committed"], first["durable_lag_records"])


def test_gap_at_the_committed_offset(
    broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If compaction has removed the record at the committed offset, the next record counts."""
    _fill(broker, topic, [500])
    broker.leave_gap(topic, 0, 10)
    _fill(broker, topic, [400, 300])
    _commit(broker, f"connect-{topic}", topic, 4)
    found, _ = _lags(capsys, broker, _sink(tmp_path, topic))
    assert 2 == found["durable_lag_records"]
    assert 400 <= found["durable_lag_s"] < 460


def test_deleted_records(broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Records that Kafka has deleted beyond the committed offset are counted as lost, and lead the table."""
    _fill(broker, topic, [500, 400, 300, 200])
    _commit(broker, f"connect-{topic}", topic, 1)
    broker.delete_records(topic, 0, 3)
    sink = _sink(tmp_path, topic)
    found, _ = _lags(capsys, broker, sink)
    assert (2, 1) == (found["lost_records"], found["durable_lag_records"])
    assert EXIT_SHOWN == main(["lag", sink, "--bootstrap-server", broker.bootstrap])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == [f"{topic}-0", "3", "4", "1", "1"]
    assert lines[-1].startswith(
        f"Group connect-{topic}: records in 2 topic-partitions that are not durable: 1, the oldest for 3m "
    )
    assert lines[-1].endswith("Offsets that Kafka deleted before they were written: 2.")


#: Settings of topics whose records are never deleted by their age.
KEPT = {"ever": {"retention.ms": "-1"}, "compact": {"retention.ms": "1000", "cleanup.policy": "compact"}, "unknown": {}}


@pytest.mark.parametrize("kept", KEPT)
def test_topic_that_keeps_records(
    broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: str
) -> None:
    """A topic without retention, or one that only compacts, has no margin."""
    topic = f"kept-{kept}"
    broker.create_topic(topic, partitions=1, configs=KEPT[kept])
    _fill(broker, topic, [500])
    (found,) = _lags(capsys, broker, _sink(tmp_path, topic))
    assert (1, None, None) == (found["durable_lag_records"], found["retention_s"], found["retention_margin_s"])


def test_settings_that_may_not_be_read(
    broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the right to describe the topic's settings, only the margin is missing."""
    _fill(broker, topic, [500])
    broker.inject("DescribeConfigs", error=29)
    found, _ = _lags(capsys, broker, _sink(tmp_path, topic))
    broker.clear_faults()
    assert (1, None, None) == (found["durable_lag_records"], found["retention_s"], found["retention_margin_s"])


def test_topics_by_pattern(broker: EmbeddedBroker, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern shows all topics that match."""
    sink = json.loads(Path(_sink(tmp_path, topic)).read_text())
    del sink["topics"]
    path = tmp_path / "pattern.json"
    path.write_text(json.dumps({**sink, "topics.regex": f"{topic[:-1]}."}))
    assert [(topic, 0), (topic, 1)] == [(each["topic"], each["partition"]) for each in _lags(capsys, broker, str(path))]


def test_what_can_not_be_shown(broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A topic that doesn't exist and missing brokers are one sentence each."""
    sink = _sink(tmp_path, "nowhere")
    assert 1 == main(["lag", sink, "--bootstrap-server", broker.bootstrap])
    assert "Kafka has no topic nowhere, or access to it is denied." in capsys.readouterr().err
    assert 1 == main(["lag", sink])
    assert "bootstrap.servers is not set." in capsys.readouterr().err
