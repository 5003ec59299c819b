"""Which rows the live view shows, and in which order."""

from __future__ import annotations

from typing import Any

import attrs

from kafka2parquet.cli.running.live_rows import Severity, rows_of
from kafka2parquet.records import TopicPartition
from kafka2parquet.status import LastFile, PartitionStatus, Waiting
from tests.support.statuses import ago, partition_status, runner_status, task_status

WAITING = Waiting("storage", "503 SlowDown", attempt=4, retry_at=ago(-12), since=ago(60))
#: One topic-partition of each severity, the worst first.
EACH: tuple[dict[str, Any], ...] = (
    {"state": "failed"},
    {"retention_s": 86_400.0, "retention_margin_s": 17_000.0},
    {"waits_for": WAITING},
    {"state": "full"},
    {"durable_lag_s": 7201.0},
    {"read_lag_s": 11.0, "read_lag_records": 5},
    {},
)


def _rows(*partitions: PartitionStatus, most: int = 100) -> Any:
    return rows_of(runner_status(task_status(*partitions)), most)


def _names(*partitions: PartitionStatus) -> list[str]:
    return [row.name for row in _rows(*partitions).partitions]


def test_worst_comes_first() -> None:
    """Failures come first, then near data loss, waiting, held up, late and behind; whatever is fine comes last."""
    rows = _rows(*(partition_status("t", 9 - number, **changes) for number, changes in enumerate(EACH)))
    assert list(Severity) == [row.severity for row in rows.partitions]
    assert [f"t-{9 - number}" for number in range(7)] == [row.name for row in rows.partitions]


def test_order_among_equals() -> None:
    """Among equally bad topic-partitions, the longest lag or the shortest margin comes first."""
    late = [partition_status("t", number, durable_lag_s=7300.0 + number) for number in range(3)]
    assert ["t-2", "t-1", "t-0"] == _names(*late)
    near_loss = [partition_status("t", number, retention_s=1000.0, retention_margin_s=10.0 + number) for number in range(3)]
    assert ["t-0", "t-1", "t-2"] == _names(*near_loss)


def test_fine_rows_stay_put() -> None:
    """Topic-partitions that are fine are sorted by name, whatever their figures are."""
    fine = [
        partition_status("t", number, durable_lag_s=float(number % 3), read_lag_s=float(number % 2)) for number in range(12)
    ]
    assert [f"t-{number}" for number in range(12)] == _names(*fine)


def test_without_a_promise_nothing_is_late() -> None:
    """If the rotation settings promise no freshness, a long durable lag is not bad."""
    task = task_status(partition_status(durable_lag_s=1e6), expected_freshness_s=None)
    assert [Severity.FINE] == [row.severity for row in rows_of(runner_status(task), 10).partitions]


def test_notes() -> None:
    """The note says what keeps a topic-partition from its next flush, or when that flush is and why."""
    memory = Waiting("memory", "", 0, None, ago(3))
    registry = attrs.evolve(WAITING, reason="registry")
    due = {"open_rows": 5, "next_flush_at": ago(-1128), "next_flush_reason": "interval"}
    cases: list[tuple[str, dict[str, Any]]] = [
        ("loss in 4h 43m", {"retention_s": 86_400.0, "retention_margin_s": 17_000.0}),
        ("retry 4 in 12s", {"waits_for": WAITING, "state": "delivering"}),
        ("registry: retry 4 in 12s", {"waits_for": registry}),
        ("waits for memory", {"waits_for": memory}),
        ("waits for delivery", {"state": "full"}),
        ("delivering", {"state": "delivering", **due}),
        ("starting", {"state": "starting"}),
        ("18m 48s interval", due),
        ("by records", {"open_rows": 5}),
        ("", {}),
    ]
    assert [note for note, _ in cases] == [_rows(partition_status(**changes)).partitions[0].note for _, changes in cases]


def test_many_partitions_collapse_to_topics() -> None:
    """Where topic-partitions don't fit, topics are shown, and above them the worst topic-partitions."""
    partitions = [partition_status(f"topic{topic:02}", number) for topic in range(20) for number in range(50)]
    partitions[7] = partition_status("topic00", 7, waits_for=WAITING)
    partitions[999] = partition_status("topic19", 49, state="failed")
    rows = _rows(*partitions, most=12)
    assert ["topic19-49", "topic00-7"] == [row.name for row in rows.partitions]
    assert ["topic19 (50)", "topic00 (50)", "topic01 (50)"] == [row.name for row in rows.topics][:3]
    assert (10, 10) == (len(rows.topics), rows.left_out)
    assert ["1 failed", "1 waiting", ""] == [row.note for row in rows.topics][:3]


def test_worst_partitions_leave_room_for_topics() -> None:
    """If everything is bad, topics still get about half of the rows."""
    partitions = [partition_status(f"topic{topic}", number, waits_for=WAITING) for topic in range(10) for number in range(10)]
    rows = _rows(*partitions, most=8)
    assert (4, 4, 6) == (len(rows.partitions), len(rows.topics), rows.left_out)
    assert "10 waiting" == rows.topics[0].note


def test_unknown_lags() -> None:
    """Lags that are not known yet are not bad; a topic has the longest of the known lags."""
    unknown = partition_status("t", 0, read_lag_s=None, durable_lag_s=None)
    assert Severity.FINE is _rows(unknown).partitions[0].severity
    (row,) = _rows(unknown, partition_status("t", 1, read_lag_s=3.0, durable_lag_s=4.0), most=1).topics
    assert (3.0, 4.0) == (row.read_lag_s, row.durable_lag_s)
    (row,) = _rows(unknown, attrs.evolve(unknown, topic_partition=TopicPartition("t", 1)), most=1).topics
    assert (None, None) == (row.read_lag_s, row.durable_lag_s)


def test_note_of_a_topic() -> None:
    """A topic shows the state that all its topic-partitions share, or else the first of their next flushes."""
    due: dict[str, Any] = {"open_rows": 5, "next_flush_at": ago(-60), "next_flush_reason": "schedule"}
    cases: dict[str, tuple[dict[str, Any], ...]] = {
        "stopped": ({"state": "stopped"}, {"state": "stopped"}),
        "1m 0s schedule": ({**due, "next_flush_at": ago(-90)}, due),
        "1m 0s interval": ({"state": "delivering"}, {**due, "next_flush_reason": "interval"}),
        "": ({}, {}),
    }
    for note, changes in cases.items():
        partitions = [partition_status("t", number, **each) for number, each in enumerate(changes)]
        assert [note] == [row.note for row in _rows(*partitions, most=1).topics]


def test_topic_adds_up() -> None:
    """A topic has the sums of records, rows and bytes, the longest lags, the shortest margin, and the newest file."""
    files = [LastFile(f"key{number}", 1, 1, ago(100 - number)) for number in range(3)]
    partitions = [
        partition_status(
            "t",
            number,
            read_lag_records=number,
            read_lag_s=float(number),
            durable_lag_s=10.0 * number,
            retention_s=1000.0,
            retention_margin_s=900.0 + number,
            open_rows=1 + number,
            open_bytes=10,
            next_flush_at=ago(-60 * (3 - number)),
            next_flush_reason="schedule",
            last_file=files[number],
        )
        for number in range(3)
    ]
    (row,) = _rows(*partitions, most=2).topics
    assert (3, 2.0, 20.0, 900.0) == (row.read_lag_records, row.read_lag_s, row.durable_lag_s, row.retention_margin_s)
    assert (6, 30, "1m 0s schedule", files[2]) == (row.open_rows, row.open_bytes, row.note, row.last_file)
