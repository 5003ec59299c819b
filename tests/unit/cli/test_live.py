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
    return runner_status(task_status(partition_status("orders", 7, totals=Totals(committed_rows=shown))))

log_to_stderr(text="%(message)s")
log = logging.getLogger("kafka2parquet")
log.info("before")
with live_view(status, sys.stderr, per_second=20):
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


def test_view_on_a_terminal() -> None:
    """The view is drawn below the log, survives an error of the status, leaves its last state, and doesn't hide the cursor."""
    written = _on_terminal(SCRIPT)
    text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", written)
    assert "\x1b[?1049h" not in written  # the alternate screen
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is shown again
    assert f"during {'x' * 100}\r\n" in text
    places = [text.index(f"{word}{end}") for word, end in (("before", ""), ("during", " x"), ("after", ""), ("printed", ""))]
    assert sorted(places) == places
    assert "The status can't be shown: ValueError." in text
    assert "Zsecret" not in text
    last = text[text.rindex("sink   running") : text.index("after")]
    assert re.search(r"^orders-7 ", last, re.MULTILINE)
    assert int(re.findall(r"(\d+) rows? in", last)[0]) > 5


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
