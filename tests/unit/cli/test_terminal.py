"""What the command line prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kafka2parquet.cli.terminal import EXIT_BROKEN_PIPE

ROOT = Path(__file__).parents[3]


def test_reader_that_is_gone() -> None:
    """When the reader of stdout is gone, as after `| head`, the process ends without a traceback, like any other in a pipe."""
    code = "from kafka2parquet.cli.terminal import tell\nfor _ in range(100_000): tell('a line that nobody reads')"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert "" == process.stderr.read()
        assert EXIT_BROKEN_PIPE == process.wait()
