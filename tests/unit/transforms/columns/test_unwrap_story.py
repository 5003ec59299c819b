"""From a Kafka Connect configuration with change events of Debezium to the files."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import pytest

from kafka2parquet.errors import RejectedRecordError
from tests.support.story_sink import StorySink

_ROW = [
    {"field": "id", "type": "int32", "optional": False},
    {"field": "since", "type": "int32", "optional": True, "name": "org.apache.kafka.connect.data.Date", "version": 1},
]
_STATE = {"type": "struct", "optional": True, "name": "shop.public.users.Value", "fields": _ROW}
_SOURCE = {"type": "struct", "optional": False, "field": "source", "fields": [{"field": "ts_ms", "type": "int64"}]}
#: As Debezium's JSON converter sends it.
_SCHEMA = {
    "type": "struct",
    "optional": False,
    "name": "shop.public.users.Envelope",
    "fields": [
        {**_STATE, "field": "before"},
        {**_STATE, "field": "after"},
        _SOURCE,
        {"field": "op", "type": "string", "optional": False},
    ],
}
_ANN, _BOB = {"id": 1, "since": 20000}, {"id": 2, "since": None}
_STORY: Sequence[Any] = [
    {"before": None, "after": _ANN, "source": {"ts_ms": 10}, "op": "c"},
    {"before": None, "after": _BOB, "source": {"ts_ms": 11}, "op": "c"},
    {"before": _ANN, "after": None, "source": {"ts_ms": 12}, "op": "d"},
    None,
    {"before": None, "after": None, "source": {"ts_ms": 13}, "op": "t"},
    {"before": _BOB, "after": {"id": 2, "since": 20001}, "source": {"ts_ms": 14}, "op": "u"},
]


def _run(values: Sequence[bytes | None], changes: dict[str, str]) -> StorySink:
    """Runs the sink of the story with the transform Unwrap."""
    sink = StorySink("t")
    unwrap = {
        "behavior.on.null.values": "ignore",
        "transforms": "unwrap",
        "transforms.unwrap.type": "kafka2parquet.transforms:Unwrap",
        "transforms.unwrap.add.fields": "op,source.ts_ms",
    }
    sink.run({**unwrap, **changes}, "t", *values)
    return sink


def _texts(*, schema: bool) -> list[bytes | None]:
    return [
        None if event is None else json.dumps({"schema": _SCHEMA, "payload": event} if schema else event).encode()
        for event in _STORY
    ]


def _expected(*, since: Any, deletes: str) -> list[dict[str, Any]]:
    """Returns the rows that the story makes, with days in the form of `since`."""
    rows = [
        ("false", {"id": 1, "since": since(20000)}, "c", 10),
        ("false", {"id": 2, "since": None}, "c", 11),
        ("true", {"id": 1, "since": since(20000)}, "d", 12),
        ("false", {"id": 2, "since": since(20001)}, "u", 14),
    ]
    return [
        {**row, **({"__deleted": deleted} if deletes == "rewrite" else {}), "__op": operation, "__source_ts_ms": time}
        for deleted, row, operation, time in rows
        if deletes == "rewrite" or deleted == "false"
    ]


@pytest.mark.parametrize("deletes", ["tombstone", "rewrite"])
def test_events_without_a_schema(deletes: str) -> None:
    """The offsets of dropped records are committed with the rest."""
    sink = _run(_texts(schema=False), {"transforms.unwrap.delete.tombstone.handling.mode": deletes})
    assert (_expected(since=lambda day: day, deletes=deletes), len(_STORY)) == (sink.rows(), sink.committed("t"))


@pytest.mark.parametrize("deletes", ["tombstone", "rewrite"])
def test_events_that_carry_their_schema(deletes: str) -> None:
    """Columns have the types that the database's rows have, in one file."""
    sink = _run(
        _texts(schema=True),
        {
            "value.converter.schemas.enable": "true",
            "schema.compatibility": "BACKWARD",
            "transforms.unwrap.delete.tombstone.handling.mode": deletes,
        },
    )
    first_day = datetime.date(1970, 1, 1)
    expected = _expected(since=lambda day: first_day + datetime.timedelta(days=day), deletes=deletes)
    assert (expected, len(_STORY), 1) == (sink.rows(), sink.committed("t"), len(sink.files()))


def test_schema_of_the_file() -> None:
    """A required column of the database is required in the file."""
    sink = _run(_texts(schema=True), {"value.converter.schemas.enable": "true"})
    (file,) = sink.files()
    assert [("id", False), ("since", True), ("__op", True), ("__source_ts_ms", True)] == [
        (field.name, field.nullable) for field in sink.storage.table(file).schema
    ]


@pytest.mark.parametrize("kept", [{"drop.tombstones": "false"}, {"delete.tombstone.handling.mode": "tombstone"}])
def test_tombstones_that_are_let_through_end_the_task_unless_they_are_ignored(kept: dict[str, str]) -> None:
    """Tombstones end the task unless they are ignored, whether Debezium or a deletion made them."""
    properties = {f"transforms.unwrap.{name}": value for name, value in kept.items()}
    with pytest.raises(RejectedRecordError, match="Null valued records are not writeable"):
        _run(_texts(schema=False), {"behavior.on.null.values": "fail", **properties})


def test_tombstones_are_left_out_by_default() -> None:
    """Debezium's tombstones are dropped by default, however the sink handles others."""
    sink = _run(_texts(schema=False), {"behavior.on.null.values": "fail"})
    assert (_expected(since=lambda day: day, deletes="drop"), len(_STORY)) == (sink.rows(), sink.committed("t"))


def test_partition_by_a_column_of_the_row() -> None:
    """The partitioner sees the unwrapped row."""
    sink = _run(
        _texts(schema=False),
        {
            "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
            "partition.field.name": "id",
        },
    )
    assert {"id=1", "id=2"} == {key.split("/")[3] for key in sink.files()}
