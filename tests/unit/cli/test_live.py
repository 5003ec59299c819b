"""The live view on a real terminal: a pseudo-terminal that a process writes to."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kafka2parquet.cli.live import is_possible

pytest.importorskip("rich")

ROOT = Path(__file__).parents[3]
#: A sink whose number of records is the number of the status, and lines of a log.
SCRIPT = """
import logging, sys, threading
import attrs
from kafka2parquet.cli.live import live_view
from kafka2parquet.cli.logs import log_to_stderr
from kafka2parquet.status import Totals
from tests.support.statuses import partition_status, runner_status, task_status

shown, enough = 0, threading.Event()

def status():
    global shown
    shown += 1
    if shown > 5:
        enough.set()
    if shown == 3:
        raise ValueError("Zsecret")
    partitions = (partition_status("orders", each, totals=Totals(committed_rows=shown)) for each in range(shown))
    return runner_status(task_status(*partitions))

log_to_stderr(text="%(message)s")
log = logging.getLogger("kafka2parquet")
log.info("before")
with live_view(status, {stream}, per_second=20):
    log.info("during %s", "x" * 100)
    enough.wait(30)
log.info("after")
print("printed")
"""


def _on_terminal(script: str) -> str:
    """Returns what a process writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 4096)
            except OSError:  # the process has closed the terminal
                break
        assert 0 == process.wait(30)
    os.close(ours)
    return written.decode()


def _screen(written: str) -> list[str]:
    """Returns the lines that a terminal of any height shows, for the few controls that rich uses."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif piece.endswith("A"):
            row -= int(piece[2:-1] or 1)
        elif not piece.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + piece + lines[row][column + len(piece) :]
            column += len(piece)
        else:
            assert piece.endswith("m") or piece in ("\x1b[?25l", "\x1b[?25h"), piece
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_view_on_a_terminal(stream: str) -> None:
    """The view is drawn in one place below the log, survives an error of the status, and leaves its last state."""
    written = _on_terminal(SCRIPT.replace("{stream}", stream))
    assert "\x1b[?1049h" not in written  # the alternate screen
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is shown again
    assert "The status can't be shown: ValueError." in written
    assert "Zsecret" not in written
    lines = _screen(written)
    assert ["before", f"during {'x' * 100}"] == lines[:2]
    assert lines[2].startswith("sink   running, 1 task, ")
    assert ["after", "printed", ""] == lines[-3:]
    view = lines[2:-3]
    names = [line.split()[0] for line in view if line.startswith("orders-")]
    assert len(names) > 5
    assert [f"orders-{number}" for number in range(len(names))] == names
    assert 1 == len([line for line in lines if line.startswith("sink   ")])


def test_streams_without_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no view where the stream is not a terminal, the terminal can't move its cursor, or rich is missing."""
    assert not is_possible(io.StringIO())
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setenv("TERM", "dumb")
        assert not is_possible(terminal)
        monkeypatch.setenv("TERM", "xterm")
        assert is_possible(terminal)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert not is_possible(terminal)
    os.close(ours)
