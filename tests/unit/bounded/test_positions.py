"""Positions as people write them."""

from __future__ import annotations

import datetime

import pytest

from kafka2parquet.bounded.positions import EdgePosition, OffsetPosition, Position, TimePosition, parse_position
from kafka2parquet.errors import ConfigurationError

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=UTC)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> TimePosition:
    return TimePosition(datetime.datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", OffsetPosition(0)),
        ("9223372036854775807", OffsetPosition(2**63 - 1)),
        ("start", EdgePosition("start")),
        ("end", EdgePosition("end")),
        ("now", EdgePosition("end")),
        ("-30s", at(2026, 11, 30, 11, 59, 30)),
        ("-90m", at(2026, 11, 30, 10, 30)),
        ("-24h", at(2026, 11, 29, 12)),
        ("-7d", at(2026, 11, 23, 12)),
        ("-2w", at(2026, 11, 16, 12)),
        ("2026-11-01", at(2026, 11, 1)),
        ("2026-11-01T10:30", at(2026, 11, 1, 10, 30)),
        ("2026-11-01 10:30:05", at(2026, 11, 1, 10, 30, 5)),
        ("2026-11-01T10:30:05.250Z", at(2026, 11, 1, 10, 30, 5, 250_000)),
        ("2026-11-01T10:30:00+02:00", at(2026, 11, 1, 8, 30)),
    ],
)
def test_forms(text: str, expected: Position) -> None:
    """Offsets, times, ages and the ends of the log are read; times without a zone are UTC."""
    assert expected == parse_position(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "24h",
        "-24",
        "-24y",
        "--24h",
        "yesterday",
        "2026-13-01",
        "9223372036854775808",
        "٣",
        "1.5",
        "-99999999w",
        "1e3",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """The error quotes the text and lists the forms."""
    with pytest.raises(ConfigurationError, match=r"is not a position in a log\. Write an offset"):
        parse_position(text, NOW)
