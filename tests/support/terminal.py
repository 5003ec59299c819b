"""A terminal for processes that draw on it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Screen:
    """What a terminal of any height shows, for the few controls that rich uses."""

    def __init__(self) -> None:
        self.lines = [""]
        self._row = self._column = 0

    def write(self, written: str) -> None:
        """Shows what a process writes."""
        for piece in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
            line = self.lines[self._row]
            if piece == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif piece == "\r":
                self._column = 0
            elif piece == "\x1b[2K":
                self.lines[self._row] = ""
            elif piece.endswith("A"):
                self._row -= int(piece[2:-1] or 1)
            elif not piece.startswith("\x1b"):
                self.lines[self._row] = line.ljust(self._column)[: self._column] + piece + line[self._column + len(piece) :]
                self._column += len(piece)
            else:
                assert piece.endswith("m") or piece in ("\x1b[?25l", "\x1b[?25h"), piece

    def narrow(self, width: int) -> None:
        """Breaks lines that are longer than the terminal's new width; the cursor is in the last line."""
        self.lines = [line[at : at + width] for line in self.lines for at in range(0, max(1, len(line)), width)]
        self._row = len(self.lines) - 1


class TerminalProcess:
    """A process on a terminal of 80 columns and 24 lines, unless variables say otherwise.

    Attributes:
        process: the process.
    """

    def __init__(self, command: Sequence[str], folder: Path = ROOT, **environment: str) -> None:
        """Start the process in the folder."""
        self._ours, theirs = pty.openpty()
        variables = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", "PYTHONPATH": str(ROOT), **environment}
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, cwd=folder)
        os.close(theirs)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the process has closed the terminal
            while True:
                self._written += os.read(self._ours, 4096)

    @property
    def written(self) -> str:
        """What the process has written so far."""
        return self._written.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What a terminal shows now, without blanks at the ends of lines."""
        screen = Screen()
        screen.write(self.written)
        return [line.rstrip() for line in screen.lines]

    def wait(self, timeout_s: float = 120.0) -> int:
        """Waits until the process has ended, and returns its exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def close(self) -> None:
        """Ends the process if it still runs."""
        self.process.kill()
        self.wait()
        os.close(self._ours)


@contextlib.contextmanager
def on_terminal(command: Sequence[str]) -> Iterator[TerminalProcess]:
    """Runs a process on a terminal, and ends it after the block."""
    process = TerminalProcess(command)
    try:
        yield process
    finally:
        process.close()
