"""PathFormat: Joda-Time patterns. tests/acceptance/cases/path_format.json has the output of Kafka Connect."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.path_format import PathFormat, is_joda, normalize, tokens

MOMENT = datetime.datetime(2026, 1, 4, 15, 5, 9, 45_000, tzinfo=datetime.timezone.utc)  # a Sunday


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("'year'=YYYY/'month'=MM", "year=2026/month=01"),
        ("Y-M-d H:m:s.S", "2026-1-4 15:5:9.0"),
        ("HH:mm:ss.SSS", "15:05:09.045"),
        ("h a|K|k", "3 PM|3|15"),
        ("xxxx-ww-e", "2026-01-7"),
        ("DDD", "004"),
        ("MMM MMMM", "Jan January"),
        ("E EEEE", "Sun Sunday"),
        ("''YY''", "'26'"),
        ("Z ZZ ZZZ", "+0000 +00:00 UTC"),
    ],
)
def test_a_time_is_formatted(pattern: str, text: str) -> None:
    """Letters print fields, quoted text prints as it is, and the number of letters decides width and length."""
    assert text == PathFormat(pattern).format(MOMENT)


@pytest.mark.parametrize("weekday", range(7))
def test_each_day_of_the_week_has_its_name(weekday: int) -> None:
    """The English names agree with Python's in the C locale."""
    moment = MOMENT + datetime.timedelta(days=weekday)
    assert moment.strftime("%A %a") == PathFormat("EEEE E").format(moment)


@pytest.mark.parametrize("month", range(1, 13))
def test_each_month_has_its_name(month: int) -> None:
    """The English names agree with Python's in the C locale."""
    moment = MOMENT.replace(month=month)
    assert moment.strftime("%B %b") == PathFormat("MMMM MMM").format(moment)


def test_a_place_has_an_id_and_an_offset() -> None:
    """Three letters Z print the id of the time zone, and fewer print its offset."""
    moment = MOMENT.astimezone(zoneinfo.ZoneInfo("Asia/Kathmandu"))
    assert "+0545 +05:45 Asia/Kathmandu" == PathFormat("Z ZZ ZZZ").format(moment)


def test_an_unknown_language_has_short_english_names() -> None:
    """A locale with a country is an unknown language, as in Java, and prints short English names."""
    assert "Jan Sun" == PathFormat("MMMM EEEE", "en-US").format(MOMENT)


def test_an_unknown_letter_is_refused() -> None:
    """The error shows the letters, and says that text has to be quoted."""
    with pytest.raises(ConfigurationError, match=r"Illegal pattern component: r\. Put text in single quotes"):
        PathFormat("year=YYYY")


def test_an_unterminated_quote_extends_to_the_end() -> None:
    """As in Joda, text after a single quote without an end is literal."""
    assert "2026 MM" == PathFormat("YYYY' MM").format(MOMENT)
    assert 2 == len(tokens("YYYY' MM"))


@pytest.mark.parametrize(("pattern", "supported"), [("YYYY/MM", True), ("'q'YYYY", True), ("YYYY/q", False)])
def test_supported_letters_are_recognized(pattern: str, supported: bool) -> None:
    """`is_joda` only looks at letters outside of quotes."""
    assert supported == is_joda(pattern)


def test_one_delimiter_at_the_end_is_removed() -> None:
    """`normalize` removes a single delimiter, and refuses a pattern that is then empty."""
    assert "YYYY/" == normalize("YYYY//", "/")
    with pytest.raises(ConfigurationError, match="Path format cannot be empty"):
        normalize("/", "/")
