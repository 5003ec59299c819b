"""Time zones by their Joda-Time ids, and how folders name them."""

from __future__ import annotations

import datetime

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.path_format import PathFormat
from kafka2parquet.util.time_zones import time_zone

MOMENT = datetime.datetime(2024, 5, 17, 10, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("name", "offset"),
    [("+02", 7200), ("-08:00", -28800), ("+0530", 19800), ("+00:19:32", 1172), ("Asia/Kolkata", 19800), ("EST", -18000)],
)
def test_known_zone(name: str, offset: int) -> None:
    """Names of places and offsets are time zones."""
    assert datetime.timedelta(seconds=offset) == MOMENT.astimezone(time_zone(name)).utcoffset()


@pytest.mark.parametrize(
    "name", ["+2", "+24:00", "+02:60", "PST", "utc", "Z", "GMT+2", "localtime", "Factory", "america/new_york"]
)
def test_unknown_zone(name: str) -> None:
    """Names that Joda doesn't support, or that mean another place on each machine, are refused in Joda's words."""
    with pytest.raises(ConfigurationError) as caught:
        time_zone(name)
    assert f"Invalid value {name} for configuration timezone: The datetime zone id '{name}' is not recognised" == str(
        caught.value
    )


@pytest.mark.parametrize("pattern", ["z", "zzzz", "ZZ", "ZZZ"])
def test_offset_is_its_own_name(pattern: str) -> None:
    """A time zone that is only an offset has no other name, in no language."""
    moment = MOMENT.astimezone(time_zone("+05:30"))
    assert ["+05:30", "+05:30"] == [PathFormat(pattern, locale).format(moment) for locale in ("en", "fr")]


def test_offset_of_nothing_is_utc() -> None:
    """An offset of zero is UTC, as in Joda."""
    assert "UTC UTC" == PathFormat("z ZZZ").format(MOMENT.astimezone(time_zone("+00:00")))
