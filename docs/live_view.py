"""Draws the live view as a picture of a terminal: `python docs/live_view.py`.

The sink is an example. What the terminal shows of it is drawn by the code that draws the live view of `kafka2parquet run`.
"""

from __future__ import annotations

import datetime
import io
import os
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from kafka2parquet.cli.running.live_view import Rates, render
from kafka2parquet.records import TopicPartition
from kafka2parquet.status import KafkaStatus, PartitionStatus, RunnerStatus, StorageStatus, TaskStatus, Totals

TARGET = Path(__file__).with_name("live-view.svg")
_NOW = datetime.datetime(2026, 11, 30, 13, 18, 44, tzinfo=datetime.timezone.utc)
_STARTED = _NOW - datetime.timedelta(hours=5)
_FLUSH = _NOW.replace(minute=20, second=0)
_WIDTH = 84
#: Fonts that a reader has. A picture on a page may not load others.
_FONTS = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'Segoe UI Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
#: rich's picture, without the fonts that its own loads.
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
  <!-- docs/live_view.py makes this file. -->
  <style>
    .{unique_id}-matrix {{
      font-family: FONTS; font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
""".replace("FONTS", _FONTS)


def live_view_svg() -> str:
    """Return the picture. Its clock shows local time, as the live view does."""
    console = Console(width=_WIDTH, height=24, file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor")
    console.print(Text("$ kafka2parquet run sink.json --bootstrap-server kafka:9092"))
    console.print(render(_status(), Rates(4273, 3724), width=_WIDTH, height=24))
    svg = console.export_svg(title="kafka2parquet", code_format=_FORMAT, unique_id="live-view")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _status() -> RunnerStatus:
    """Return the status of two tasks, one of which reads a partition that the sink got from another process a moment ago."""
    return RunnerStatus(
        "orders-to-lake",
        _NOW,
        (
            _task(0, _partition(0, rows=184_220), _partition(1, rows=179_904)),
            _task(1, _partition(2, rows=181_377), _partition(3, rows=61_008, lag_records=48_310, lag_s=94.0)),
        ),
        "",
    )


def _task(number: int, *partitions: PartitionStatus) -> TaskStatus:
    return TaskStatus(
        name=f"kafka2parquet-task-{number}",
        at=_NOW,
        state="running",
        error="",
        started_at=_STARTED,
        last_step_at=_NOW,
        partitions=partitions,
        totals=sum((each.totals for each in partitions), Totals()),
        kafka=KafkaStatus("connect-orders-to-lake", "cluster", generation=4, rebalances=3, joined=True, up=True),
        storage=StorageStatus("s3://lake", up=True, since=_STARTED),
        memory_used_bytes=31 << 20,
        memory_budget_bytes=256 << 20,
        staging_bytes=9 << 20,
        expected_freshness_s=600.0,
    )


def _partition(number: int, *, rows: int, lag_records: int = 0, lag_s: float = 0.0) -> PartitionStatus:
    end = 19_500_000 + rows + lag_records
    return PartitionStatus(
        TopicPartition("orders", number),
        state="filling",
        log_start=0,
        log_end=end,
        committed=19_500_000,
        position=end - lag_records,
        read_lag_records=lag_records,
        read_lag_s=lag_s,
        durable_lag_records=rows + lag_records,
        durable_lag_s=524.0 + lag_s,
        open_rows=rows,
        open_bytes=rows * 44,
        next_flush_at=_FLUSH,
        next_flush_reason="schedule",
        totals=Totals(records=19_500_000 + rows, committed_rows=19_500_000, files=31, file_bytes=31 * 24 << 20),
    )


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    TARGET.write_text(live_view_svg(), encoding="utf-8")
