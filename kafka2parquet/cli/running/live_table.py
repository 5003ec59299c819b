"""Draws the rows of the live view as a table, with as many columns as the terminal has room for. Needs rich."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from rich.table import Table
from rich.text import Text

from kafka2parquet.cli.running.live_rows import Row, Rows, Severity
from kafka2parquet.status import RunnerStatus
from kafka2parquet.util.display import amount, duration, printable, shortened, size
from kafka2parquet.util.secrets import without_credentials

_GAP = 2
_LEAST_NAME = 16
_LEAST_FILE = 40
_STYLES = {
    Severity.FAILED: "bold red",
    Severity.NEAR_LOSS: "bold red",
    Severity.WAITING: "yellow",
    Severity.HELD: "yellow",
    Severity.LATE: "yellow",
    Severity.BEHIND: "cyan",
    Severity.FINE: "",
}


@attrs.frozen
class _Column:
    """A column between the name and the last file.

    Attributes:
        title: its heading.
        width: its usual width, with the gap before it.
        cell: returns the text for a row.
        is_number: whether the column is aligned to the right.
    """

    title: str
    width: int
    cell: Callable[[Row], str]
    is_number: bool = True


_READ_LAG = _Column("read lag", 16, lambda row: f"{amount(row.read_lag_records)} {duration(row.read_lag_s):>7}")
_NOT_DURABLE = _Column("not durable", 13, lambda row: duration(row.durable_lag_s))
_DELETED_IN = _Column("deleted in", 12, lambda row: "" if row.retention_margin_s is None else duration(row.retention_margin_s))
_OPEN = _Column("open", 17, lambda row: f"{amount(row.open_rows)} {size(row.open_bytes):>8}")
_NEXT_FLUSH = _Column("next flush", 18, lambda row: printable(row.note), is_number=False)

_IN_ORDER = (_READ_LAG, _NOT_DURABLE, _DELETED_IN, _OPEN, _NEXT_FLUSH)
_BY_IMPORTANCE = (_READ_LAG, _NOT_DURABLE, _NEXT_FLUSH, _OPEN, _DELETED_IN)


def table_of(rows: Rows, status: RunnerStatus, width: int) -> Table:
    """Return the table of the rows for a terminal of `width` columns. Columns that don't fit are left out."""
    everything = (*rows.partitions, *rows.topics)
    columns, left = _fitting(everything, width - _LEAST_NAME)
    has_file = left >= _LEAST_FILE + _GAP and any(row.last_file is not None for row in everything)
    longest = max(len(row.name) for row in everything)
    name_width = _LEAST_NAME + min(left - (_LEAST_FILE + _GAP if has_file else 0), max(0, longest - _LEAST_NAME))
    file_width = left + _LEAST_NAME - name_width - _GAP
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("partition" if rows.partitions else "topic", no_wrap=True)
    for column in columns:
        table.add_column(column.title, justify="right" if column.is_number else "left", no_wrap=True)
    if has_file:
        table.add_column("last file", no_wrap=True)
    for row in everything:
        if rows.partitions and rows.topics and row is rows.topics[0]:
            table.add_row(Text("topic", style="dim"))
        cells = [shortened(printable(row.name), name_width), *(column.cell(row) for column in columns)]
        if has_file:
            cells.append(_file(row, status, file_width))
        table.add_row(*map(Text, cells), style=_STYLES[row.severity])
    return table


def _fitting(rows: Sequence[Row], width: int) -> tuple[list[_Column], int]:
    """Return the columns that fit into `width`, in their order, and the width that is left."""
    chosen = []
    for column in _BY_IMPORTANCE:
        is_empty = column is _DELETED_IN and all(row.retention_margin_s is None for row in rows)
        if column.width <= width and not is_empty:
            chosen.append(column)
            width -= column.width
    return [column for column in _IN_ORDER if column in chosen], width


def _file(row: Row, status: RunnerStatus, width: int) -> str:
    """Return the age, the size and the end of the key of a row's last file."""
    file = row.last_file
    if file is None:
        return ""
    begin = f"{duration((status.at - file.at).total_seconds())} ago, {size(file.size_bytes)}, "
    return begin + shortened(printable(without_credentials(file.key)), max(1, width - len(begin)))
