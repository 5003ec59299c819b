import datetime
from typing import Any

import pytest

from kafka2parquet.connect.lint import lint, lint_path_format
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.path_format import PathFormat
from kafka2parquet.problems import Problem, ProblemKind
from tests.support.connect_story import STORY

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.mark.parametrize(
    ("pattern", "duration_ms"),
    [
        ("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", HOUR_MS),
        ("'dt'=YYYY-MM-dd", DAY_MS),
        ("yyyy/DDD/hh a", HOUR_MS),
        ("xxxx/ww", DAY_MS),
        ("xxxx-'W'ww", HOUR_MS),
        ("YYYY/MM/dd/HH/mm", 60_000),
        ("yyyy/MM", DAY_MS),
        ("yyyy", HOUR_MS),
        ("yyyyMMdd", DAY_MS),
        ("yyyyMMddHH", HOUR_MS),
        ("'the year of 'yyyy/'day'=DDD", DAY_MS),
        ("'day'=yyyy-MM-dd/'hour'=HH", HOUR_MS),
        ("YYYY/MM/dd/HH/'file-of-'YYYY-MM-dd-HH", HOUR_MS),
        ("YYYY/MM/dd/HH/MM-dd", HOUR_MS),
        ("YYYY-MM/'hour'=HH/'month'=MM/dd", HOUR_MS),
        ("YYYY/MM/dd/HH/mm", 10 * 60_000),
        ("'dt'=yyyy-MM-dd/'time'=HHmm", 15 * 60_000),
        ("YYYY/MM/dd/HH/mm/ss", 30_000),
        ("YYYY/MM/dd/HH", 6 * HOUR_MS),
        ("'address'=YYYY/'COMMENT'MM/'add_date'=dd", DAY_MS),
    ],
)
def test_good_patterns(pattern: str, duration_ms: Any) -> None:
    """A correct pattern has no warnings."""
    assert () == lint_path_format(pattern, duration_ms)


@pytest.mark.parametrize(
    ("pattern", "duration_ms", "sentence"),
    [
        ("YYYY/mm/dd", DAY_MS, "mm is the minute. The month is MM."),
        ("YYYY/MM/dd/hh", HOUR_MS, "hh and KK count only half a day"),
        ("YYYY/MM/DD", DAY_MS, "DD is the day of the year. The day of the month is dd."),
        ("xxxx/MM/dd", DAY_MS, "xxxx is the year of the week"),
        ("'hour'=HH", HOUR_MS, "the pattern has no full date"),
        ("MM/dd", DAY_MS, "the pattern has no year"),
        ("YYYY/dd", DAY_MS, "the pattern has no month"),
        (
            "'day'=dd/'hour'=HH/'minute'=mm",
            60_000,
            "the pattern has no month, so the same day of different months shares a folder.",
        ),
        ("YYYY-mm-dd/HH", HOUR_MS, "mm is the minute. The month is MM."),
        ("YYYY/mm/dd/HH/mm", HOUR_MS, "mm is the minute. The month is MM."),
        ("'year'=YYYY/'month'=mm/'day'=dd", DAY_MS, "mm is the minute. The month is MM."),
        ("'hour'=HH/'day'=dd/YYYY/mm", HOUR_MS, "mm is the minute. The month is MM."),
        ("YYYY/MM/dd/HH-MM", 60_000, "the MM after the hour is the month again. The minute is mm."),
        ("'at_YYYYMMdd'/HH", HOUR_MS, "text in quotes is printed as it is, including letters such as YYYYMMdd."),
        ("YYYY/MM/dd", 2 * DAY_MS, "is longer than a day: folders show the day in which the partition starts."),
        ("YYYY/MM/dd/HH/mm", 7 * 60_000, "is longer than a minute"),
        ("YYYY/MM/dd", HOUR_MS, "partition.duration.ms=3600000 is shorter than a day"),
        ("YYYY/MM/dd/HH", DAY_MS, "partition.duration.ms=86400000 is longer than an hour"),
        ("YYYY/MM/dd/HH/mm", HOUR_MS, "partition.duration.ms=3600000 is longer than a minute"),
        ("YYYY/MM/dd/kk", HOUR_MS, "kk counts hours from 1 to 24"),
        ("YYYY/ww", DAY_MS, "ww is the week of the year xxxx"),
        ("YYYY/MM/dd/HH/mm/SS", 1000, "SS is a fraction of a second. The second is ss."),
        ("YYYY/MM/dd/HH/MM", 60_000, "the MM after the hour is the month again. The minute is mm."),
        ("'year=YYYY'/MM/dd", DAY_MS, "text in quotes is printed as it is, including letters such as YYYY."),
        ("${YYYY}/${MM}/${dd}", DAY_MS, "{ and } are printed as they are; letters outside quotes need nothing around them."),
        ("yyyy/MM/day=dd", DAY_MS, "day before the = is not in quotes, so its letters print the time. Write 'day'=."),
        ("'all'", DAY_MS, "the pattern prints no time, so all rows share a folder."),
        ("yyyy/MM", 30 * DAY_MS, "makes equal steps from 1970 on, which don't begin when months begin"),
        ("xxxx/ww", 7 * DAY_MS, "makes equal steps from 1970 on, which don't begin when weeks begin"),
        ("yyyy", 365 * DAY_MS, "86400000 (a day) puts each row into its own year."),
        ("YYYY/MM/dd/HH/mm", 7 * HOUR_MS, "is longer than a minute"),
        ("YYYY/MM/dd/HH", 90 * 60_000, "is longer than an hour: folders show the hour in which the partition starts."),
    ],
)
def test_classic_mistakes(pattern: str, duration_ms: Any, sentence: str) -> None:
    """Each classic mistake has a warning, which names the intended letter."""
    found = lint_path_format(pattern, duration_ms)
    assert any(sentence in str(each) for each in found)
    assert {("path.format", ProblemKind.WARNING)} == {(each.properties[0], each.kind) for each in found}


def test_comparisons_of_lengths_are_about_pattern_and_duration() -> None:
    """A warning that compares folders with partitions names both properties; other warnings name the pattern only."""
    (compared,), (alone,) = lint_path_format("YYYY/MM/dd", HOUR_MS), lint_path_format("YYYY/mm/dd", HOUR_MS)
    assert (("path.format", "partition.duration.ms"), ("path.format",)) == (compared.properties, alone.properties)


def test_weeks_of_seven_days_begin_on_thursday() -> None:
    """Steps are counted from 1970-01-01, so a Monday is put in the week before."""
    monday_ms = 1_779_062_400_000  # 2026-05-18 00:00 UTC, a Monday, of week 21
    step_began_ms = monday_ms // (7 * DAY_MS) * 7 * DAY_MS
    folders = [
        PathFormat("xxxx/ww").format(datetime.datetime.fromtimestamp(moment / 1000, datetime.timezone.utc))
        for moment in (monday_ms, step_began_ms)
    ]
    assert ["2026/21", "2026/20"] == folders


@pytest.mark.parametrize("pattern", ["dt=yyyy-MM-dd", "year=YYYY/month=MM"])
def test_text_without_quotes(pattern: str) -> None:
    """Most unquoted words contain a letter without meaning, and are refused with advice."""
    with pytest.raises(ConfigurationError, match=r"Illegal pattern component: .*\. Put text in single quotes"):
        PathFormat(pattern)


@pytest.mark.parametrize(
    "pattern", ["'day'=dd/'hour'=HH/'minute'=mm", "dd/HHmm", "dd/HH:mm:ss", "YYYY/dd/'min'=mm", "YYYY/mm:ss"]
)
def test_minutes_are_not_taken_for_months(pattern: str) -> None:
    """Adjacent letters show that the pattern means minutes."""
    assert not any("mm is the minute" in str(found) for found in lint_path_format(pattern, 60_000))


def _linted(**changes: str) -> tuple[Problem, ...]:
    given = {**read_properties(STORY).values, **{name.replace("_", "."): text for name, text in changes.items()}}
    return lint(load_connect_config(given))


def test_the_story_is_good() -> None:
    """A correct configuration has no warnings."""
    assert () == _linted()


_DEFAULT = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
_FIELD_AND_TIME = "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner"
_HOURLY = "io.confluent.connect.storage.partitioner.HourlyPartitioner"


@pytest.mark.parametrize(
    ("changes", "sentence", "properties"),
    [
        ({"partitioner_class": _DEFAULT}, "path.format has no effect with DefaultPartitioner.", "path.format"),
        (
            {"partitioner_class": _HOURLY},
            "partition.duration.ms has no effect with HourlyPartitioner.",
            "partition.duration.ms",
        ),
        (
            {"partitioner_class": _DEFAULT, "timestamp_extractor": "Record"},
            "timestamp.extractor has no effect with Default",
            "timestamp.extractor",
        ),
        (
            {"partition_field_name": "country"},
            "partition.field.name has no effect with TimeBasedPartitioner.",
            "partition.field.name",
        ),
        (
            {"timestamp_field": "at"},
            "timestamp.field has no effect: timestamp.extractor is not RecordField.",
            "timestamp.field",
        ),
        ({"rotate_interval_ms": "3600"}, "rotate.interval.ms=3600 is 3.6 seconds; an hour is 3600000.", "rotate.interval.ms"),
        (
            {"partition_duration_ms": "60"},
            "partition.duration.ms=60 is 0.06 seconds; an hour is 3600000.",
            "partition.duration.ms",
        ),
        ({"rotate_schedule_interval_ms": str(2 * DAY_MS)}, "files close at midnight anyway.", "rotate.schedule.interval.ms"),
        (
            {"rotate_schedule_interval_ms": str(7 * HOUR_MS)},
            "the last interval of each day is shorter.",
            "rotate.schedule.interval.ms",
        ),
        (
            {"rotate_interval_ms": "-1", "rotate_schedule_interval_ms": "-1"},
            "Nothing closes a file after some time: the last rows of a quiet partition are only written once it has"
            " flush.size=100000 rows. Set rotate.schedule.interval.ms.",
            "flush.size rotate.schedule.interval.ms",
        ),
        (
            {"partitioner_class": _DEFAULT, "rotate_schedule_interval_ms": "-1"},
            "Nothing closes a file after some time: ",
            "flush.size rotate.schedule.interval.ms",
        ),
        ({"flush_size": "10"}, "flush.size=10 makes many small files.", "flush.size"),
        (
            {"partitioner_max_open_files": "1"},
            "partitioner.max.open.files=1 or less closes files whenever",
            "partitioner.max.open.files",
        ),
        (
            {"kafka2parquet_column_name_case": "keep"},
            "Spark refuses such files (COLUMN_ALREADY_EXISTS",
            "kafka2parquet.column.name.case",
        ),
        ({"path_format": "YYYY/mm/dd"}, "mm is the minute. The month is MM.", "path.format"),
        ({"partition_field": "country"}, "partition.field has no effect with TimeBasedPartitioner.", "partition.field"),
        (
            {"partition_field_format_path": "false"},
            "partition.field.format.path has no effect with TimeBasedPartitioner.",
            "partition.field.format.path",
        ),
        (
            {"partitioner_class": _FIELD_AND_TIME, "partition_field_name": "country", "partition_field": "kind"},
            "partition.field has no effect: partition.field.name is set.",
            "partition.field",
        ),
    ],
)
def test_settings_that_are_not_meant_so(changes: dict[str, str], sentence: str, properties: str) -> None:
    """Each such setting has a warning, which names the properties that it is about."""
    assert tuple(properties.split()) in [found.properties for found in _linted(**changes) if sentence in str(found)]
