"""Shows the status of a running sink on a terminal, in line, below the lines of the log."""

from __future__ import annotations

import collections
import contextlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from kafka2parquet.status import RunnerStatus
from kafka2parquet.util.secrets import without_credentials

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LOG = logging.getLogger(__name__)
_PER_SECOND = 1.0
#: Rates are those between the newest status and the oldest of this number of statuses.
_RATE_STATUSES = 10


def is_possible(stream: IO[str]) -> bool:
    """Return whether a live view can be shown on a stream: rich is there, and the stream is a terminal with a cursor."""
    if not stream.isatty() or importlib.util.find_spec("rich") is None:
        return False
    from rich.console import Console

    return not Console(file=stream).is_dumb_terminal


@contextlib.contextmanager
def live_view(
    status: Callable[[], RunnerStatus],
    stream: IO[str],
    *,
    hide: Callable[[str], str] = without_credentials,
    per_second: float = _PER_SECOND,
) -> Iterator[None]:
    """Show the status on a terminal while the block runs. The last state stays on the terminal.

    Lines of the log that go to the same stream appear above the view. A thread draws the view.

    Args:
        status: returns the current status; called on the thread of the view and on the calling thread.
        stream: the terminal.
        hide: hides secrets in the texts of errors.
        per_second: how often the view is drawn.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    drawing = _Drawing(status, console, hide)
    live = Live(
        console=console,
        get_renderable=drawing.draw,
        refresh_per_second=per_second,
        redirect_stdout=sys.stdout.isatty(),
        vertical_overflow="crop",
    )
    with _log_above(console, stream), live:
        console.show_cursor(True)  # a process that is killed would leave the terminal without its cursor
        live.refresh()
        yield


class _Drawing:
    """Draws the newest status, with rates of the last seconds."""

    def __init__(self, status: Callable[[], RunnerStatus], console: Console, hide: Callable[[str], str]) -> None:
        self._status = status
        self._console = console
        self._hide = hide
        self._latest: collections.deque[RunnerStatus] = collections.deque(maxlen=_RATE_STATUSES)

    def draw(self) -> RenderableType:
        """Return the view of the newest status. An error is shown in its place, and doesn't end the thread that draws."""
        from kafka2parquet.cli.live_view import Rates, render

        try:
            status = self._status()
            self._latest.append(status)
            size = self._console.size
            rates = Rates.between(self._latest[0], status)
            return render(status, rates, width=size.width, height=size.height, hide=self._hide)
        except Exception as error:
            _LOG.debug("The status can't be shown", exc_info=True)
            return f"The status can't be shown: {type(error).__name__}."


class _AboveView:
    """A stream for log handlers whose lines appear above the view."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        """Print whole lines as they are: without styles, and without breaks that the terminal doesn't make."""
        from rich.text import Text

        self._console.print(Text(text), end="", soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the console flushes after each print."""


@contextlib.contextmanager
def _log_above(console: Console, stream: IO[str]) -> Iterator[None]:
    """Send the lines of the root logger's handlers for a stream to the console."""
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream
    ]
    for handler in handlers:
        handler.setStream(_AboveView(console))
    try:
        yield
    finally:
        for handler in handlers:
            handler.setStream(stream)
