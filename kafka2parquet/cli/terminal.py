"""Terminal output: what the command line prints, and the lines that it logs."""

from __future__ import annotations

import logging
from typing import TextIO

from kafka2parquet.util.printable import printable_lines
from kafka2parquet.util.secrets import Secrets, without_credentials


def tell(text: str, *, to: TextIO | None = None, end: str = "\n") -> None:
    """Print lines to stdout, or to another stream, with all that isn't visible escaped and credentials hidden."""
    print(printable_lines(without_credentials(text)), file=to, end=end)


class PrintableFormatter(logging.Formatter):
    """Formats log records so that nothing in them drives the terminal, and none of their lines looks like another record.

    Further lines of a record, such as those of a traceback, are indented.

    Attributes:
        secrets: what no line may show.
    """

    secrets = Secrets()

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return printable_lines(self.secrets.hide(super().format(record))).replace("\n", "\n    ")
