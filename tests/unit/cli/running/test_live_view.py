"""The live view as it looks on terminals of several widths."""

from __future__ import annotations

import io
import re
import time
from typing import Any

import attrs
import pytest

from kafka2parquet.status import KafkaStatus, LastFile, RunnerStatus, StorageStatus, Totals, Waiting
from tests.support.statuses import NOW, ago, partition_status, runner_status, task_status

pytest.importorskip("rich")

from rich.console import Console

from kafka2parquet.cli.running.live_view import Course, Rates, render

RATES = Rates(records_per_s=9980, rows_per_s=9981)
OPEN: dict[str, Any] = {
    "open_rows": 24_600_000,
    "open_bytes": 1_180_000_000,
    "durable_lag_records": 24_600_000,
    "durable_lag_s": 2472.0,
    "next_flush_at": ago(-1128),
    "next_flush_reason": "interval",
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes local time UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _lines(status: RunnerStatus, *, width: int = 80, height: int = 24, **options: Any) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(render(status, RATES, width=width, height=height, **options))
    lines = capture.get().splitlines()
    assert max(len(line) for line in lines) <= width
    assert len(lines) < height
    return [line.rstrip() for line in lines]


def _sink(*partitions: Any, **changes: Any) -> RunnerStatus:
    return runner_status(task_status(*partitions, **changes), name="orders-to-s3")


def test_at_80_columns() -> None:
    """Eighty columns have the summary and, for each topic-partition, lags, open rows and bytes, and the next flush."""
    waiting = Waiting("storage", "503 SlowDown", 4, ago(-12), ago(60))
    totals = Totals(records=1, committed_rows=1_203_000, files=312, file_bytes=4 << 30)
    partitions = (
        partition_status("orders", 3, **{**OPEN, "waits_for": waiting, "read_lag_records": 18_234, "read_lag_s": 2.4}),
        partition_status("orders", 7, **OPEN, totals=totals),
    )
    storage = StorageStatus("s3://bucket", up=False, cause="503 SlowDown: Please reduce your request rate.", since=ago(62))
    assert [
        "orders-to-s3   running, 1 task, 2 partitions   9,980 records/s in",
        "9,981 rows/s durable   store down   memory 212 MiB of 256 MiB   staged 3.0 GiB",
        "1.2 M rows in 312 files, 4.0 GiB   10:00:00",
        "The store hasn't answered for 1m 2s: 503 SlowDown: Please reduce your request",
        "rate.",
        "partition        read lag  not durable             open  next flush",
        "orders-3   18.2 k      2s      41m 12s  24.6 M  1.1 GiB  retry 4 in 12s",
        "orders-7        0      0s      41m 12s  24.6 M  1.1 GiB  18m 48s interval",
    ] == _lines(_sink(*partitions, memory_used_bytes=212 << 20, staging_bytes=3 << 30, storage=storage))


def test_at_200_columns() -> None:
    """Two hundred columns have the retention margin and the last file too, and the summary on one line."""
    file = LastFile("orders/year=2026/month=05/day=17/hour=09/orders+7+0184467.parquet", 100, 98 << 20, ago(600))
    partition = partition_status("orders", 7, **OPEN, retention_s=86_400.0, retention_margin_s=80_000.0, last_file=file)
    lines = _lines(_sink(partition), width=200, height=50)
    assert 3 == len(lines)
    assert "partition   read lag  not durable  deleted in             open  next flush        last file" == lines[1]
    assert lines[2].endswith(f"18m 48s interval  10m 0s ago, 98.0 MiB, {file.key}")
    assert "22h 13m" in lines[2]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (50, ["partition", "read lag", "not durable"]),
        (70, ["partition", "read lag", "not durable", "next flush"]),
        (80, ["partition", "read lag", "not durable", "open", "next flush"]),
        (92, ["partition", "read lag", "not durable", "deleted in", "open", "next flush"]),
        (140, ["partition", "read lag", "not durable", "deleted in", "open", "next flush", "last file"]),
    ],
)
def test_columns_that_fit(width: int, headings: list[str]) -> None:
    """A narrow terminal has the most important columns, and names and figures are never cut off for others."""
    file = LastFile("orders/hour=09/orders+7+0184467.parquet", 100, 98 << 20, ago(600))
    margin = {"retention_s": 86_400.0, "retention_margin_s": 80_000.0}
    heading, row = _lines(_sink(partition_status("orders", 7, **OPEN, **margin, last_file=file)), width=width)[-2:]
    assert headings == re.split(r" {2,}", heading)
    assert row.startswith("orders-7 ")
    assert "…" not in row.partition(" ago, ")[0]


@pytest.mark.parametrize("width", [30, 80, 100, 120, 200])
@pytest.mark.parametrize(("topics", "partitions"), [(1, 1), (1, 1000), (20, 50), (1000, 1), (3, 4)])
def test_any_size_fits(width: int, topics: int, partitions: int) -> None:
    """No line is wider than the terminal and the view is lower than the terminal, however many topic-partitions there are."""
    name = "a-topic-with-a-rather-long-name-"
    found = [partition_status(f"{name}{topic}", number, **OPEN) for topic in range(topics) for number in range(partitions)]
    lines = _lines(_sink(*found), width=width)
    assert any("0-0" in line or "0 (" in line or "more topics" in line for line in lines)


def test_numbers_of_partitions_stay_visible() -> None:
    """A long name loses its beginning, so that the number of the partition stays."""
    lines = _lines(_sink(partition_status("a-topic-with-a-rather-long-name", 117, **OPEN)))
    assert lines[-1].startswith("…r-long-name-117 ")


def test_topics_have_a_heading() -> None:
    """Topics follow the worst topic-partitions under a heading, and the last line counts the topics that don't fit."""
    partitions = [partition_status(f"topic{topic:02}", number) for topic in range(30) for number in range(40)]
    partitions[5] = partition_status("topic00", 5, state="full")
    lines = _lines(_sink(*partitions))
    assert lines[4].startswith("topic00-5 ")
    assert "topic" == lines[5]
    assert lines[6].startswith("topic00 (40) ")
    assert "and 14 more topics" == lines[-1]


def test_only_topics() -> None:
    """If all topic-partitions are fine and don't fit, there are only topics, under their own heading."""
    partitions = [partition_status(f"topic{topic:02}", number) for topic in range(3) for number in range(40)]
    lines = _lines(_sink(*partitions))
    assert lines[3].startswith("topic ")
    assert ["topic00", "topic01", "topic02"] == [line.split()[0] for line in lines[4:]]


def test_failed_task() -> None:
    """The error of a failed task is shown on a line, without the terminal's control characters and without secrets."""
    error = "AccessError: \x1b[2Jkey Zsecret is refused\nand more"
    status = attrs.evolve(_sink(state="stopping"), error=error)
    lines = _lines(status, hide=lambda text: text.replace("Zsecret", "[hidden]"))
    assert "orders-to-s3   failed, 1 task, 0 partitions   9,980 records/s in" == lines[0]
    assert r"Failed: AccessError: \u001b[2Jkey [hidden] is refused" == lines[-1]


def test_unknown_lags() -> None:
    """Lags in seconds that are not known yet are question marks."""
    lines = _lines(_sink(partition_status("orders", 7, state="starting", read_lag_s=None, durable_lag_s=None)))
    assert ["orders-7", "0", "?", "?", "0", "0", "B", "starting"] == lines[-1].split()


def test_before_the_first_assignment() -> None:
    """Until the group has assigned topic-partitions, the view says what the sink waits for."""
    lines = _lines(_sink(kafka=KafkaStatus(group_id="connect-orders"), storage=StorageStatus("s3://bucket")))
    assert "Joining the consumer group connect-orders." == lines[-1]
    assert not any("store" in line for line in lines)


def test_no_tasks_yet() -> None:
    """A runner whose tasks are not made yet is starting."""
    assert "sink   starting, 0 tasks, 0 partitions" in _lines(runner_status())[0]


def test_rejects_and_losses_are_counted() -> None:
    """Rejected and lost records are in the summary if there are any."""
    lines = _lines(_sink(partition_status(totals=Totals(rejected=3, lost=12))))
    assert "3 rejected   12 lost" in "   ".join(lines)


def test_run_that_ends() -> None:
    """A run that ends has a bar and the estimate below the summary."""
    course = Course(0.25, "25 % of 2,000,000 offsets are durable, 71 % are read; 31,250/s, about 19s left")
    lines = _lines(_sink(partition_status("orders", 7)), course=course)
    assert ["━" * 20 + "─" * 60, course.text] == lines[3:5]
    assert lines[5].startswith("partition ")


def test_rates() -> None:
    """Rates come from the difference of two statuses; without time between them they are 0."""
    earlier = _sink(partition_status(totals=Totals(records=100, committed_rows=0)))
    later = attrs.evolve(_sink(partition_status(totals=Totals(records=300, committed_rows=50))), at=ago(-10))
    assert Rates(20.0, 5.0) == Rates.between(earlier, later)
    assert Rates() == Rates.between(earlier, attrs.evolve(later, at=NOW))
    assert Rates() == Rates.between(later, attrs.evolve(earlier, at=ago(-20)))
