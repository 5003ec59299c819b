"""Positions in a log as people write them: an offset, a time, an age, or one of the ends of the log."""

from __future__ import annotations

import datetime
import re
from typing import Literal

import attrs

from kafka2parquet.errors import ConfigurationError

_AGE = re.compile(r"-(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOST_OFFSET = (1 << 63) - 1
FORMS = "an offset (1000), a time (2026-11-01 or 2026-11-01T10:00Z; UTC if no zone is given), an age (-24h), start, end or now"


@attrs.frozen
class OffsetPosition:
    """The same offset in each topic-partition."""

    offset: int


@attrs.frozen
class TimePosition:
    """The first record with this timestamp or a later one. The end of the log if there is no such record."""

    time: datetime.datetime


@attrs.frozen
class EdgePosition:
    """The start or the end of the log, as they are when the position is looked up."""

    edge: Literal["start", "end"]


Position = OffsetPosition | TimePosition | EdgePosition


def parse_position(text: str, now: datetime.datetime) -> Position:
    """Read a position.

    Args:
        text: an offset, an ISO 8601 time, an age such as `-24h` (units s, m, h, d, w), `start`, `end` or `now`. `now` is the
            end of the log.
        now: the moment that ages count from, with a time zone.

    Raises:
        ConfigurationError: the text is none of these.
    """
    if text == "start":
        return EdgePosition("start")
    if text in ("end", "now"):
        return EdgePosition("end")
    if text.isascii() and text.isdecimal() and int(text) <= _MOST_OFFSET:
        return OffsetPosition(int(text))
    try:
        if age := _AGE.fullmatch(text):
            return TimePosition(now - datetime.timedelta(**{_UNITS[age[2]]: int(age[1])}))
        time = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{text!r} is not a position in a log. Write {FORMS}.") from None
    return TimePosition(time if time.tzinfo is not None else time.replace(tzinfo=datetime.timezone.utc))
