"""What Apache Kafka's own classes make of records, and what ours make of them.

The facts were written down by a program that gave records to the classes of `org.apache.kafka:connect-transforms` 4.3.1.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import attrs
import pytest

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition
from kafka2parquet.rows import Rows
from kafka2parquet.transforms import TransformChain
from kafka2parquet.transforms.kafka_connect import make
from tests.support.batches import batch_of
from tests.unit.transforms.kafka_connect.java_values import of_java, of_java_schema, of_schema, rows_of

FACTS: list[dict[str, Any]] = json.loads((pathlib.Path(__file__).parent / "facts.json").read_text())
REFUSED = [fact for fact in FACTS if "refused" in fact]
_TIME_MS = 1_700_000_000_123
TAKEN = [fact for fact in FACTS if "results" in fact]


def _chain(fact: dict[str, Any]) -> TransformChain:
    return TransformChain([make(name, "Value", properties) for name, properties in fact["steps"]])


def _name(fact: dict[str, Any]) -> str:
    return json.dumps([fact["steps"], bool(fact.get("schema"))])


def _converted(fact: dict[str, Any]) -> list[Rows]:
    """Converts the records of a fact.

    Records without a schema are converted singly, so that none decides the type of another's column.
    """
    schema = fact.get("schema")
    if schema is None:
        return [_rows(JsonConverter(), [value], offset) for offset, value in enumerate(fact["values"])]
    envelopes = [f'{{"schema":{json.dumps(schema)},"payload":{value}}}' for value in fact["values"]]
    defaults = fact.get("converter_defaults", True)
    return [_rows(JsonEnvelopeConverter(replace_null_with_default=defaults), envelopes, 0)]


def _rows(converter: RecordConverter, values: list[str], first_offset: int) -> Rows:
    rows = converter.convert(batch_of([value.encode() for value in values], first_offset, [_TIME_MS] * len(values))).rows
    assert len(rows) == len(values)
    return attrs.evolve(rows, batch=attrs.evolve(rows.batch, topic_partition=TopicPartition("topic", 3)))


@pytest.mark.parametrize("fact", REFUSED, ids=_name)
def test_what_kafka_refuses_in_a_configuration_is_refused(fact: dict[str, Any]) -> None:
    """Each property on which Java's class throws is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        _chain(fact)


@pytest.mark.parametrize("fact", TAKEN, ids=_name)
def test_records_become_what_kafka_makes_of_them(fact: dict[str, Any]) -> None:
    """Values and schemas are those of Java. If Java throws, the record is a reject."""
    chain = _chain(fact)
    seen: dict[int, Any] = {}
    for rows in _converted(fact):
        transformed = chain.apply(rows)
        seen |= dict(zip(transformed.rows.offsets.to_pylist(), rows_of(transformed.rows.table), strict=True))
        seen |= {reject.offset: "refused" for reject in transformed.rejects}
        after = transformed.rows.value_schema
        if len(transformed.rows) and after is not None:
            assert of_schema(after) == of_java_schema(fact["schema_after"])
            assert after.arrow_schema.equals(transformed.rows.table.schema)
    assert seen == dict(enumerate(map(_expected, fact["results"])))


def _expected(result: dict[str, Any]) -> Any:
    if "error" in result:
        return "refused"
    value = of_java(result["value"])
    return value if isinstance(value, dict) else {"value": value}
