"""Values of cases as the rows that converters make of them."""

from __future__ import annotations

from typing import Any

from kafka2parquet.connect.parts.converters import make_converter
from kafka2parquet.records import ConsumedBatch, Reject, TopicPartition
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.schema.learned import LearnedSchema
from tests.acceptance.cases import CaseFolder
from tests.acceptance.java_errors import java_class_of_reject
from tests.acceptance.messages import Message, with_converters
from tests.acceptance.outcome import CaseError, NotApplicableError
from tests.acceptance.scripted_consumer import batch_of
from tests.acceptance.values import envelope

_PARTITION = TopicPartition("test-topic", 12)


def message_batch(values: list[bytes | None], timestamp_ms: int | None = None) -> ConsumedBatch:
    """Makes messages with these values."""
    messages = [Message(offset, timestamp_ms, None, value, None) for offset, value in enumerate(values)]
    return batch_of(_PARTITION, messages, 0, len(values))


def convert(batch: ConsumedBatch, folder: CaseFolder, changes: dict[str, str]) -> Converted:
    """Converts a batch with the converter that the configuration names."""
    config = folder.config(with_converters(folder.texts(changes)))
    return make_converter(config, lambda topic: LearnedSchema()).convert(batch)


def rows_of_value(value: Any, schema_name: str | None, folder: CaseFolder, *, timestamp_ms: int | None = None) -> Rows:
    """Converts one value to rows.

    Raises:
        CaseError: it doesn't fit its schema.
        NotApplicableError: it is null.
    """
    if value is None:
        raise NotApplicableError("a record without value becomes no row")
    schema = folder.schema_json(schema_name)
    if schema is None and isinstance(value, list):  # a list is one with or without a schema
        schema = {"type": "array", "items": {"type": "int64"}}
    converted = convert(message_batch([envelope(value, schema)], timestamp_ms), folder, {})
    raise_for(list(converted.rejects))
    return converted.rows


def raise_for(rejects: list[Reject]) -> None:
    """Raises the first reject as the exception that Kafka Connect would have raised."""
    for reject in rejects:
        raise CaseError(java_class_of_reject(reject), reject.reason)
