"""The texts of options that several commands share."""

from __future__ import annotations

import argparse

import pytest

from kafka2parquet.cli.options import pause


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("15m", 900.0), ("2h", 7200.0), ("1d", 86_400.0), ("300", 300.0), ("0.2", 0.2)]
)
def test_pauses(text: str, seconds: float) -> None:
    """A pause is a duration, or a plain number of seconds."""
    assert seconds == pause(text).total_seconds()


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5 m", "1y", "soon", "nan", "inf", "9999999999", "99999999999999999w"])
def test_texts_that_are_no_pauses(text: str) -> None:
    """Nothing, a time that has passed, and a time that no thread can wait are refused, with examples."""
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration above 0, such as 90s"):
        pause(text)
