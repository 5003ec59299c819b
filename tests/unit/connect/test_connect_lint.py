import pytest

from kafka2parquet.connect.lint import lint_path_format

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.mark.parametrize(
    ("pattern", "duration_ms"),
    [
        ("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", HOUR_MS),
        ("'dt'=YYYY-MM-dd", DAY_MS),
        ("yyyy/DDD/hh a", HOUR_MS),
        ("xxxx/ww", 7 * DAY_MS),
        ("YYYY/MM/dd/HH/mm", 60_000),
        ("yyyy/MM", 30 * DAY_MS),
    ],
)
def test_good_patterns(pattern, duration_ms):
    """Nothing is said of a pattern that means what it looks like."""
    assert () == lint_path_format(pattern, duration_ms)


@pytest.mark.parametrize(
    ("pattern", "duration_ms", "sentence"),
    [
        ("YYYY/mm/dd", DAY_MS, "mm is the minute; the month is MM."),
        ("YYYY/MM/dd/hh", HOUR_MS, "hh and KK count only half a day"),
        ("YYYY/MM/DD", DAY_MS, "DD is the day of the year; the day of the month is dd."),
        ("xxxx/MM/dd", DAY_MS, "xxxx is the year of the week"),
        ("'hour'=HH", HOUR_MS, "it has no full date"),
        ("MM/dd", DAY_MS, "it has no year"),
        ("YYYY/dd", DAY_MS, "it has no month"),
        ("YYYY/MM/dd", HOUR_MS, "partition.duration.ms=3600000 is shorter than a day"),
        ("YYYY/MM/dd/HH", DAY_MS, "partition.duration.ms=86400000 is longer than a hour"),
    ],
)
def test_classic_mistakes(pattern, duration_ms, sentence):
    """Each classic mistake is told, with the letter that was meant."""
    assert any(sentence in found for found in lint_path_format(pattern, duration_ms))
