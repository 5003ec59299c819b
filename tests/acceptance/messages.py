"""Records of cases as the messages that the configured converters read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.connect.properties.option import simple_name
from tests.acceptance.cases import CaseFolder
from tests.acceptance.outcome import NotApplicableError
from tests.acceptance.values import envelope, payload, plain

JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


@attrs.frozen
class Message:
    """A record as stored in the log."""

    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: bytes | None


def with_converters(config: Mapping[str, str]) -> dict[str, str]:
    """Returns the configuration with converters that read any value of a case, unless it names its own."""
    added = {}
    for side in ("key", "value"):
        if not config.get(f"{side}.converter"):
            added[f"{side}.converter"] = JSON_CONVERTER
            added[f"{side}.converter.schemas.enable"] = "true"
    return {**config, **added}


def message_of(record: Mapping[str, Any], config: Mapping[str, str], folder: CaseFolder) -> Message:
    """Makes a record of a case for a task with that configuration."""
    headers = record.get("headers")
    return Message(
        offset=record["offset"],
        timestamp_ms=record.get("timestamp"),
        key=_encoded(record.get("key"), record.get("key_schema"), config, "key", folder),
        value=_encoded(record.get("value"), record.get("value_schema"), config, "value", folder),
        headers=None if headers is None else header_section(headers),
    )


def _encoded(value: Any, schema_name: str | None, config: Mapping[str, str], side: str, folder: CaseFolder) -> bytes | None:
    if value is None and schema_name is None:
        return None
    converter = simple_name(config[f"{side}.converter"]).removesuffix("Converter")
    schema = folder.schema_json(schema_name)
    if converter == "Json":
        if config.get(f"{side}.converter.schemas.enable", "true").lower() == "true":
            return envelope(value, schema)
        return json.dumps(payload(value, schema), ensure_ascii=False).encode()
    if converter == "String":
        return str(value).encode()
    if converter == "ByteArray":
        known = plain(value)
        return known if isinstance(known, bytes) else str(value).encode()
    raise NotApplicableError(f"the runner writes no messages for {config[f'{side}.converter']}")


def header_section(headers: list[tuple[str, Any]]) -> bytes:
    """Encodes headers as in a record batch: the count, then keys and values with their lengths."""
    section = bytearray(_varint(len(headers)))
    for key, value in headers:
        name, text = key.encode(), header_bytes(value)
        section += _varint(len(name)) + name
        section += _varint(-1) if text is None else _varint(len(text)) + text
    return bytes(section)


def header_bytes(value: Any) -> bytes | None:
    """Encodes a header's value as text, as Kafka Connect's SimpleHeaderConverter does."""
    known = plain(value)
    if known is None or isinstance(known, bytes):
        return known
    return (known if isinstance(known, str) else json.dumps(known, separators=(",", ":"))).encode()


def _varint(number: int) -> bytes:
    """Encodes a zigzag varint of Kafka's record format."""
    rest, encoded = (number << 1) ^ (number >> 63), bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
