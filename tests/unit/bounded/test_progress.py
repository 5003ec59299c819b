"""How far a run has come, as one line."""

from __future__ import annotations

import pytest

from kafka2parquet.bounded.progress import DrainProgress


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (DrainProgress(2_000_000, 0, 0, 0, 0.0), "0 % of 2,000,000 offsets are durable, 0 % are read"),
        (
            DrainProgress(2_000_000, 1_000_000, 1_500_000, 500_000, 10.0),
            "50 % of 2,000,000 offsets are durable, 75 % are read; 100,000/s, about 5s left",
        ),
        (
            DrainProgress(1_000, 999, 1_000, 0, 10.0),
            "99 % of 1,000 offsets are durable, 100 % are read; 100/s, about 0s left",
        ),
        (DrainProgress(1_000, 1_000, 1_000, 1_000, 10.0), "100 % of 1,000 offsets are durable"),
        (DrainProgress(0, 0, 0, 0, 10.0), "100 % of 0 offsets are durable"),
    ],
)
def test_lines(progress: DrainProgress, expected: str) -> None:
    """A line says what is durable, what is read, and what is left at the speed of this run; 100 % means all."""
    assert expected == str(progress)


def test_nothing_is_estimated_before_anything_was_read() -> None:
    """Work of earlier runs says nothing about the speed of this one."""
    assert DrainProgress(100, 50, 50, 50, 3.0).left_s is None
