"""The live view on a real terminal: a pseudo-terminal that a process writes to."""

from __future__ import annotations

import errno
import io
import os
import pty
import sys

import pytest

from kafka2parquet.cli.running.live import _View, is_possible
from tests.support.statuses import partition_status, runner_status, task_status
from tests.support.terminal import Screen, on_terminal

pytest.importorskip("rich")

#: A sink whose number of records is the number of the status, and lines of a log.
SCRIPT = """
import logging, sys, threading
import attrs
from kafka2parquet.cli.running.live import live_view
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
    enough.wait(100)
log.info("after")
print("printed")
"""


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_view_on_a_terminal(stream: str) -> None:
    """The view is drawn in one place below the log, survives an error of the status, and leaves its last state."""
    with on_terminal([sys.executable, "-c", SCRIPT.replace("{stream}", stream)]) as process:
        assert 0 == process.wait()
        written, lines = process.written, process.lines
    assert "\x1b[?1049h" not in written  # the alternate screen
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is shown again
    assert "The status can't be shown: ValueError." in written
    assert "Zsecret" not in written
    assert ["before", f"during {'x' * 100}"] == lines[:2]
    assert lines[2].startswith("sink   running, 1 task, ")
    assert ["after", "printed", ""] == lines[-3:]
    view = lines[2:-3]
    names = [line.split()[0] for line in view if line.startswith("orders-")]
    assert len(names) > 5
    assert [f"orders-{number}" for number in range(len(names))] == names
    assert 1 == len([line for line in lines if line.startswith("sink   ")])


@pytest.mark.parametrize("log", [False, True])
def test_narrower_terminal(log: bool) -> None:
    """When the terminal becomes narrower and breaks lines of the view, nothing of the wider view is left."""
    from rich.console import Console
    from rich.live import Live

    partitions = [partition_status("a-topic-with-a-long-name", number, open_rows=1) for number in range(4)]
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, width=150, height=40)
    view = _View(lambda: runner_status(task_status(*partitions)), Live(console=console, auto_refresh=False), str, None, 1.0)
    screen = Screen()

    def show() -> list[str]:
        """Returns what is on the screen now."""
        screen.write(stream.getvalue().replace("\n", "\r\n"))
        stream.seek(0)
        stream.truncate()
        return [line for line in screen.lines if line.startswith(("sink", "a-topic", "…", "line"))]

    view._live.start()
    view._draw()
    assert 5 == len(show())
    console.width = 80
    screen.narrow(80)
    if log:
        view.write("line\n")
    view._draw()
    view._live.stop()
    assert ["line"] * log == show()[:log]
    assert 5 + log == len(show())


class _Terminal(io.StringIO):
    """A terminal that can go away."""

    is_gone = False

    def write(self, text: str) -> int:
        if self.is_gone:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


def test_terminal_that_is_gone() -> None:
    """When the terminal is gone, the view and the log go on without it."""
    from rich.console import Console
    from rich.live import Live

    terminal = _Terminal()
    live = Live(console=Console(file=terminal, force_terminal=True, width=80, height=24), auto_refresh=False)
    view = _View(lambda: runner_status(task_status(partition_status())), live, str, None, 1.0)
    with live:
        view._draw()
        before = terminal.getvalue()
        terminal.is_gone = True
        view._draw()
        assert 5 == view.write("line\n")
        view._draw()
    assert "running" in before
    assert before == terminal.getvalue()


def test_streams_without_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no view without rich, and on a stream that is not a terminal, can't move its cursor, or takes no UTF-8."""
    assert not is_possible(io.StringIO())
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setenv("TERM", "xterm")
        with os.fdopen(os.dup(terminal.fileno()), "w", encoding="latin-1") as latin:
            assert not is_possible(latin)
        monkeypatch.setenv("TERM", "dumb")
        assert not is_possible(terminal)
        monkeypatch.setenv("TERM", "xterm")
        assert is_possible(terminal)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert not is_possible(terminal)
    os.close(ours)
