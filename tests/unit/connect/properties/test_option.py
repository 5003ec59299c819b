from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.properties.option import Option, ValueType, at_least, between, one_of, parse_value
from kafka2parquet.connect.properties.table import GCS_TABLE, S3_TABLE, table_for
from kafka2parquet.connect.reference import reference_markdown


@pytest.mark.parametrize(
    ("value_type", "text", "value"),
    [
        (ValueType.INT, "+5", 5),
        (ValueType.INT, "-2147483648", -(1 << 31)),
        (ValueType.LONG, "9223372036854775807", (1 << 63) - 1),
        (ValueType.BOOLEAN, "TRUE", True),
        (ValueType.BOOLEAN, "false", False),
        (ValueType.LIST, "a , b,c", ("a", "b", "c")),
        (ValueType.LIST, "", ()),
        (ValueType.STRING, "", ""),
    ],
)
def test_values_as_kafka_reads_them(value_type: Any, text: str, value: Any) -> None:
    """Texts become values by the rules of ConfigDef."""
    assert value == parse_value(value_type, text)


@pytest.mark.parametrize(
    ("value_type", "text", "rule"),
    [
        (ValueType.INT, "2147483648", "Not a number of type INT"),
        (ValueType.SHORT, "32768", "Not a number of type SHORT"),
        (ValueType.LONG, "1_000", "Not a number of type LONG"),
        (ValueType.INT, "1.5", "Not a number of type INT"),
        (ValueType.INT, "", "Not a number of type INT"),
        (ValueType.BOOLEAN, "yes", "Expected value to be either true or false"),
    ],
)
def test_texts_that_are_not_a_value(value_type: Any, text: str, rule: str) -> None:
    """Texts that ConfigDef refuses are refused with its words."""
    with pytest.raises(ValueError) as caught:
        parse_value(value_type, text)
    assert rule == str(caught.value)


def test_message_names_property_value_and_rule() -> None:
    """A broken rule has Kafka's wording."""
    option = Option("x.y", ValueType.INT, 1, "", validator=between(1, 3))
    with pytest.raises(ValueError) as caught:
        option.parse("x.y", "4")
    assert "Invalid value 4 for configuration x.y: Value must be no more than 3" == str(caught.value)


def test_password_is_not_shown() -> None:
    """A message never shows a password."""
    option = Option("secret", ValueType.PASSWORD, None, "", validator=one_of("x"))
    with pytest.raises(ValueError) as caught:
        option.parse("secret", "hunter2")
    assert "Invalid value [hidden] for configuration secret: String must be one of: x" == str(caught.value)


def test_choices_without_regard_to_case() -> None:
    """Some properties accept their values in any case, and others don't."""
    one_of("ignore", ignore_case=True)("IGNORE")
    with pytest.raises(ValueError):
        one_of("ignore")("IGNORE")


def test_lower_bound() -> None:
    """The lower bound itself is allowed."""
    at_least(0)(0)
    with pytest.raises(ValueError):
        at_least(0)(-1)


@pytest.mark.parametrize("table", [S3_TABLE, GCS_TABLE])
def test_defaults_pass_their_own_validators(table: Any) -> None:
    """Each default passes the validator of its property."""
    for option in table.options.values():
        if option.validator is not None and option.default is not None:
            option.validator(option.default)


@pytest.mark.parametrize("table", [S3_TABLE, GCS_TABLE])
def test_every_property_is_documented(table: Any) -> None:
    """Each property has a sentence, and a reason where it has no effect or isn't supported."""
    for option in table.options.values():
        assert option.doc.endswith("."), option.name
        assert option.note or option.effect.value == "used", option.name
        assert not option.note.endswith("."), option.name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("flush.sizes", "flush.size"),
        ("flush_size", "flush.size"),
        ("Topics.Dir", "topics.dir"),
        ("time.zone", "timezone"),
        ("rotate.interval", "rotate.interval.ms"),
        ("schema.compatability", "schema.compatibility"),
        ("my.own.setting", None),
        ("partitioner.custom.field", None),
    ],
)
def test_near_misses(written: str, meant: str | None) -> None:
    """A misspelled name is recognised, but a user's own name isn't mistaken for one."""
    assert meant == S3_TABLE.near_miss(written)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("io.confluent.connect.s3.S3SinkConnector", S3_TABLE),
        ("S3SinkConnector", S3_TABLE),
        ("S3Sink", S3_TABLE),
        ("io.confluent.connect.gcs.GcsSinkConnector", GCS_TABLE),
        ("io.aiven.kafka.connect.s3.S3SinkConnector", None),
    ],
)
def test_connector_classes_and_aliases(name: str, table: Any) -> None:
    """Connectors are known by class and by Connect's aliases; other connectors aren't recognised."""
    assert table is table_for(name)


def test_longest_prefix_wins() -> None:
    """A property is found by its name, or else by its prefix."""
    by_prefix, by_name = S3_TABLE.find("s3.credentials.provider.my.own"), S3_TABLE.find("s3.credentials.provider.class")
    assert by_prefix is not None
    assert by_name is not None
    assert ("s3.credentials.provider.*", "s3.credentials.provider.class") == (by_prefix.name, by_name.name)
    assert S3_TABLE.find("nobody.knows") is None


def test_reference_lists_every_property() -> None:
    """The page of the documentation names each property of both sinks."""
    page = reference_markdown()
    assert [] == [name for table in (S3_TABLE, GCS_TABLE) for name in table.options if f"| `{name}` |" not in page]


def test_page_of_the_documentation_is_up_to_date() -> None:
    """`docs/settings.md` agrees with the table of options; `reference_markdown()` writes the page."""
    page = Path(__file__).parents[4] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference_markdown()
