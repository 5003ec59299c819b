"""Members agree on the schema of a topic through a contract in the store."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json.contract import SchemaContract, SchemaVersions, check_growth
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.rows import Converted
from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.lattice import SchemaConflict, conform
from kafka2parquet.schema.learned import TooManyFields
from kafka2parquet.testing import ManualClock, MemoryStorage
from tests.support.batches import batch_of
from tests.unit.converters.json.test_converter import MIXED, known

FOLDER = "topics/_kafka2parquet/topic/"


def contract(storage: MemoryStorage, clock: ManualClock | None = None, **arguments: Any) -> SchemaContract:
    """Makes a member's view of the topic's contract."""
    return SchemaContract(SchemaVersions(storage), "topic", clock=clock or ManualClock(), **arguments)


def converter(storage: MemoryStorage, **arguments: Any) -> JsonConverter:
    """Makes the converter of a member."""
    return JsonConverter(learned=contract(storage), **arguments)


def columns(storage: MemoryStorage, number: int) -> dict[str, str]:
    """Reads the columns of a stored version with Python's own parser."""
    stored = json.loads(storage.objects[f"{FOLDER}schema-{number}.json"].content)
    return {field["name"]: field["type"] for field in stored["fields"]}


def put(storage: MemoryStorage, number: int, **types: str) -> None:
    """Stores a version that was written by hand."""
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    assert storage.create(f"{FOLDER}schema-{number}.json", json.dumps({"fields": fields}).encode())


def test_the_first_batch_makes_the_first_version() -> None:
    """The first version has the columns, the time, the author and the record that caused it."""
    storage = MemoryStorage()
    converter(storage).convert(batch_of([b'{"a": 1, "b": null}', b'{"a": 1.5, "c": ["x"]}'], 7))

    stored = json.loads(storage.objects[f"{FOLDER}schema-1.json"].content)
    assert {"a": "double", "c": "list<string>"} == columns(storage, 1)
    assert ("topic", 1, "topic-0, offset 7") == (stored["topic"], stored["version"], stored["because_of"])
    assert ["new: a (double)", "new: c (list<string>)"] == stored["changes"]
    assert (ManualClock().now().isoformat(), True) == (
        stored["created_at"],
        stored["created_by"].startswith("kafka2parquet "),
    )


def test_each_batch_with_something_new_makes_one_version() -> None:
    """A batch makes at most one version, and a batch with nothing new makes no request to the store."""
    storage = MemoryStorage()
    member = converter(storage)
    member.convert(batch_of([f'{{"k{number}": 1}}'.encode() for number in range(100)]))
    storage.fail("create", times=100)
    storage.fail("read", times=100)
    storage.fail("list", times=100)
    member.convert(batch_of([b'{"k1": 2, "later": null}']))

    assert [f"{FOLDER}schema-1.json"] == list(storage.objects)


def test_a_new_member_begins_with_the_newest_version() -> None:
    """A new member reads the newest version, and rejects a record that doesn't fit it."""
    storage = MemoryStorage()
    converter(storage).convert(batch_of([b'{"a": 1}']))
    converter(storage).convert(batch_of([b'{"a": 1, "b": "x"}']))
    converted = converter(storage).convert(batch_of([b'{"a": "x"}', b'{"b": "y"}']))

    assert ({"a": "int64"}, {"a": "int64", "b": "string"}) == (columns(storage, 1), columns(storage, 2))
    assert [{"a": None, "b": "y"}] == converted.rows.table.to_pylist()
    assert ["field a: text where int64 is expected"] == [reject.reason for reject in converted.rejects]


def test_versions_beyond_nine_are_numbers() -> None:
    """Version 10 is newer than version 9."""
    storage = MemoryStorage()
    for number in range(1, 12):
        put(storage, number, **{f"a{index}": "int64" for index in range(number)})

    assert 11 == contract(storage).version


def test_a_lost_race_is_joined() -> None:
    """The member that loses a race adds its missing columns as the next version."""
    storage = MemoryStorage()
    first, second = converter(storage), converter(storage)
    first.convert(batch_of([b"{}"]))
    second.convert(batch_of([b"{}"]))
    first.convert(batch_of([b'{"a": 1}']))
    converted = second.convert(batch_of([b'{"b": 1, "a": 2.5}']))

    assert {"a": "double", "b": "int64"} == columns(storage, 2)
    assert [{"a": 2.5, "b": 1}] == converted.rows.table.to_pylist()


def test_the_contract_decides_which_type_came_first() -> None:
    """The slower member rejects its conflicting record and keeps the rest of its batch."""
    storage = MemoryStorage()
    first, second = converter(storage), converter(storage)
    first.convert(batch_of([b"{}"]))
    second.convert(batch_of([b"{}"]))
    first.convert(batch_of([b'{"a": 1}']))
    converted = second.convert(batch_of([b'{"a": "x"}', b'{"b": true}', b'{"a": 2}']))

    assert {"a": "int64", "b": "boolean"} == columns(storage, 2)
    assert [{"a": None, "b": True}, {"a": 2, "b": None}] == converted.rows.table.to_pylist()
    assert [(0, "field a: text where int64 is expected")] == [(r.offset, r.reason) for r in converted.rejects]


def test_an_object_without_members_does_not_stand_against_the_contract() -> None:
    """An empty object isn't a column yet, so it doesn't conflict with another member's integer column."""
    storage = MemoryStorage()
    first, second = converter(storage), converter(storage)
    first.convert(batch_of([b'{"a": {}}']))
    second.convert(batch_of([b'{"a": 1}']))
    converted = first.convert(batch_of([b'{"b": 1}']))

    assert {"a": "int64", "b": "int64"} == columns(storage, 2)
    assert [{"a": None, "b": 1}] == converted.rows.table.to_pylist()


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_batch_can_be_tried_again_after_the_store_was_down(after_effect: bool) -> None:
    """No rows are returned before their columns are stored, and a lost answer doesn't make a second version."""
    storage = MemoryStorage()
    member = converter(storage)
    storage.fail("create", after_effect=after_effect)
    batch = batch_of([b'{"a": 1}'])
    with pytest.raises(StorageUnavailableError):
        member.convert(batch)

    assert [{"a": 1}] == member.convert(batch).rows.table.to_pylist()
    assert [f"{FOLDER}schema-1.json"] == list(storage.objects)


@pytest.mark.parametrize("operation", ["list", "read"])
def test_nothing_is_converted_before_the_contract_is_known(operation: Any) -> None:
    """A batch waits if the store is down at the first use."""
    storage = MemoryStorage()
    put(storage, 1, a="int64")
    member = converter(storage)
    storage.fail(operation)
    with pytest.raises(StorageUnavailableError):
        member.convert(batch_of([b'{"a": "x"}']))

    assert 1 == len(member.convert(batch_of([b'{"a": "x"}'])).rejects)


def test_newer_versions_are_picked_up_when_it_is_time() -> None:
    """After the interval, a column that an operator has widened accepts records that were rejects before."""
    storage, clock = MemoryStorage(), ManualClock()
    member = JsonConverter(learned=contract(storage, clock, refresh_interval_s=60))
    member.convert(batch_of([b'{"a": 1}']))
    put(storage, 2, a="any", b="string")
    put(storage, 3, a="any", b="string", c="double")
    before = member.convert(batch_of([b'{"a": "x"}']))
    clock.advance(60)
    after = member.convert(batch_of([b'{"a": "x", "c": 1}']))

    assert (1, []) == (len(before.rejects), list(after.rejects))
    assert [{"a": "x", "b": None, "c": 1.0}] == after.rows.table.to_pylist()


def test_what_is_known_holds_while_the_store_can_not_be_asked() -> None:
    """A failed look for newer versions changes nothing and is repeated after the next interval."""
    storage, clock = MemoryStorage(), ManualClock()
    member = contract(storage, clock, refresh_interval_s=60)
    put(storage, 1, a="int64")
    assert 1 == member.version
    put(storage, 2, a="double")
    storage.fail("read")
    clock.advance(60)
    versions = [member.version]
    clock.advance(60)

    assert [1, 2] == [*versions, member.version]


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({"b": "int64"}, r"schema-2\.json doesn't grow from version 1: a is missing"),
        ({"a": "string"}, r"schema-2\.json doesn't grow from version 1: a: int64 can't become string"),
        ({"a": "integer"}, r"schema-2\.json: a: the type 'integer' is unknown"),
        ({"a": "date"}, r"the type 'date' is unknown.*schema file"),
    ],
)
def test_a_version_that_does_not_grow_stops_the_task(types: dict[str, str], said: str) -> None:
    """A version that removes a column is an error that names the object."""
    storage, clock = MemoryStorage(), ManualClock()
    put(storage, 1, a="int64")
    member = contract(storage, clock, refresh_interval_s=60)
    assert 1 == member.version
    put(storage, 2, **types)
    clock.advance(60)

    with pytest.raises(ConfigurationError, match=said):
        member.known()


def test_growth_that_is_refused_changes_nothing() -> None:
    """A refused growth changes neither the known nor the stored columns."""
    storage = MemoryStorage()
    put(storage, 1, a="int64")
    member = contract(storage, rules=ColumnRules(max_fields=2))
    with pytest.raises(SchemaConflict):
        member.grow(pa.schema([("a", pa.string())]))
    with pytest.raises(TooManyFields):
        member.grow(pa.schema([("b", pa.struct([("c", pa.int64())]))]))

    assert (["a"], 1) == (member.schema.names, len(storage.objects))


def test_an_object_that_disappears_is_tried_again() -> None:
    """If the winning version is deleted before it is read, the batch is tried again."""
    storage = MemoryStorage()
    member = contract(storage)
    assert 0 == member.version
    put(storage, 1, a="int64")
    blocked = storage.block("read")
    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(member.grow, pa.schema([("b", pa.int64())]))
        blocked.reached.wait()
        del storage.objects[f"{FOLDER}schema-1.json"]
        blocked.release()
        assert isinstance(growing.exception(), StorageUnavailableError)

    assert ["b"] == member.grow(pa.schema([("b", pa.int64())])).names


def test_tasks_of_a_process_may_share_a_contract() -> None:
    """When many threads grow a contract at once, no column is lost and no version is made twice."""
    storage = MemoryStorage()
    shared = [contract(storage), contract(storage)]
    start = threading.Barrier(8)

    def work(number: int) -> None:
        member = JsonConverter(learned=shared[number % 2])
        start.wait()
        for step in range(20):
            member.convert(batch_of([f'{{"t{number}_{step}": 1, "step{step}": 0.5}}'.encode()]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    newest = SchemaVersions(storage).newest("topic")
    assert newest is not None
    assert {f"t{number}_{step}" for number in range(8) for step in range(20)} | {f"step{step}" for step in range(20)} == set(
        newest.schema.names
    )
    assert list(range(1, newest.number + 1)) == SchemaVersions(storage).numbers("topic")


FAULTS = st.sampled_from([None, None, None, ("create", False), ("create", True), ("read", False), ("list", False)])
STEPS = st.lists(st.tuples(st.integers(0, 2), MIXED, FAULTS), min_size=1, max_size=8)


def convert_again_and_again(member: JsonConverter, values: list[bytes]) -> Converted:
    """Converts a batch repeatedly while the store is down, as the engine does."""
    while True:
        try:
            return member.convert(batch_of(values))
        except StorageUnavailableError:
            continue


@given(STEPS, st.sampled_from(["reject", "rescue", "string"]))
def test_members_agree_whatever_the_interleaving(steps: list[Any], policy: Any) -> None:
    """All members end with the same contract, each version grows, and each row fits a version stored before it."""
    storage, clocks = MemoryStorage(), [ManualClock() for _ in range(3)]
    contracts = [contract(storage, clock) for clock in clocks]
    members = [JsonConverter(learned=each, on_misfit=policy) for each in contracts]
    versions: list[SchemaVersion] = []
    tables = []
    for number, values, fault in steps:
        planned = storage.fail(fault[0], after_effect=fault[1]) if fault is not None else None
        converted = convert_again_and_again(members[number], values)
        if planned is not None:
            planned.release()
        for later in range(len(versions) + 1, len(storage.objects) + 1):
            version = SchemaVersions(storage).read("topic", later)
            assert version is not None
            check_growth(versions[-1] if versions else None, version, f"version {later}")
            versions.append(version)
        table = converted.rows.table.select([name for name in converted.rows.table.column_names if name != "_rescued"])
        if len(table.schema):
            check_growth(SchemaVersion("topic", 1, table.schema), versions[-1], "what is stored")
        assert len(values) == len(converted.rows) + len(converted.rejects)
        if policy == "reject":
            rows = [known(row) for row in converted.rows.table.to_pylist()] or [{}] * len(converted.rows)
            assert [known(json.loads(values[offset])) for offset in converted.rows.offsets.to_pylist()] == rows
        tables.append(table)

    for clock in clocks:
        clock.advance(3600)
    last = versions[-1].schema if versions else pa.schema([])
    assert [True] * 3 == [each.schema.equals(last, check_metadata=True) for each in contracts]
    if policy != "string":
        brought = [conform(table, last) for table in tables if len(table.schema)]
        assert [known(t.to_pylist()) for t in tables if len(t.schema)] == [known(t.to_pylist()) for t in brought]
