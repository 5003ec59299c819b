"""Shows the status of a running sink on a terminal, in line, below the lines of the log."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from kafka2parquet.status import RunnerStatus
from kafka2parquet.util.secrets import without_credentials

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from kafka2parquet.bounded.progress import DrainProgress

_LOG = logging.getLogger(__name__)
_PER_SECOND = 1.0
#: Rates are measured between the newest status and the oldest of this number of statuses.
_RATE_STATUSES = 10


def is_possible(stream: TextIO) -> bool:
    """Return whether a stream can show a live view: it is a terminal with a cursor, it takes UTF-8, and rich is there."""
    is_utf_8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
    if not stream.isatty() or not is_utf_8 or importlib.util.find_spec("rich") is None:
        return False
    from rich.console import Console

    return not Console(file=stream).is_dumb_terminal


@contextlib.contextmanager
def live_view(
    status: Callable[[], RunnerStatus],
    stream: TextIO,
    *,
    hide: Callable[[str], str] = without_credentials,
    course: Callable[[], DrainProgress] | None = None,
    per_second: float = _PER_SECOND,
) -> Iterator[None]:
    """Show the status on a terminal while the block runs. The last state stays on the terminal.

    Lines of the log that go to a terminal appear above the view. A thread draws the view.

    Args:
        status: returns the current status; called on the thread that draws, and at the end on the calling thread.
        stream: the terminal.
        hide: hides secrets in the texts of errors.
        course: returns how far a run that ends has come; called on the same threads as `status`.
        per_second: how often the view is drawn.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    live = Live(console=console, auto_refresh=False, redirect_stdout=sys.stdout.isatty(), vertical_overflow="crop")
    view = _View(status, live, hide, course, 1 / per_second)
    with _log_above(view), live, view:
        console.show_cursor(True)  # a process that is killed would leave the terminal without its cursor
        yield


class _Nowhere(io.StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        """Take a text, and forget it."""
        return len(text)


class _View:
    """Draws the newest status again and again, in a thread, and prints lines above it.

    One lock keeps drawing and printing apart: rich moves the cursor up by the height of the last drawing. Nothing is logged
    under the lock, because a thread that logs holds the lock of its handler while it waits for this one.
    """

    def __init__(
        self,
        status: Callable[[], RunnerStatus],
        live: Live,
        hide: Callable[[str], str],
        course: Callable[[], DrainProgress] | None,
        pause_s: float,
    ) -> None:
        self._status = status
        self._live = live
        self._hide = hide
        self._course = course
        self._pause_s = pause_s
        self._latest: collections.deque[RunnerStatus] = collections.deque(maxlen=_RATE_STATUSES)
        self._drawn: RenderableType = ""
        self._drawn_width = 0
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw_until_ended, name="kafka2parquet-view", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Draw the last state."""
        self._ended.set()
        self._thread.join()
        self._draw()

    def write(self, text: str) -> int:
        """Print whole lines above the view as they are: without styles, and without breaks that the terminal doesn't make."""
        from rich.text import Text

        with self._lock, self._surviving():
            self._clear_broken_lines()
            self._live.console.print(Text(text), end="", soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the console flushes after each print."""

    def _draw_until_ended(self) -> None:
        self._draw()
        while not self._ended.wait(self._pause_s):
            self._draw()

    def _draw(self) -> None:
        drawing = self._drawing()
        with self._lock, self._surviving():
            self._clear_broken_lines()
            self._live.update(drawing, refresh=True)
            self._drawn = drawing

    @contextlib.contextmanager
    def _surviving(self) -> Iterator[None]:
        """Go on without a terminal if the terminal is gone, because the sink goes on, too."""
        try:
            yield
        except OSError:
            self._live.console.file = _Nowhere()

    def _clear_broken_lines(self) -> None:
        """Clear the lines that the last drawing takes more since the terminal has become narrower.

        Terminals break lines that no longer fit, but rich goes back only by as many lines as it has drawn.
        """
        from rich.control import Control
        from rich.segment import ControlType, Segment

        console = self._live.console
        before, self._drawn_width = self._drawn_width, console.width
        if not 0 < console.width < before:
            return
        lines = console.render_lines(self._drawn, console.options.update(width=before), pad=False)
        more = sum(max(0, Segment.get_line_length(line) - 1) // console.width for line in lines)
        if more:
            console.control(Control(*[(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * more))

    def _drawing(self) -> RenderableType:
        """Return the view of the newest status. An error is shown in its place, and doesn't end the thread."""
        from kafka2parquet.cli.running.live_view import Course, Rates, render

        try:
            status = self._status()
            self._latest.append(status)
            size = self._live.console.size
            rates = Rates.between(self._latest[0], status)
            progress = self._course() if self._course is not None else None
            course = Course(progress.share, str(progress)) if progress is not None else None
            return render(status, rates, width=size.width, height=size.height, hide=self._hide, course=course)
        except Exception as error:
            _LOG.debug("The status can't be shown", exc_info=True)
            return f"The status can't be shown: {type(error).__name__}."


@contextlib.contextmanager
def _log_above(view: _View) -> Iterator[None]:
    """Print the lines of the root logger's handlers above the view, if the handlers write to a terminal."""
    streams = {
        handler: handler.stream
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr) and handler.stream.isatty()
    }
    for handler in streams:
        handler.setStream(view)
    try:
        yield
    finally:
        for handler, stream in streams.items():
            handler.setStream(stream)
