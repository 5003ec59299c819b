"""Looks up time zones by the names in Kafka Connect's configurations."""

from __future__ import annotations

import datetime
import functools
import re
import zoneinfo
from typing import Annotated

from kafka2parquet.errors import ConfigurationError

_OFFSET = re.compile(r"([+-])([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d))?)?", re.ASCII)
#: Names in the tz database that are not places.
_NO_PLACE = frozenset({"Factory", "localtime"})


def time_zone(name: str) -> datetime.tzinfo:
    """Return the time zone of a Joda-Time id: a name in the tz database in its exact case, `UTC`, or an offset like `+02:00`.

    Raises:
        ConfigurationError: the time zone doesn't exist.
    """
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        delta = datetime.timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0), seconds=int(offset[4] or 0))
        return datetime.timezone(-delta if offset[1] == "-" else delta)
    if name == "UTC":
        return datetime.timezone.utc
    if name in _names():
        return zoneinfo.ZoneInfo(name)
    raise ConfigurationError(
        f"Invalid value {name} for configuration timezone: The datetime zone id '{name}' is not recognised"
    )


class _IsTimeZone:
    """The text must name a time zone."""

    shows_value = True

    def unmet(self, value: str) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""
        try:
            time_zone(value)
        except ConfigurationError:
            return "a time zone such as 'UTC', 'Europe/Paris' or '+02:00'"
        return None


TimeZoneName = Annotated[str, _IsTimeZone()]
"""The name of a time zone, for `kafka2parquet.util.arguments.checked`."""


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _NO_PLACE
