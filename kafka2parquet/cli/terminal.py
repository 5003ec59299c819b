"""Terminal output: prints text and formats log lines, so that nothing in them controls the terminal or shows secrets."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from kafka2parquet.util.display import printable_lines
from kafka2parquet.util.secrets import Secrets, without_credentials

#: 128 and the number of SIGPIPE, as shells report it.
EXIT_BROKEN_PIPE = 141


def tell(text: str, *, to: TextIO | None = None, end: str = "\n") -> None:
    """Print lines to stdout or another stream, with invisible characters escaped and credentials hidden.

    Raises:
        SystemExit: the reader of stdout is gone, as after `| head`. The exit code is that of a process that SIGPIPE ends.
    """
    try:
        print(printable_lines(without_credentials(text)), file=to, end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it exits
        raise SystemExit(EXIT_BROKEN_PIPE) from None


class PrintableFormatter(logging.Formatter):
    """Formats log records so that they can't control the terminal, and no line looks like another record.

    Further lines of a record, such as a traceback, are indented.

    Attributes:
        secrets: texts that no line may show.
    """

    secrets = Secrets()

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as text."""
        return printable_lines(self.secrets.hide(super().format(record))).replace("\n", "\n    ")
