"""The benchmark's events as Protobuf, in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import json_format, message_factory

from kafka2parquet.converters.protobuf.files import compile_file
from tests.support.registries import registered

PROTO = """
syntax = "proto3";
message Event {
  message User { int64 id = 1; string country = 2; bool is_member = 3; }
  message Product { string sku = 1; double price = 2; int64 quantity = 3; }
  string event_id = 1; string event_type = 2; string occurred_at = 3; User user = 4; Product product = 5;
  repeated string tags = 6; int64 duration_ms = 7; optional string referrer = 8; optional string coupon = 9;
}
"""


def messages(events: Iterable[bytes], schema_id: int) -> Iterator[bytes]:
    """The same events, which are JSON, as messages behind the id of their schema."""
    message_class: Any = message_factory.GetMessageClass(compile_file(registered(PROTO)).message([0]))
    header = b"\0" + schema_id.to_bytes(4, "big") + b"\0"
    for event in events:
        yield header + json_format.Parse(event, message_class()).SerializeToString()
