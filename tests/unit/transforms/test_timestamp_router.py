"""Names of topics with the times of records in them."""

from __future__ import annotations

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.rows import Rows, without_columns
from kafka2parquet.transforms.timestamp_router import TimestampRouter
from tests.support.batches import batch_of
from tests.unit.transforms.kafka_connect.simple_date_format import written_date

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_PATTERNS = (
    "yyyyMMdd",
    "yyyy-MM-dd'T'HH",
    "yyyy/MM/dd/HH",
    "yyyyMMddHHmmssSSS",
    "yy.M.d h a",
    "mm:ss",
    "EEE",
    "MMM",
    "D kk",
    "'day of' EEEE",
    "yyyy",
    "z",
    "",
)
_FORMATS = (
    "${topic}-${timestamp}",
    "${topic}/${timestamp}",
    "${topic}${timestamp}",
    "lake/${timestamp}-${topic}",
    "a-${timestamp}-${timestamp}-${topic}-${topic}",
    "${topic}",
    "all",
    "",
)
_TIMES = st.one_of(
    st.sampled_from([-1, 0, DAY_MS - 1, DAY_MS, 951_782_400_000, 1_798_761_599_999, 1_798_761_600_000]),
    st.integers(0, 40 * DAY_MS),
    st.integers(0, 250_000_000_000_000),
)


def rows_of(times: list[int], topic: str = "orders") -> Rows:
    """Makes a row for each time, whose column is its offset."""
    batch = batch_of([b""] * len(times), 5, times, topic)
    return Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"o": batch.offsets}))


@given(
    times=st.lists(_TIMES, min_size=1, max_size=60),
    topic_format=st.sampled_from(_FORMATS),
    pattern=st.sampled_from(_PATTERNS),
    topic=st.sampled_from(["orders", "a.b-c_d"]),
    is_renamed=st.booleans(),
    are_tombstones=st.booleans(),
)
def test_each_record_gets_the_name_that_a_row_by_row_model_gives_it(
    times: list[int], topic_format: str, pattern: str, topic: str, is_renamed: bool, are_tombstones: bool
) -> None:
    """Names agree with the model: Java inserts the topic and then the time, and throws if a record lacks a timestamp."""
    router = TimestampRouter(topic_format, pattern)
    rows = rows_of(times, "log" if is_renamed else topic)
    rows = Rows(
        rows.batch,
        rows.offsets,
        rows.timestamps_ms,
        without_columns(len(rows)) if are_tombstones else rows.table,
        tombstones=are_tombstones,
        routed_topic=topic if is_renamed else None,
    )
    transformed = router.apply_to_tombstones(rows) if are_tombstones else router.apply(rows)

    expected = {
        offset: topic_format.replace("${topic}", topic).replace("${timestamp}", written_date(time, pattern))
        for offset, time in enumerate(times, 5)
        if time >= 0
    }
    groups = [group for group in transformed.groups if len(group)]
    assert expected == {offset: group.topic for group in groups for offset in group.offsets.to_pylist()}
    assert len(groups) == len(set(expected.values()))
    for group in groups:
        offsets = group.offsets.to_pylist()
        assert sorted(offsets) == offsets
        assert [times[offset - 5] for offset in offsets] == group.timestamps_ms.to_pylist()
        assert are_tombstones or offsets == group.table["o"].to_pylist()
    assert [offset for offset, time in enumerate(times, 5) if time < 0] == [each.offset for each in transformed.rejects]
    if expected:
        assert all(name.startswith(router.beginning(topic)) for name in expected.values())
    if not router.has_several(topic):
        assert set(expected.values()) <= {router.beginning(topic)}


@pytest.mark.parametrize(
    ("topic_format", "pattern", "topic", "timestamp_ms", "expected"),
    [
        ("${topic}-${timestamp}", "yyyyMMdd", "orders", 253_402_300_800_000, "orders-100000101"),
        ("${topic}-${timestamp}", "yyyy/MM/dd/HH", "orders", 86_399_999, "orders-1970/01/01/23"),
        ("${topic}-${timestamp}", "YYYY-'W'ww-u", "orders", 1_798_761_599_999, "orders-2027-W01-4"),
        ("${topic}-${timestamp}", "D kk K F W z Z X", "orders", 951_782_400_000, "orders-60 24 0 5 5 UTC +0000 Z"),
        ("${topic}-${timestamp}", "EEE d MMMM G", "orders", 951_782_400_000, "orders-Tue 29 February AD"),
        ("${topic}-${timestamp}", "''yyyy'$1\\'", "orders", 0, "orders-'1970$1\\"),
        ("${topic}-${timestamp}", "", "orders", 0, "orders-"),
        ("x-${timestamp}-${topic}-${timestamp}", "yyyy", "a.b_c-d", 0, "x-1970-a.b_c-d-1970"),
        ("${topic}/${timestamp}", "yyyy", "x${timestamp}$0", 0, "x1970$0/1970"),
        ("$topic-${ timestamp}", "yyyy", "orders", 0, "$topic-${ timestamp}"),
    ],
)
def test_names_that_kafkas_class_gives(topic_format: str, pattern: str, topic: str, timestamp_ms: int, expected: str) -> None:
    """Names are those that the class of Apache Kafka 4.3.1 made in a Java whose time zone was not UTC."""
    router = TimestampRouter(topic_format, pattern)
    assert expected == router.routed(topic, timestamp_ms)
    assert expected.startswith(router.beginning(topic))


def test_by_default_the_day_follows_the_topic() -> None:
    """By default the day follows the topic, as in Kafka Connect."""
    router = TimestampRouter.from_config({})
    assert ("orders-20260131", "orders-") == (router.routed("orders", 1_769_866_620_000), router.beginning("orders"))


def test_a_record_without_a_timestamp_is_a_reject() -> None:
    """A record without a timestamp is rejected with a reason, and the others continue."""
    transformed = TimestampRouter().apply(rows_of([-1, 0]))
    (reject,) = transformed.rejects
    assert (5, "transform", "TimestampRouter: the record has no timestamp.") == (
        reject.offset,
        reject.stage.value,
        reject.reason,
    )
    assert [6] == transformed.rows.offsets.to_pylist()
    assert 0 == len(TimestampRouter().apply(rows_of([-1])).rows)
    rows = attrs.evolve(rows_of([0, 0]), timestamps_ms=pa.array([0, None], pa.int64()))
    assert [6] == [each.offset for each in TimestampRouter().apply(rows).rejects]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"timestamp.format": "YYYY-bb"}, "timestamp.format: 'YYYY-bb' is not a pattern of SimpleDateFormat: 'b' is not"),
        ({"timestamp.format": "'"}, "timestamp.format: .* a quote isn't closed"),
        ({"format": "x"}, "format is not a property of TimestampRouter, which has topic.format, timestamp.format"),
    ],
)
def test_problems(properties: dict[str, str], message: str) -> None:
    """The error names the property, and is raised when the configuration is read."""
    with pytest.raises(ConfigurationError, match=message):
        TimestampRouter.from_config(properties)
