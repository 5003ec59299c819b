import pyarrow as pa

from kafka2parquet.converters.json import JsonConverter
from kafka2parquet.converters.per_topic import PerTopicConverter
from kafka2parquet.records import ConsumedBatch, TopicPartition


def _batch(topic: str, value: bytes) -> ConsumedBatch:
    none = pa.nulls(1, pa.binary_view())
    return ConsumedBatch(
        TopicPartition(topic, 0),
        pa.array([0], pa.int64()),
        pa.array([0], pa.int64()),
        pa.array([0], pa.int8()),
        none,
        pa.array([value], pa.binary_view()),
        none,
        first_offset=0,
        next_offset=1,
    )


def test_topics_have_schemas_of_their_own():
    """A field may be a number in one topic and a text in another, and neither has the other's columns."""
    converter = PerTopicConverter(lambda topic: JsonConverter())
    tables = [
        converter.convert(_batch(topic, value)).rows.table
        for topic, value in (("a", b'{"x": 1, "y": 2}'), ("b", b'{"x": "one"}'), ("a", b'{"x": 3}'))
    ]
    assert [["x", "y"], ["x"], ["x", "y"]] == [table.column_names for table in tables]


def test_fingerprint_is_that_of_the_converters():
    """The settings of all of them are the same."""
    assert JsonConverter().fingerprint == PerTopicConverter(lambda topic: JsonConverter()).fingerprint
