"""A sink of numbered JSON records into a local folder, from Kafka as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.dataset as ds

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.connect.worker import WorkerConfig
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import unique, wait_until
from tests.support.sink_properties import json_sink


def local_sink(topic: str, folder: Path, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the properties of a sink that flushes after 500 records or one second."""
    return json_sink(
        {
            "name": unique("sink"),
            "topics": topic,
            "kafka2parquet.storage.url": folder.as_uri(),
            "flush.size": "500",
            "rotate.schedule.interval.ms": "1000",
            "timezone": "UTC",
            **(changes or {}),
        }
    )


def run_until(given: Mapping[str, str], worker: WorkerConfig, bootstrap: str, until: Mapping[int, int]) -> None:
    """Runs a task of the configuration until its group has committed these offsets, as read at `bootstrap`."""
    config = load_connect_config(given)
    task = build_task(config, worker)
    group = f"connect-{config.name}"

    def committed() -> bool:
        task.step()
        return committed_offsets(bootstrap, group, given["topics"]) == until

    with task:
        wait_until(committed, "everything committed")


def numbered(count: int, first: int = 0) -> list[bytes]:
    """Makes numbered records for `written`."""
    return [json.dumps({"n": n}).encode() for n in range(first, first + count)]


def written(folder: Path, topic: str) -> Sequence[int]:
    """Returns the numbers in all files, sorted."""
    table = ds.dataset(folder / "topics" / topic, format="parquet").to_table(["n"])
    return sorted(table.column("n").to_pylist())
