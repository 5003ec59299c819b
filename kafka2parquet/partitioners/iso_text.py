"""Parses times in all forms that Joda-Time's ISO `dateTimeParser` reads, one text at a time.

`util.iso_times` parses texts with an offset from UTC a column at a time, with the same results.
"""

from __future__ import annotations

import datetime
import re

_DAY_OF_YEAR = r"-W(?P<week>\d{1,2})(?:-(?P<weekday>[1-7]))?|-(?P<ordinal>\d{3})|-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?"
_DATE = rf"(?P<year>[+-]?\d{{1,9}})(?:{_DAY_OF_YEAR})?"
_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?(?:[.,](?P<fraction>\d{1,}))?"
_ZONE = r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?"
_TEXT = re.compile(rf"(?:{_DATE})?(?:T(?:{_TIME})?{_ZONE})?", re.ASCII | re.IGNORECASE)
_MILLISECONDS = re.compile(r"-?\d{1,19}", re.ASCII)


def parse_text(text: str, zone: datetime.tzinfo) -> int:
    """Parse a text to milliseconds since the epoch.

    Args:
        text: an ISO date or time, or a number of milliseconds. `2015` is 2015 milliseconds, not a year.
        zone: time zone of a text without an offset.

    Raises:
        ValueError: the text is not a time.
    """
    if _MILLISECONDS.fullmatch(text) and -(1 << 63) <= int(text) < 1 << 63:
        return int(text)
    match = _TEXT.fullmatch(text)
    if match is None or text in ("", "T", "t"):
        raise ValueError(f"Invalid format: {text!r}")
    parts = match.groupdict()
    moment = datetime.datetime.combine(_date(parts), datetime.time())
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"Invalid format: {text!r}: the time of day is out of range")
    moment += datetime.timedelta(hours=hour, minutes=minute, seconds=second)
    if parts["fraction"]:
        unit_ms = 1000 if parts["second"] else 60_000 if parts["minute"] else 3_600_000
        digits = parts["fraction"][:9]
        moment += datetime.timedelta(milliseconds=int(digits) * unit_ms // 10 ** len(digits))
    aware = moment.replace(tzinfo=_zone(parts["zone"]) or zone)
    return (aware - _EPOCH) // datetime.timedelta(milliseconds=1)


def _date(parts: dict[str, str | None]) -> datetime.date:
    if parts["year"] is None:
        return datetime.date(1970, 1, 1)
    year = int(parts["year"])
    if parts["week"] is not None:
        return datetime.date.fromisocalendar(year, int(parts["week"]), int(parts["weekday"] or 1))
    if parts["ordinal"] is not None:
        day = datetime.date(year, 1, 1) + datetime.timedelta(days=int(parts["ordinal"]) - 1)
        if day.year != year:
            raise ValueError(f"day {parts['ordinal']} is not in the year {year}")
        return day
    return datetime.date(year, int(parts["month"] or 1), int(parts["day"] or 1))


def _zone(text: str | None) -> datetime.tzinfo | None:
    if text is None:
        return None
    if text in "Zz":
        return datetime.timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return datetime.timezone(-offset if text[0] == "-" else offset)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
