"""What is looked at below the sink's prefix, and how much of it."""

from __future__ import annotations

import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.store.prefix import layout
from tests.support.sink_properties import json_sink

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("partition=0", ("partition=…",)),
        ("year=2026/month=01", ("year=…", "month=…")),
        ("2026/01/31", ("…", "…", "…")),
        ("country=a/b", ("country=…",)),
        ("equation=a=b", ("equation=…",)),
    ],
)
def test_layout_of_a_folder(folder: str, parts: tuple[str, ...]) -> None:
    """Values don't count, and neither does a delimiter in a value of a named part."""
    assert parts == layout(folder, "/")


TIME_BASED = {
    "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
    "locale": "en",
    "timezone": "UTC",
}


@pytest.mark.parametrize(
    ("changes", "expected_ms"),
    [
        ({}, None),
        ({"flush.size": "1"}, 0),
        ({"rotate.schedule.interval.ms": str(HOUR_MS), "timezone": "UTC"}, HOUR_MS),
        ({**TIME_BASED, "rotate.interval.ms": str(HOUR_MS)}, HOUR_MS),
        ({"rotate.interval.ms": str(HOUR_MS), "timezone": "UTC"}, None),
        ({**TIME_BASED, "rotate.interval.ms": str(HOUR_MS), "rotate.schedule.interval.ms": "60000"}, 60_000),
    ],
)
def test_longest_time_in_an_open_file(changes: dict[str, str], expected_ms: int | None) -> None:
    """The shortest rule of the clock counts, and record times count with folders by time only."""
    config = load_connect_config(json_sink({"flush.size": "1000", "kafka2parquet.storage.url": "/unused", **changes}))
    assert expected_ms == Facts.of(config, load_worker_config(bootstrap_servers="broker:9092")).longest_open_ms
