"""Envelopes whose schema is null, and whose payload is an array, a number, text or a boolean."""

from __future__ import annotations

import pytest

from kafka2parquet import DailyPartitioner, FieldPartitioner, RecordCountRotation
from kafka2parquet.converters import JsonEnvelopeConverter
from kafka2parquet.events import RecordRejected
from kafka2parquet.partitioners import Partitioner, RecordFieldTimestamp
from kafka2parquet.rows import Converted
from kafka2parquet.transforms import HoistField, TransformChain
from tests.support.batches import batch_of
from tests.support.sink_world import SinkWorld

_ARRAY = b'{"schema":null,"payload":[1,2]}'
_NUMBER = b'{"schema":null,"payload":3}'
_OBJECT = b'{"schema":null,"payload":{"kind":"a","at":0}}'


def _convert(*messages: bytes) -> Converted:
    return JsonEnvelopeConverter().convert(batch_of(list(messages)))


def test_such_payloads_are_rows_without_fields() -> None:
    """Such payloads become rows without fields, beside objects, which have fields."""
    converted = _convert(_NUMBER, _OBJECT, b'{"schema":null,"payload":4}')
    assert [(True, [0, 2]), (False, [1])] == [(rows.without_fields, rows.offsets.to_pylist()) for rows in converted.groups]
    assert [3, 4] == converted.groups[0].table["value"].to_pylist()


class _World(SinkWorld):
    def reasons(self) -> dict[int, str]:
        return {event.reject.offset: event.reject.reason for event in self.events if isinstance(event, RecordRejected)}


@pytest.mark.parametrize(
    ("partitioner", "folder", "reason"),
    [
        (
            FieldPartitioner(["value"]),
            "value=__HIVE_DEFAULT_PARTITION__",
            "Error encoding partition. A value without schema that is not an object has no field value",
        ),
        (
            DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("at")),
            "year=1970/month=01/day=01",
            "Error encoding partition. Argument not a Struct or Map. Cannot get field 'at' from a value without schema that is "
            "not an object",
        ),
    ],
)
def test_no_field_of_theirs_names_a_folder(partitioner: Partitioner, folder: str, reason: str) -> None:
    """Such a payload can't name a folder, as in Connect: a number has no field called `value`."""
    world = _World()
    world.append(_ARRAY, _OBJECT)
    converter, rotation = JsonEnvelopeConverter(), RecordCountRotation(1)
    world.run(2, partitioner=partitioner, converter=converter, rotation=rotation, tolerance="skip")
    assert {0: reason} == world.reasons()
    assert [folder] == [key.rpartition("/")[0] for key in world.tables()]


def test_hoisted_they_are_a_field() -> None:
    """After HoistField, the payload is a field, which may name a folder."""
    rows = TransformChain([HoistField("number")]).apply(_convert(_NUMBER).rows).rows
    assert ({"number": [3]}, False) == (rows.table.to_pydict(), rows.without_fields)


def test_a_partition_of_the_log_suits_them() -> None:
    """A partitioner by topic-partition writes them as rows with one column, beside rows of objects."""
    world = _World()
    world.append(_NUMBER, b'{"schema":null,"payload":{"a":1}}', b'{"schema":null,"payload":4}')
    world.append(*[b'{"schema":null,"payload":5}'] * 7)
    world.run(10, converter=JsonEnvelopeConverter())
    assert {} == world.reasons()
    found = [(row.get("value"), row.get("a")) for table in world.tables().values() for row in table.to_pylist()]
    assert sorted(map(str, [(3, None), (None, 1), (4, None), *[(5, None)] * 7])) == sorted(map(str, found))


@pytest.mark.parametrize("polls", [[2], [1, 1]])
def test_the_first_of_a_type_counts(polls: list[int]) -> None:
    """Such payloads and objects with a member `value` share one column, however the records were polled."""
    converter = JsonEnvelopeConverter()
    messages = [_NUMBER, b'{"schema":null,"payload":{"other":1,"value":"a"}}']
    found, start = [], 0
    for size in polls:
        converted = converter.convert(batch_of(messages[start : start + size], first_offset=start))
        found += [(reject.offset, reject.reason) for reject in converted.rejects]
        start += size
    assert [(1, "field value: text where int64 is expected")] == found
