from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.per_topic import PerTopicConverter
from tests.support.batches import batch_of


def test_topics_have_separate_schemas() -> None:
    """A field may have different types in two topics, and neither topic has the other's columns."""
    converter = PerTopicConverter(lambda topic: JsonConverter())
    tables = [
        converter.convert(batch_of([value], topic=topic)).rows.table
        for topic, value in (("a", b'{"x": 1, "y": 2}'), ("b", b'{"x": "one"}'), ("a", b'{"x": 3}'))
    ]
    assert [["x", "y"], ["x"], ["x", "y"]] == [table.column_names for table in tables]


def test_fingerprint_is_that_of_the_converters() -> None:
    """The fingerprint is that of the topics' converters, which all have the same settings."""
    assert JsonConverter().fingerprint == PerTopicConverter(lambda topic: JsonConverter()).fingerprint
