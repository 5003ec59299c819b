"""The notebook runs, and its figures are those of the log and of the files."""

from __future__ import annotations

import collections
import datetime
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.bounded import drain
from kafka2parquet.testing import EmbeddedBroker
from tests.support.html_pages import parse_html, text_of
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebook.py"
PAGE = ROOT / "docs" / "how-to" / "explore-the-files.md"
TOPIC = "events"
HOUR_MS = 3_600_000
BEGIN_MS = 1_779_012_000_000
CHARTS = ("hours_chart", "sizes_chart", "delays_chart", "partitions_chart", "small_chart")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notebook() -> ModuleType:
    return load(NOTEBOOK)


def run(notebook: ModuleType, *arguments: str) -> Mapping[str, Any]:
    """Runs all cells with these arguments, and returns what they define. An error in a cell is raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(NOTEBOOK), *arguments])
        _, defined = notebook.app.run()
    return dict(defined)


def drawn(chart: Any) -> list[dict[str, Any]]:
    """Returns the rows that a chart draws."""
    (rows,) = chart.to_dict()["datasets"].values()
    return list(rows)


def total(chart: Any, column: str, **wanted: Any) -> int:
    return sum(row[column] for row in drawn(chart) if wanted.items() <= row.items())


@pytest.fixture(scope="module")
def demo(notebook: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, int]]:
    """The files of the demo, and the number of its records by partition."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, notebook.write_demo(folder)


@pytest.fixture(scope="module")
def of_demo(notebook: ModuleType, demo: tuple[Path, dict[int, int]]) -> Mapping[str, Any]:
    return run(notebook, str(demo[0]), "orders")


def test_each_chart_has_all_rows_or_files_of_the_demo(of_demo: Mapping[str, Any], demo: tuple[Path, dict[int, int]]) -> None:
    """Rows of hours and partitions add up to the records of the log, and files of sizes, delays and reasons to the files."""
    folder, records = demo
    files = [*folder.rglob("*.parquet")]

    assert records == {row["partition"]: row["rows"] for row in drawn(of_demo["partitions_chart"])}
    assert sum(records.values()) == total(of_demo["hours_chart"], "rows")
    assert sum(records.values()) == total(of_demo["delays_chart"], "rows")
    assert sum(records.values()) == total(of_demo["small_chart"], "rows")
    assert [len(files)] * 5 == [total(of_demo[name], "files") for name in CHARTS]
    assert sum(path.stat().st_size for path in files) == total(of_demo["sizes_chart"], "bytes")
    assert 24 * 3 == len(drawn(of_demo["hours_chart"]))


def test_an_outage_is_visible_in_the_delays(of_demo: Mapping[str, Any]) -> None:
    """Rows wait for an hour and four minutes at most, after the two hours without the sink for two hours longer."""
    longest = {row["published"][11:13]: row["greatest_min"] for row in drawn(of_demo["delays_chart"])}

    assert {f"{hour:02}" for hour in range(24) if hour not in (14, 15)} == longest.keys()
    assert 182 < longest["16"] <= 184
    assert 62 < min(longest.values())
    assert max(minutes for hour, minutes in longest.items() if hour != "16") <= 64
    assert all(row["least_min"] < row["greatest_min"] <= row["oldest_min"] for row in drawn(of_demo["delays_chart"]))


def test_files_of_late_rows_are_small(of_demo: Mapping[str, Any], notebook: ModuleType) -> None:
    """The slider's share decides which files count as small, and the sum of both kinds stays the same."""
    files = of_demo["files"]
    limit = 0.1 * files["bytes"].max()

    assert files.filter(pl.col("bytes") < limit).height == total(of_demo["small_chart"], "files", kind="small")
    assert 0 == notebook.small_files(files, 0.0).filter(pl.col("kind") == "small").height
    assert {"range", "rows"} == {row["reason"] for row in drawn(of_demo["small_chart"])}


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, collections.Counter[tuple[int, int]]]:
    """Files that a sink has written from a broker, rejects among them, and the number of good records by hour and partition."""
    folder = tmp_path_factory.mktemp("sink")
    config = json_sink(
        {
            "topics": TOPIC,
            "flush.size": "50",
            "topics.dir": "raw",
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "timestamp.extractor": "Record",
            "locale": "en",
            "timezone": "UTC",
            "errors.tolerance": "all",
            "kafka2parquet.quarantine": "true",
            "kafka2parquet.storage.url": str(folder),
        }
    )
    good: collections.Counter[tuple[int, int]] = collections.Counter()
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, partitions=2)
        for partition, count in enumerate((300, 170)):
            values = [b"not JSON" if n % 100 == 99 else json.dumps({"n": n}).encode() for n in range(count)]
            times_ms = [BEGIN_MS + n * 3 * HOUR_MS // count for n in range(count)]
            good.update(
                (time_ms // HOUR_MS, partition) for value, time_ms in zip(values, times_ms, strict=True) if value[:1] == b"{"
            )
            broker.append_values(TOPIC, partition, values, times_ms)
        drain(build_task(load_connect_config(config), load_worker_config(bootstrap_servers=broker.bootstrap)))
    return folder, good


def test_figures_of_a_sink_are_those_of_its_log(
    notebook: ModuleType, sink: tuple[Path, collections.Counter[tuple[int, int]]]
) -> None:
    """Rows by hour and partition are the good records of the log, and rejects are counted beside them."""
    folder, good = sink
    defined = run(notebook, str(folder), TOPIC, "raw")
    hours = {}
    for row in drawn(defined["hours_chart"]):
        hour = datetime.datetime.fromisoformat(row["hour"]).replace(tzinfo=datetime.timezone.utc)
        hours[int(hour.timestamp()) // 3600, row["partition"]] = row["rows"]

    assert good == hours
    assert [(0, 297, 3), (1, 169, 1)] == [
        (row["partition"], row["rows"], row["rejects"]) for row in drawn(defined["partitions_chart"])
    ]
    assert {"rows": 466, "rejects": 4, "hours": 3, "breaks between flushes": 0}.items() <= defined["summary"].items()
    assert len([*folder.rglob("*.parquet")]) == defined["summary"]["files"]


def test_files_on_s3(
    notebook: ModuleType,
    sink: tuple[Path, collections.Counter[tuple[int, int]]],
    s3_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files in a bucket give the same figures as in a folder, with the environment's login and the store's times."""
    bucket, folder = f"notebook-{uuid.uuid4().hex[:12]}", sink[0]
    client = s3_server.client()
    client.create_bucket(Bucket=bucket)
    for path in folder.rglob("*.parquet"):
        client.put_object(Bucket=bucket, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes())
    client.close()
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": s3_server.key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret,
        "AWS_DEFAULT_REGION": s3_server.region,
    }.items():
        monkeypatch.setenv(name, value)
    began = datetime.datetime.now(datetime.timezone.utc)

    defined, local = run(notebook, f"s3://{bucket}", TOPIC, "raw"), run(notebook, str(folder), TOPIC, "raw")
    for name in ("hours_chart", "sizes_chart", "partitions_chart", "small_chart"):
        assert drawn(local[name]) == drawn(defined[name])
    assert total(local["delays_chart"], "rows") == total(defined["delays_chart"], "rows")
    age = began - defined["files"]["published_at"].min()
    assert datetime.timedelta(seconds=-5) < age < datetime.timedelta(minutes=5)


def test_offsets_that_are_missing_are_shown(
    notebook: ModuleType, sink: tuple[Path, collections.Counter[tuple[int, int]]], tmp_path: Path
) -> None:
    """A flush whose files are gone is a break: a range of offsets in no file."""
    files = run(notebook, str(sink[0]), TOPIC, "raw")["files"]
    starts = sorted(files.filter(pl.col("is_anchor") & (pl.col("partition") == 0))["flush_start"])
    gone = files.filter((pl.col("partition") == 0) & (pl.col("flush_start") == starts[1]))
    for path in sink[0].rglob("*.parquet"):
        key = path.relative_to(sink[0]).as_posix()
        if key not in set(gone["key"]):
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key).write_bytes(path.read_bytes())

    defined = run(notebook, str(tmp_path), TOPIC, "raw")
    assert [(0, starts[1], gone["flush_end"][0], "in no file")] == defined["breaks"].rows()


def test_a_topic_without_files(notebook: ModuleType, tmp_path: Path) -> None:
    """All cells run for a topic that has no files, and nothing is drawn."""
    defined = run(notebook, str(tmp_path), TOPIC)
    assert {"files": 0, "rows": 0, "longest delay, minutes": None}.items() <= defined["summary"].items()


def test_the_page_shows_what_the_script_prints() -> None:
    """As a script and without arguments, the notebook prints the numbers that the documentation shows, without a warning."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(NOTEBOOK)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    def numbers(text: str) -> list[str]:
        """The folder is another one each time, and the version of Arrow decides about bytes."""
        return [line for line in text.splitlines() if not line.startswith(("url: ", "bytes: "))]

    assert numbers(shown) == numbers(done.stdout)


@pytest.mark.parametrize(("name", "column"), [("explore-hours.svg", "rows"), ("explore-delays.svg", "files")])
def test_plots_of_the_page_are_those_of_the_notebook(of_demo: Mapping[str, Any], name: str, column: str) -> None:
    """The numbers in the SVG files of the documentation, which `docs/how-to/plots.py` writes, are those of the charts."""
    svg = PAGE.with_name(name).read_text(encoding="utf-8")
    chart = of_demo[{"rows": "hours_chart", "files": "delays_chart"}[column]]
    labels = re.findall(rf'aria-label="[^"]*\b{column}: (\d+)', svg)

    assert sorted(row[column] for row in drawn(chart)) == sorted(map(int, labels[: len(drawn(chart))]))


def test_the_example_of_an_audit_is_what_an_audit_writes(demo: tuple[Path, dict[int, int]], tmp_path: Path) -> None:
    """The page that the documentation links is up to date: `docs/how-to/plots.py` writes the same one."""
    shutil.copytree(demo[0], tmp_path, dirs_exist_ok=True)
    plots = load(PAGE.with_name("plots.py"))
    shown, written = plots.AUDIT_PAGE.read_text(encoding="utf-8"), plots.audit_page(tmp_path)

    assert "NOT EXACT: 3 findings; 70,599 rows in 196 files" in text_of(parse_html(written))
    version = re.compile(r"kafka2parquet \d[\w.+]*")
    assert version.sub("", shown) == version.sub("", written)


def test_the_notebook_is_well_formed() -> None:
    """Marimo's own check finds nothing: no name in two cells, no cycle, no foreign formatting."""
    command = [sys.executable, "-m", "marimo", "check", "--strict", str(NOTEBOOK)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
