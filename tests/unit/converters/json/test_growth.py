"""Learned columns respect limits and rules for names, nesting and numbers, and refused records leave no trace."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json.contract import SchemaContract, SchemaVersions
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.schema.column_rules import MAX_LEVELS, ColumnRules
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.lattice import is_exact_field
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.testing import ManualClock, MemoryStorage
from tests.support.batches import batch_of, converted

#: Neighbours on both sides of what a double holds.
ODD = 2**53 + 1


# ---- integers that a double doesn't hold


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(
    ("before", "fraction", "after"),
    [
        ('{"a":%d}', '{"a":1.5}', '{"a":1}'),
        ('{"a":[1,%d]}', '{"a":[1.5]}', '{"a":[2]}'),
        ('{"a":{"b":%d}}', '{"a":{"b":1.5}}', '{"a":{"b":1}}'),
        ('{"a":[{"b":%d}]}', '{"a":[{"b":1.5}]}', '{"a":[{"b":1}]}'),
    ],
)
def test_a_fraction_is_the_misfit_among_integers_that_a_double_does_not_hold(
    before: str, fraction: str, after: str, is_split: bool
) -> None:
    """A fraction is rejected in a column with such integers, at any depth and for any split into batches."""
    learned = LearnedSchema()
    values = [after.encode(), (before % ODD).encode(), fraction.encode(), after.encode()]
    rows, rejects = converted(JsonConverter(learned=learned), *([[value] for value in values] if is_split else [values]))

    assert {0: json.loads(after), 1: json.loads(before % ODD), 3: json.loads(after)} == rows
    assert [2] == list(rejects)
    assert "a fraction where integers are expected that a double doesn't hold" in rejects[2]


def test_integers_that_a_double_holds_become_double_with_a_fraction() -> None:
    """A column of integers that a double holds becomes double when a fraction turns up."""
    rows, rejects = converted(JsonConverter(), [b'{"a":9007199254740992}', b'{"a":0.5}', b'{"a":3}'])

    assert ({0: {"a": 2.0**53}, 1: {"a": 0.5}, 2: {"a": 3.0}}, {}) == (rows, rejects)


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("shape", ['{"a":%s}', '{"a" : [0.5, %s ]}', '{"a":{"b c":%s}}', '{"a":[{"\\u0062":%s,"s":"x"}]}'])
def test_an_integer_that_a_double_does_not_hold_is_the_misfit_among_fractions(shape: str, is_split: bool) -> None:
    """Only integers that a double would round are rejected; a double in JavaScript's notation is not."""
    numbers = ("0.5", ODD, 2**53 + 2, -ODD, "1e300", 10**22, 10**23 + 1, 1152921504606847000)
    values = [(shape % number).encode() for number in numbers]
    rows, rejects = converted(JsonConverter(), *([[value] for value in values] if is_split else [values]))

    assert [0, 2, 4, 5, 7] == list(rows)
    assert json.loads(values[2]) == rows[2]
    assert json.loads(shape % float(2**60)) == rows[7]
    assert {"an integer that a double doesn't hold exactly"} == {reason.split(": ")[1] for reason in rejects.values()}


def test_large_numbers_beside_large_integers_of_another_column_are_not_misfits() -> None:
    """Large integers in another column, or in a text, don't make a large double a misfit."""
    values = [b'{"a":1e300,"id":%d,"s":"\\"a\\":%d,"}' % (ODD + 2 * number, ODD) for number in range(20)]
    rows, rejects = converted(JsonConverter(), values, values)

    assert (40, {}) == (len(rows), rejects)
    assert [ODD, ODD + 2] == [rows[0]["id"], rows[1]["id"]]


def test_whole_numbers_with_a_point_or_an_exponent_stay_integers_among_exact_ones() -> None:
    """In a column of exact integers, `1.0` is an integer, and only real fractions are misfits."""
    values = [b'{"a":%d}' % ODD, b'{"a":1.0}', b'{"a":-2e3}', b'{"a":1.5e0}', b'{"a":1e-1}', b'{"a":9007199254740993.00}']
    rows, rejects = converted(JsonConverter(), values)

    assert {0: {"a": ODD}, 1: {"a": 1}, 2: {"a": -2000}, 5: {"a": ODD}} == rows
    assert [3, 4] == list(rejects)


def test_misfitting_numbers_are_rescued_or_make_text() -> None:
    """Numbers that don't fit are rescued or turn their column into text, without losing a digit."""
    values = [b'{"a":%d,"b":0.5}' % ODD, b'{"a":1.50,"b":%d}' % ODD]
    rescued, _ = converted(JsonConverter(on_misfit="rescue"), values)
    texts, _ = converted(JsonConverter(on_misfit="string"), values)

    assert {"a": None, "b": None, "_rescued": f'{{"a":1.50,"b":{ODD}}}'} == rescued[1]
    assert [{"a": str(ODD), "b": "0.5"}, {"a": "1.50", "b": str(ODD)}] == [texts[0], texts[1]]


def test_the_contract_keeps_which_columns_are_exact() -> None:
    """A new member learns from the stored version which columns have exact integers."""
    storage = MemoryStorage()

    def member() -> JsonConverter:
        return JsonConverter(learned=SchemaContract(SchemaVersions(storage), "topic", clock=ManualClock()))

    converted(member(), [b'{"a":1}'], [b'{"a":[%d]}' % ODD, b'{"b":[{"c":%d}]}' % ODD], [b'{"a":%d}' % ODD])
    _, rejects = converted(member(), [b'{"a":0.5}', b'{"b":[{"c":0.5}]}'])

    stored = json.loads(list(storage.objects.values())[-1].content)
    assert [{"name": "a", "type": "int64", "nullable": True, "exact": True}] == stored["fields"][:1]
    assert ["a: int64 has integers that a double doesn't hold, and stays an integer"] == stored["changes"]
    assert [0, 1] == list(rejects)


@pytest.mark.parametrize(("type_", "odd"), [(pa.float64(), ODD), (pa.float32(), 2**24 + 1)])
@pytest.mark.parametrize("wrapped", [False, True])
def test_given_columns_round_no_integer(type_: pa.DataType, odd: int, wrapped: bool) -> None:
    """Given columns round no integer, and turn no number into an infinity."""
    schema = pa.schema([("a", pa.list_(type_) if wrapped else type_)])
    texts = ["1", str(odd), str(odd + 1), "0.5", "1e39", "1e400"]
    values = [(f'{{"a":[{text}]}}' if wrapped else f'{{"a":{text}}}').encode() for text in texts]
    for batches in ([values], [[value] for value in values]):
        rows, rejects = converted(JsonConverter(schema), *batches)
        rescued, _ = converted(JsonConverter(schema, on_misfit="rescue"), *batches)
        lost = {1, 5} if type_ == pa.float64() else {1, 4, 5}
        assert (lost, set(range(6)) - lost) == (set(rejects), set(rows))
        assert lost == {offset for offset, row in rescued.items() if row["_rescued"] is not None}


# ---- names


def test_a_name_that_differs_only_in_case_is_a_misfit() -> None:
    """A name that differs only in case is a misfit, at any depth, and the record leaves no trace."""
    learned = LearnedSchema()
    values = [b'{"id":1,"o":[{"x":1}]}', b'{"ID":2,"new":1}', b'{"o":[{"x":1,"X":1}]}', b'{"n":1,"N":1}', b'{"ID":null}']
    rows, rejects = converted(JsonConverter(learned=learned), values)
    rescued, _ = converted(JsonConverter(on_misfit="rescue"), values)

    assert (["id", "o"], [0, 4]) == (learned.schema.names, list(rows))
    assert "field ID: its name differs from id only in upper and lower case" == rejects[1]
    assert ['{"ID":2}', '{"o[0].X":1}', '{"N":1}', None] == [rescued[offset]["_rescued"] for offset in (1, 2, 3, 4)]


def test_names_that_differ_only_in_case_may_be_one_column_or_two() -> None:
    """With `unite` such names share a column, where two values are a misfit; with `keep` they are two columns."""
    values = [b'{"id":1}', b'{"ID":2}', b'{"Id":null,"id":3}', b'{"ID":4,"id":null}', b'{"ID":5,"id":6}', b'{"o":{"A":1}}']
    values += [b'{"o":{"a":2}}']
    united, rejects = converted(JsonConverter(learned=LearnedSchema(rules=ColumnRules(name_case="unite"))), values)
    kept, _ = converted(JsonConverter(learned=LearnedSchema(rules=ColumnRules(name_case="keep"))), values)

    assert [1, 2, 3, 4] == [united[offset]["id"] for offset in range(4)]
    assert [{"A": 1}, {"A": 2}] == [united[offset]["o"] for offset in (5, 6)]
    assert ({4: "field ID: the record has id, too, which belongs to the same column"}, [5, 6]) == (
        rejects,
        [kept[4]["ID"], kept[4]["id"]],
    )


def test_reserved_names_are_misfits_of_the_record_itself_only() -> None:
    """Members of nested objects may have reserved names."""
    learned = LearnedSchema(rules=ColumnRules(reserved=frozenset(["_kafka_offset"])))
    values = [b'{"_kafka_offset":1}', b'{"a":{"_kafka_offset":2},"_KAFKA_offset":null}', b'{"_Kafka_Offset":1}']
    rows, rejects = converted(JsonConverter(learned=learned), values)

    assert ({1: {"a": {"_kafka_offset": 2}}}, [0, 2]) == (rows, list(rejects))
    assert "a column with its name is added to each row" in rejects[0]


@given(st.lists(st.tuples(st.sampled_from(["a", "a.b", "a[0]", "", "'", "\\", "a']['b"]), st.integers(0, 2)), max_size=6))
def test_no_two_rescued_values_have_one_path(members: list[tuple[str, int]]) -> None:
    """Every rescued value is kept, whatever the names of its members."""
    document: dict[str, Any] = {}
    count = 0
    for name, depth in members:
        value: Any = f"v{count}"
        for _ in range(depth):
            value = {name: value} if count % 2 else [value]
        if document.setdefault(name, value) is value:
            count += 1
    schema = pa.schema([("only", pa.int64())])
    deep = pa.schema([("a", pa.struct([("b", pa.int64())])), ("a.b", pa.int64()), ("", pa.list_(pa.int64()))])
    for given_schema in (schema, deep):
        rows, rejects = converted(JsonConverter(given_schema, on_misfit="rescue"), [json.dumps(document).encode()])
        assert {} == rejects
        assert all(f'"v{number}"' in (rows[0]["_rescued"] or "") for number in range(count))


def test_values_of_one_dotted_path_are_rescued_both() -> None:
    """A member with a dot in its name is quoted, so that its path is unique."""
    values = [b'{"user":{"age":1},"user.age":2}', b'{"user":{"age":"twelve"},"user.age":"thirteen"}']
    rows, _ = converted(JsonConverter(on_misfit="rescue"), values)

    assert {"user.age": "twelve", "['user.age']": "thirteen"} == json.loads(rows[1]["_rescued"])


# ---- nesting


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_what_is_accepted_can_be_read_back_however_deep(opening: str, closing: str) -> None:
    """Deeper records than can be read back are rejected, and the deepest stored schema can be read."""
    deepest = 0
    for depth in range(1, 70):
        learned = LearnedSchema()
        value = f'{{"a":{opening * depth}1{closing * depth}}}'.encode()
        _, rejects = converted(JsonConverter(learned=learned), [value])
        if rejects:
            assert "nested more" in rejects[0]
            assert 0 == len(learned.seen)
            break
        deepest = depth
    value = f'{{"a":{opening * deepest}1{closing * deepest}}}'.encode()
    learned = LearnedSchema()
    table = JsonConverter(learned=learned).convert(batch_of([value])).rows.table
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    assert table.to_pylist() == pq.read_table(pa.BufferReader(buffer.getvalue())).to_pylist()
    stored = SchemaVersion("topic", 1, learned.schema).to_json()
    assert learned.schema == SchemaVersion.from_json(stored, "here", topic="topic", number=1).schema
    assert MAX_LEVELS // 3 - 2 <= deepest


# ---- limits


@pytest.mark.parametrize(
    ("rules", "value", "said"),
    [
        (ColumnRules(max_fields=3), '{"a":{"b":1,"c":1},"d":1}', "field d: with its fields .* more than 3 fields"),
        (
            ColumnRules(max_name_bytes=4),
            '{"a":1,"ééé":1}',
            "its name has 6 bytes, more than the 4 that a column's name may have",
        ),
        (ColumnRules(max_schema_bytes=200), '{"a":{"b":[{"c":{"d":1}}]}}', "more than 200 bytes"),
    ],
)
def test_what_exceeds_a_limit_is_a_misfit_and_leaves_no_trace(rules: ColumnRules, value: str, said: str) -> None:
    """A record beyond a limit is rejected or rescued, and the columns don't change."""
    learned = LearnedSchema(rules=rules)
    _, rejects = converted(JsonConverter(learned=learned), [value.encode(), b'{"z":1}'])
    rescued, _ = converted(JsonConverter(learned=LearnedSchema(rules=rules), on_misfit="rescue"), [value.encode()])

    assert re.search(said, rejects[0])
    assert ["z"] == learned.seen.names
    assert rescued[0]["_rescued"] is not None


def test_a_member_with_an_empty_name_is_a_misfit_inside_of_inner_structs() -> None:
    """DuckDB can't read a column with an inner struct whose only field has an empty name; elsewhere it reads such names."""
    learned = LearnedSchema()
    values = [b'{"a":{"b":{"":1}}}', b'{"a":{"b":[{"":1}]}}', b'{"a":{"":1}}', b'{"":1}']
    rows, rejects = converted(JsonConverter(learned=learned), values)

    assert ([2, 3], [0, 1]) == (list(rows), list(rejects))
    assert "its name is empty" in rejects[0]


def test_columns_beyond_a_limit_that_were_there_before_stay() -> None:
    """Columns known before may exceed the limits and change their types; only new columns are refused."""
    schema = pa.schema([(name, pa.int64()) for name in "abc"])
    learned = LearnedSchema(schema, rules=ColumnRules(max_fields=2, max_schema_bytes=10))
    rows, rejects = converted(JsonConverter(learned=learned), [b'{"a":0.5}', b'{"d":1}', b'{"b":%d}' % ODD])

    assert ([0, 2], [1]) == (list(rows), list(rejects))
    assert (pa.float64(), True) == (learned.schema.field("a").type, is_exact_field(learned.schema.field("b")))


def test_long_names_do_not_make_a_contract_that_can_not_be_read() -> None:
    """Neither long names nor long paths in the list of changes make a contract too large to be read."""
    storage = MemoryStorage()

    def member() -> JsonConverter:
        rules = ColumnRules(max_name_bytes=1 << 20)
        return JsonConverter(learned=SchemaContract(SchemaVersions(storage), "topic", rules=rules, clock=ManualClock()))

    first = member()
    for number in range(20):
        converted(first, [json.dumps({f"{number}{'n' * 900_000}": 1}).encode()])
    deep: Any = {f"{number}{'d' * 100}": 1 for number in range(100)}
    for _ in range(40):
        deep = {"d" * 200: deep}
    converted(first, [json.dumps(deep).encode()])

    assert max(len(stored.content) for stored in storage.objects.values()) < 2 << 20
    assert [0] == list(converted(member(), [b'{"a":1}'])[0])


def test_a_warning_names_the_member_long_before_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A warning that names the member is logged once at each of a few shares of the limit."""
    learned = LearnedSchema(rules=ColumnRules(max_fields=100))
    converter = JsonConverter(learned=learned)
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            converted(converter, [json.dumps({"id": 1, "prices": {f"k{number}": 1}}).encode()])

    assert 1 == len(caplog.records)
    assert "10 fields of at most 100, 9 of them in the member prices" in caplog.text


# ---- laws

NAMES = st.sampled_from(["a", "A", "b", "_rescued", "n" * 20, "é"])
NUMBERS = st.sampled_from(["0", "1.0", "1e3", "0.5", str(ODD), str(2**53 + 2), str(2**63), "1e400", "-0.0"])
TEXTS = st.recursive(
    NUMBERS | st.sampled_from(['"x"', "null", "true", "[]", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(NAMES, inner, max_size=3).map(
            lambda members: "{" + ",".join(f"{json.dumps(name)}:{member}" for name, member in members.items()) + "}"
        )
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, TEXTS, max_size=3).map(
    lambda members: ("{" + ",".join(f"{json.dumps(name)}:{member}" for name, member in members.items()) + "}").encode()
)
RULES = st.builds(
    ColumnRules,
    max_fields=st.integers(1, 6),
    max_name_bytes=st.sampled_from([1, 30]),
    name_case=st.sampled_from(["reject", "keep", "unite"]),
    reserved=st.sampled_from([frozenset(), frozenset(["b"])]),
)
POLICIES = st.sampled_from(["reject", "rescue", "string"])


def plain(value: Any) -> Any:
    """Removes nulls and empty values."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if plain(item) not in (None, {}, [])}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return items if any(item not in (None, {}, []) for item in items) else []
    return value


@given(st.lists(OBJECTS, min_size=1, max_size=10), RULES, POLICIES, st.data())
def test_batches_do_not_decide_the_outcome_of_a_record(
    values: list[bytes], rules: ColumnRules, policy: Any, data: st.DataObject
) -> None:
    """Rows, rejects with their reasons, and the schema are the same, wherever the records are split."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(values)))) | {len(values)})
    parts = [values[start:end] for start, end in zip([0, *cuts], cuts, strict=False) if start < end]
    one, other = LearnedSchema(rules=rules), LearnedSchema(rules=rules)
    rows, rejects = converted(JsonConverter(learned=one, on_misfit=policy), *parts)
    rows_at_once, rejects_at_once = converted(JsonConverter(learned=other, on_misfit=policy), values)

    assert one.seen.equals(other.seen, check_metadata=True)
    assert rejects == rejects_at_once
    if policy != "string":
        assert {offset: plain(row) for offset, row in rows.items()} == {o: plain(row) for o, row in rows_at_once.items()}


@given(st.lists(OBJECTS, min_size=1, max_size=10), RULES, POLICIES)
def test_rejected_records_leave_no_trace(values: list[bytes], rules: ColumnRules, policy: Any) -> None:
    """Without the rejected records, the schema, the rows and the contract are the same."""
    storage = MemoryStorage()
    contract = SchemaContract(SchemaVersions(storage), "topic", rules=rules, clock=ManualClock())
    rows, rejects = converted(JsonConverter(learned=contract, on_misfit=policy), values)
    others = [value for offset, value in enumerate(values) if offset not in rejects]
    alone = LearnedSchema(rules=rules)
    if others:
        rows_alone, rejects_alone = converted(JsonConverter(learned=alone, on_misfit=policy), others)
        assert ({}, list(rows.values())) == (rejects_alone, list(rows_alone.values()))
    assert contract.schema.equals(alone.schema, check_metadata=True)
    again = SchemaContract(SchemaVersions(storage), "topic", rules=rules, clock=ManualClock())
    assert again.schema.equals(contract.schema, check_metadata=True)
