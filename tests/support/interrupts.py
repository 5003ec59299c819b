"""Interrupts at chosen lines of the engine, as Ctrl-C or a failed allocation brings them."""

from __future__ import annotations

import collections
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import attrs

import kafka2parquet

_ROOT = Path(kafka2parquet.__file__).parent
_ENGINE = tuple(str(_ROOT / name) for name in ("delivery", "task.py", "startup.py", "parquet/part.py", "parquet/writer.py"))
#: It holds a lock. Signals don't come between `with` and the release of a lock; a trace function can.
_LOCKED = str(_ROOT / "delivery" / "budget.py")


@attrs.frozen
class Line:
    """A line of the engine's source."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{Path(self.file).relative_to(_ROOT)}:{self.number}"


class Interrupted(BaseException):
    """Stands for `KeyboardInterrupt`, which pytest would handle itself."""


@contextlib.contextmanager
def watch_lines(on_line: Callable[[Line], None]) -> Iterator[None]:
    """Calls `on_line` before each line of the engine on this thread; an exception is raised there, once."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            try:
                on_line(Line(frame.f_code.co_filename, frame.f_lineno))
            except BaseException:
                sys.settrace(None)
                raise
        return local

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        return local if file.startswith(_ENGINE) and file != _LOCKED else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def lines_of(run: Callable[[], None]) -> collections.Counter[Line]:
    """Counts how often each line of the engine runs."""
    counts: collections.Counter[Line] = collections.Counter()
    with watch_lines(lambda line: counts.update([line])):
        run()
    return counts


@contextlib.contextmanager
def interrupt_at(line: Line, hit: int, error: Callable[[], BaseException] = Interrupted) -> Iterator[None]:
    """Raises before the n-th run of a line, counted from 1."""
    left = hit

    def on_line(now: Line) -> None:
        nonlocal left
        left -= now == line
        if left == 0:
            raise error()

    with watch_lines(on_line):
        yield


@contextlib.contextmanager
def interrupt_after(lines: int, error: Callable[[], BaseException] = Interrupted) -> Iterator[None]:
    """Raises before the engine runs its n-th line, counted from 1."""
    left = lines

    def on_line(_: Line) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error()

    with watch_lines(on_line):
        yield
