"""The demo, with options as people try them."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from kafka2parquet.cli.commands import demo
from kafka2parquet.cli.main import main
from kafka2parquet.events import FilePublished
from kafka2parquet.records import TopicPartition
from kafka2parquet.runner import Progress

pytest.importorskip("duckdb")


def test_a_folder_is_filled_and_queried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is filled, even if its name has a quote; without a terminal there is at most one line per second."""
    began = time.monotonic()
    code = main(["demo", "--events", "2000", "--to", str(tmp_path / "it's new")])
    seconds = time.monotonic() - began
    printed = capsys.readouterr().out

    assert 0 == code
    assert "Rows in 2,000, rows out 2,000;" in printed
    assert "\r" not in printed
    assert 1 <= printed.count(" records read, ") <= seconds + 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--events", "0"], "argument --events: '0' is not a whole number of at least 1"),
        (["--events", "-5"], "argument --events: "),
        (["--events", "many"], "argument --events: 'many' is not a whole number of at least 1"),
        (["--endpoint-url", "http://127.0.0.1:1"], "so it needs a bucket"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line refuses such options with exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["demo", *arguments])

    assert 2 == caught.value.code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "memory://x"], "ConfigurationError: memory://x: memory is not durable."),
        (["--to", "nothing://x"], "ConfigurationError: nothing://x: "),
        (["--to", "s3://"], "ConfigurationError: s3://: the name of the bucket is missing"),
        (["--to", "/proc/nothing"], "ConfigurationError: --to /proc/nothing: the folder can't be created: "),
        (["--to", __file__], "the folder can't be created: File exists. Choose another folder."),
        (["--topic", "a/b"], "ConfigurationError: topics=a/b: "),
    ],
)
def test_what_can_not_work_is_one_sentence(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error is one sentence, and not a traceback."""
    code = main(["demo", "--events", "10", *arguments])

    assert 3 == code
    assert says in capsys.readouterr().err


def test_small_files_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """A file of one row beside large ones comes of an event that arrived late."""

    def file(name: str, rows: int) -> FilePublished:
        return FilePublished(TopicPartition("t", 0), f"t/hour=01/{name}", rows=rows, size_bytes=1, is_anchor=True, created=True)

    demo._show_tree("folder", [file("a", 1000), file("b", 1000)])
    assert "Small files" not in capsys.readouterr().out
    demo._show_tree("folder", [file("a", 1000), file("b", 1)])
    assert "rotate.file.on.partition.change=false" in capsys.readouterr().out


def test_progress_is_a_line_per_second() -> None:
    """However often the progress changes, it is printed at most once in each second."""
    stream = io.StringIO()
    lines = demo._ProgressLines(stream)
    for tenth in range(35):
        lines.update(Progress(records=tenth), 100.0 + tenth / 10)
    assert ["0", "10", "20", "30"] == [line.split()[0] for line in stream.getvalue().splitlines()]
