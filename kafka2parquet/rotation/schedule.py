"""Moments of a schedule that is aligned in a time zone."""

from __future__ import annotations

import datetime


def next_boundary(now: datetime.datetime, period: datetime.timedelta, zone: datetime.tzinfo) -> datetime.datetime:
    """The next moment, UTC, that lies a whole number of periods after the local midnight before `now`.

    Periods are counted in elapsed time since local midnight and begin anew at each midnight, as in Kafka Connect's storage
    sinks: a period that doesn't divide the day is cut short, one of more than a day is a day. `now` on a boundary belongs to
    the period that begins there.

    Args:
        now: any moment that has a time zone.
        period: positive.
        zone: where midnight is.
    """
    local_day = now.astimezone(zone).date()
    day = _midnight(local_day, zone)
    following = _midnight(local_day + datetime.timedelta(days=1), zone)
    if period >= following - day:
        return following
    return min(day + ((now - day) // period + 1) * period, following)


def _midnight(day: datetime.date, zone: datetime.tzinfo) -> datetime.datetime:
    """The first moment of a local day, UTC; where a clock change skips midnight, the moment after the gap."""
    return datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.timezone.utc)
