"""parse_text: the forms of Joda-Time's ISO parser, one text at a time."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from kafka2parquet.partitioners.iso_text import parse_text

UTC = datetime.timezone.utc
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2015", 2015),
        ("-5", -5),
        ("1970-01-02", DAY_MS),
        ("1970-01", 0),
        ("1970-W01-4", 0),
        ("1970-002", DAY_MS),
        ("1970-01-01T00:00:01.5", 1500),
        ("1970-01-01T00:00:01,5", 1500),
        ("1970-01-01T01", 3_600_000),
        ("1970-01-01T00:00:00+01:00", -3_600_000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_each_form_is_read(text: str, milliseconds: int) -> None:
    """Dates, week dates, ordinal dates, times with fractions and offsets, and numbers are read."""
    assert milliseconds == parse_text(text, UTC)


def test_the_zone_applies_to_texts_without_an_offset() -> None:
    """A text with an offset keeps its moment in any time zone."""
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    assert -3_600_000 == parse_text("1970-01-01T00:00:00", paris)
    assert 0 == parse_text("1970-01-01T00:00:00Z", paris)


@pytest.mark.parametrize("text", ["", "soon", "1970-13-01", "1970-366", "1970-01-01T25:00", "1970-01-01 00:00", "1970-W54-1"])
def test_other_texts_are_refused(text: str) -> None:
    """A text that Joda doesn't read is a ValueError."""
    with pytest.raises(ValueError):  # the message differs
        parse_text(text, UTC)
