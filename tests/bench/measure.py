"""Runs one measured program in a separate process and returns its costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run(name: str, **arguments: Any) -> dict[str, Any]:
    """Start `python -m tests.bench.programs NAME ARGUMENTS` and return the figures that it prints as its last line."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.bench.programs", name, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"},
    )
    if finished.returncode:
        raise SystemExit(f"{name} failed with exit code {finished.returncode}:\n{finished.stdout}")
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def peak_rss_mb() -> int:
    """Most memory that this process has held, in MiB. (`getrusage` would count the process that it was forked from, too.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


class Meter:
    """CPU of this process (all threads), wall clock and peak memory since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def figures(self, rows: int, **more: Any) -> dict[str, Any]:
        """The figures of `rows` rows."""
        wall_s = time.perf_counter() - self._wall
        cpu_s = time.process_time() - self._cpu
        return {
            "rows": rows,
            "rows_per_s": round(rows / wall_s),
            "cpu_s_per_million": round(cpu_s / rows * 1e6, 3),
            "wall_s": round(wall_s, 2),
            "cpu_s": round(cpu_s, 2),
            "peak_rss_mb": peak_rss_mb(),
            **more,
        }
