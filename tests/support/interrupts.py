"""Interrupts at chosen lines of the engine, as Ctrl-C or a failed allocation brings them."""

from __future__ import annotations

import collections
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs

import kafka2parquet

_ROOT = Path(kafka2parquet.__file__).parent
_ENGINE = tuple(str(_ROOT / name) for name in ("delivery", "task", "parquet/part.py", "parquet/writer.py"))
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
def watch_lines(on_line: Callable[[str, int], None], *, only: Line | None = None) -> Iterator[None]:
    """Calls `on_line` before each line of the engine on this thread; an exception is raised there, once.

    Args:
        on_line: Gets the file and the number of the line.
        only: Watches just the functions that have this line, which makes the others as fast as without a trace.
    """

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            try:
                on_line(frame.f_code.co_filename, frame.f_lineno)
            except BaseException:
                sys.settrace(None)
                raise
        return local

    @functools.cache
    def has_line(code: CodeType) -> bool:
        return only is not None and any(number == only.number for _, _, number in code.co_lines())

    def is_watched(code: CodeType) -> bool:
        file = code.co_filename
        if only is not None:
            return file == only.file and has_line(code)
        return file.startswith(_ENGINE) and file != _LOCKED

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return local if is_watched(frame.f_code) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def lines_of(run: Callable[[], None]) -> collections.Counter[Line]:
    """Counts how often each line of the engine runs."""
    counts: collections.Counter[tuple[str, int]] = collections.Counter()

    def on_line(file: str, number: int) -> None:
        counts[file, number] += 1

    with watch_lines(on_line):
        run()
    return collections.Counter({Line(file, number): count for (file, number), count in counts.items()})


@contextlib.contextmanager
def interrupt_at(line: Line, hit: int, error: Callable[[], BaseException] = Interrupted) -> Iterator[None]:
    """Raises before the n-th run of a line, counted from 1."""
    left = hit

    def on_line(_: str, number: int) -> None:
        nonlocal left
        left -= number == line.number
        if left == 0:
            raise error()

    with watch_lines(on_line, only=line):
        yield


@contextlib.contextmanager
def interrupt_after(lines: int, error: Callable[[], BaseException] = Interrupted) -> Iterator[None]:
    """Raises before the engine runs its n-th line, counted from 1."""
    left = lines

    def on_line(_file: str, _number: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error()

    with watch_lines(on_line):
        yield
