"""Draws the status of a running sink for a terminal. Needs rich."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
from rich.console import Group, RenderableType
from rich.text import Text

from kafka2parquet.cli.running.live_rows import rows_of
from kafka2parquet.cli.running.live_table import table_of
from kafka2parquet.status import RunnerStatus, TaskStatus
from kafka2parquet.util.display import about, amount, counted, duration, printable, size
from kafka2parquet.util.secrets import without_credentials

_GAP = "   "
#: Lines besides the summary, the causes of trouble and the rows of the table: headings, the number of topics that are left out,
#: and a line below.
_OTHER_LINES = 4
#: The most lines for one cause of trouble.
_CAUSE_LINES = 3
_MOST_ROWS = 30
_LEAST_ROWS = 3


@attrs.frozen
class Rates:
    """How fast a sink works.

    Attributes:
        records_per_s: records that were taken, per second.
        rows_per_s: rows that became durable, per second.
    """

    records_per_s: float = 0.0
    rows_per_s: float = 0.0

    @classmethod
    def between(cls, earlier: RunnerStatus, later: RunnerStatus) -> Rates:
        """Return the rates between two statuses of the same sink."""
        passed_s = (later.at - earlier.at).total_seconds()
        if passed_s <= 0:
            return cls()
        before, after = earlier.totals, later.totals
        return cls(
            max(0.0, (after.records - before.records) / passed_s),
            max(0.0, (after.committed_rows - before.committed_rows) / passed_s),
        )


@attrs.frozen
class Course:
    """How far a run that ends has come.

    Attributes:
        share: what is done, from 0 to 1.
        text: the same in words, with an estimate of the time that is left.
    """

    share: float
    text: str


def render(
    status: RunnerStatus,
    rates: Rates,
    *,
    width: int,
    height: int,
    hide: Callable[[str], str] = without_credentials,
    course: Course | None = None,
) -> RenderableType:
    """Return what the live view shows.

    Args:
        status: of the sink.
        rates: how fast it works.
        width: columns of the terminal; the view needs 80.
        height: lines of the terminal.
        hide: hides secrets in the texts of errors.
        course: how far a run that ends has come; None for a run without an end.
    """
    parts: list[RenderableType] = [*_packed(_summary(status, rates), width)]
    if course is not None:
        done = int(width * course.share)
        parts.append(Text.assemble(("━" * done, "green"), ("─" * (width - done), "dim")))
        parts += map(Text, textwrap.wrap(course.text, width))
    parts += _troubles(status, width, hide)
    rows = rows_of(status, max(_LEAST_ROWS, min(_MOST_ROWS, height - len(parts) - _OTHER_LINES)))
    if rows.partitions or rows.topics:
        parts.append(table_of(rows, status, width))
    if rows.left_out:
        parts.append(Text(f"and {counted(rows.left_out, 'more topic')}", style="dim"))
    return Group(*parts)


def _summary(status: RunnerStatus, rates: Rates) -> Iterator[Text]:
    """Yield the items of the first lines, the most important first."""
    tasks, totals = status.tasks, status.totals
    yield Text(printable(status.name), style="bold")
    yield Text(
        f"{_state(status)}, {counted(len(tasks), 'task')}, {counted(sum(len(task.partitions) for task in tasks), 'partition')}"
    )
    yield Text(f"{amount(rates.records_per_s)} records/s in")
    yield Text(f"{amount(rates.rows_per_s)} rows/s durable")
    yield from _store(tasks)
    if tasks:
        budget_bytes = max(task.memory_budget_bytes for task in tasks)
        yield Text(f"memory {size(sum(task.memory_used_bytes for task in tasks))} of {size(budget_bytes)}")
        yield Text(f"staged {size(sum(task.staging_bytes for task in tasks))}")
    yield Text(f"{about(totals.committed_rows, 'row')} in {about(totals.files, 'file')}, {size(totals.file_bytes)}")
    if totals.rejected:
        yield Text(f"{amount(totals.rejected)} rejected", style="yellow")
    if totals.lost:
        yield Text(f"{amount(totals.lost)} lost", style="bold red")
    yield Text(_clock(status.at), style="dim")


def _state(status: RunnerStatus) -> str:
    """Return the state of the task that needs the most attention."""
    states = {task.state for task in status.tasks} | ({"failed"} if status.error else set())
    return next((state for state in ("failed", "stopping", "starting", "running", "stopped") if state in states), "starting")


def _store(tasks: Sequence[TaskStatus]) -> Iterator[Text]:
    ups = {task.storage.up for task in tasks}
    if False in ups:
        yield Text("store down", style="bold red")
    elif True in ups:
        yield Text("store ok", style="green")


def _troubles(status: RunnerStatus, width: int, hide: Callable[[str], str]) -> Iterator[Text]:
    """Yield some lines for each cause of trouble. What the tasks share is shown once."""
    causes = [f"Failed: {status.error}"] if status.error else []
    down = [task.storage for task in status.tasks if task.storage.up is False]
    if down:
        first = min(down, key=lambda storage: storage.since or status.at)
        down_s = (status.at - (first.since or status.at)).total_seconds()
        causes.append(f"The store hasn't answered for {duration(down_s)}: {first.cause}")
    if any(task.kafka.up is False for task in status.tasks):
        causes.append("No Kafka broker answers.")
    for cause in causes:
        text = printable(hide(cause).partition("\n")[0])
        yield from (Text(line, style="red") for line in textwrap.wrap(text, width, max_lines=_CAUSE_LINES, placeholder=" …"))
    joining = [task.kafka for task in status.tasks if not task.kafka.joined and task.state in ("starting", "running")]
    if joining:
        group = f" {joining[0].group_id}" if joining[0].group_id else ""
        yield Text(printable(f"Joining the consumer group{group}."), style="dim")


def _packed(items: Iterable[Text], width: int) -> Iterator[Text]:
    """Yield lines of at most `width` columns; an item is never broken, but the first item of a line may be cut off."""
    line = Text()
    for item in items:
        if line and line.cell_len + len(_GAP) + item.cell_len > width:
            yield line
            line = Text()
        line = line + item if not line else Text.assemble(line, _GAP, item)
        line.truncate(width, overflow="ellipsis")
    if line:
        yield line


def _clock(at: datetime.datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S")
