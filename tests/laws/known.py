"""Breaches that are known and not corrected yet. Whoever corrects one takes its line out; the list should be empty."""

from __future__ import annotations

import re

from tests.laws.laws import Breach

#: Patterns of what a breach is and what was seen; each with what is to be done.
KNOWN: tuple[tuple[str, str], ...] = (
    (r"UsageError at transforms/", "transforms refuse columns instead of rows"),
    (r"Could not convert Timestamp\(MS\)", "DuckDB has no milliseconds beyond the year 294247, which types=connect writes"),
    (r"sent Decimal\('-?\d(\.\d+)?E-\d+'\), read -?0\.0$", "numbers nearer to zero than any double become zero"),
)


def is_known(breach: Breach) -> bool:
    """Whether the list has a breach."""
    return any(re.search(pattern, f"{breach.kind} | {breach.detail}") for pattern, _ in KNOWN)
