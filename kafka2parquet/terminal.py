"""Terminal output: what the command line prints, and the lines that it logs."""

from __future__ import annotations

import logging
from typing import TextIO

from kafka2parquet.printable import printable_lines


def tell(text: str, *, to: TextIO | None = None, end: str = "\n") -> None:
    """Print lines to stdout, or to another stream, with all that isn't visible escaped."""
    print(printable_lines(text), file=to, end=end)


class PrintableFormatter(logging.Formatter):
    """Formats log records so that nothing in them drives the terminal, and none of their lines looks like another record.

    Further lines of a record, such as those of a traceback, are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return printable_lines(super().format(record)).replace("\n", "\n    ")
