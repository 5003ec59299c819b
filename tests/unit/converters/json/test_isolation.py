"""Batches with some bad values give each value the same outcome as alone, and take about the same time as good ones."""

from __future__ import annotations

import concurrent.futures
import json
import random
import sys
import time
from typing import Any, Literal

import pyarrow as pa
import pytest

from kafka2parquet.converters.json import learned_schema, parse_batch
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json.suspects import RefusalHistory
from kafka2parquet.util.arrays import invalid_utf8
from tests.support.batches import batch_of, converted

SCHEMA = pa.schema(
    [("id", pa.int64()), ("price", pa.float64()), ("user", pa.struct([("name", pa.string())])), ("tags", pa.list_(pa.string()))]
)
#: Bad values, each of another kind; `%` stands for the number of the value.
BAD = {
    "no JSON": b"not json",
    "unfinished": b'{"id":%,"user":{"name":"x"}',
    "no UTF-8": b'{"id":%,"user":{"name":"\xff"}}',
    "array": b"[%]",
    "empty": b"",
    "white space": b" \n",
    "NUL": b'{"id":%,"user":{"name":"\x00"}}',
    "two objects": b'{"id":%}{"id":%}',
    "two objects apart": b'{"id":%} \n {"id":%}',
    "one brace too many": b'{"id":%}}',
    "text behind": b'{"id":%} x}',
    "comma at the end": b'{"id":%,}',
    "leading zero": b'{"id":0%}',
    "raw newline in text": b'{"id":%,"user":{"name":"\n"}}',
    "half a surrogate pair": b'{"id":%,"user":{"name":"\\ud800"}}',
    "not a number": b'{"id":%,"price":NaN}',
    "too large": b'{"id":%,"price":1e400}',
    "a name twice": b'{"id":%,"id":%}',
    "an unknown name twice": b'{"z":%,"z":%}',
    "text for a number": b'{"id":"%"}',
    "number for an object": b'{"id":%,"user":5}',
    "number in a list of text": b'{"id":%,"tags":["a",%]}',
    "integer beyond 64 bits": b'{"id":9999999999999999999%}',
    "nested too deeply": b'{"id":%,"user":' + b'{"name":' * 300 + b"1" + b"}" * 300 + b"}",
}


def values_with(bad: list[bytes], share: float, count: int = 3000) -> list[bytes]:
    """Makes good values with a share of bad values among them."""
    source = random.Random(7)
    values = []
    for number in range(count):
        good = {"id": number, "price": number / 4, "user": {"name": "é}{"}, "tags": ["a"] * (number % 3)}
        value = source.choice(bad).replace(b"%", b"%d" % (number + 1)) if source.random() < share else None
        values.append(value if value is not None else json.dumps(good, ensure_ascii=False).encode())
    return values


def outcome(converter: JsonConverter, batches: list[list[bytes]]) -> tuple[dict[int, Any], dict[int, str]]:
    """Returns the rows and the reasons of rejects by offset."""
    rows, reasons = converted(converter, *batches)
    assert sorted(reasons) == [*reasons]
    return rows, reasons


def learned() -> JsonConverter:
    """Makes a converter that knows the columns."""
    converter = JsonConverter()
    converter.convert(batch_of([b'{"id":1,"price":0.5,"user":{"name":"x"},"tags":["a"]}']))
    return converter


@pytest.mark.parametrize("share", [0.002, 0.1, 0.6])
@pytest.mark.parametrize("make", [learned, lambda: JsonConverter(SCHEMA)], ids=["learned", "given"])
def test_outcome_of_a_value_does_not_depend_on_its_neighbours(make: Any, share: float) -> None:
    """Rows and reasons of rejects are the same alone and among any share of all kinds of bad values."""
    values = values_with([*BAD.values()], share, 1500)
    assert outcome(make(), [[value] for value in values]) == outcome(make(), [values[:700], values[700:]])


@pytest.mark.parametrize("kind", BAD)
def test_good_values_are_parsed_about_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one bad value in fifty, the parser reads few more values than without bad ones."""
    seen = 0
    read = parse_batch.Objects._read

    def counted(self: parse_batch.Objects, stream: pa.Buffer, *arguments: Any) -> pa.Table:
        nonlocal seen
        try:
            table = read(self, stream, *arguments)
        except pa.ArrowInvalid as error:
            row = str(error).rpartition(" in row ")[2]
            seen += int(row) + 1 if row.isdigit() else 1 if "unexpected" in str(error) else len(self)
            raise
        seen += len(self)
        return table

    monkeypatch.setattr(parse_batch.Objects, "_read", counted)
    values = values_with([BAD[kind]], 0.02, 10_000)
    converter = learned()
    converter.convert(batch_of(values[:5000]))
    seen = 0
    converted = converter.convert(batch_of(values[5000:], 5000))
    assert (
        0 < len(converted.rejects) == sum(value.replace(b"\n", b"").startswith(b'{"id": ') is False for value in values[5000:])
    )
    assert seen < 3 * 5000


def test_what_is_rescued_stays_in_its_row() -> None:
    """A rescued part stays in the row of its record, among records that fit."""
    values = values_with([BAD["text for a number"], BAD["number for an object"]], 0.1)
    converter = JsonConverter(on_misfit="rescue")
    converter.convert(batch_of([b'{"id":1,"price":0.5,"user":{"name":"x"},"tags":["a"]}']))
    rows, reasons = outcome(converter, [values])

    assert {} == reasons
    for number, value in enumerate(values):
        document = json.loads(value)
        expected = document["id"] if isinstance(document["id"], int) else None
        assert expected == rows[number]["id"]
        assert (rows[number]["_rescued"] is None) is (expected is not None and not isinstance(document.get("user"), int))


def test_a_column_that_appears_among_bad_values_counts_for_those_behind_it() -> None:
    """A new column rejects conflicting values after it, and a conflicting value before it decides its type."""
    values = [b'{"id":%d}' % number for number in range(1200)]
    values[100] = values[700] = b'{"id":"x"}'
    values[500], values[900] = b'{"id":500,"new":"text"}', b'{"id":900,"new":1}'
    _, reasons = outcome(JsonConverter(), [[b'{"id":1}'], values])

    assert [101, 701, 901] == [*reasons]
    assert "field new: an integer where string is expected" == reasons[901]


def test_an_integer_that_only_a_column_of_integers_holds_counts_for_those_behind_it() -> None:
    """A fraction after such an integer is rejected, and a fraction before it makes the column double."""
    wide, bad = b'{"id":9007199254740993}', b'{"id":"x"}'
    good = [b'{"id":%d}' % number for number in range(600)]
    behind, _ = outcome(JsonConverter(), [[*good, wide, *good, bad, *good, b'{"id":1.5}']])
    _, before = outcome(JsonConverter(), [[*good, b'{"id":1.5}', *good, bad, *good, wide]])

    assert 1801 == len(behind)
    assert [1201, 1802] == [*before]
    assert "field id: an integer that a double doesn't hold exactly" == before[1802]


def test_indices_of_invalid_utf8() -> None:
    """The values that are not UTF-8 are found, in slices too."""
    values = pa.array([b"a", b"\xff", b"", "é".encode(), b"\xc3", b"\xed\xa0\x80", b"z"], pa.binary())
    assert [1, 4, 5] == invalid_utf8(values).tolist()
    assert [0, 3, 4] == invalid_utf8(values.slice(1)).tolist()
    assert [] == invalid_utf8(values.slice(6)).tolist()
    assert [] == invalid_utf8(values.slice(7)).tolist()


@pytest.mark.parametrize("on_misfit", ["reject", "rescue"])
def test_values_that_are_judged_before_a_new_member_comes_stay_behind_it(on_misfit: Literal["reject", "rescue"]) -> None:
    """Values that are judged early as suspects keep their place after the value that adds a column."""
    values = [b'{"id":%d,"user":{"name":"x"}}' % number for number in range(6000)]
    for number in range(20, 6000, 20):
        values[number] = b'{"id":%d,"user":%d,"b":1}' % (number, number)
    values[0] = b'{"id":0,"b":1}'
    values[5015] = b'{"id":5015,"B":{"new":1}}' if on_misfit == "reject" else b'{"id":5015,"new":1}'
    values[5016] = b'{"id":5016,"other":1}'
    converted = JsonConverter(on_misfit=on_misfit).convert(batch_of(values))
    rejected = [reject.offset for reject in converted.rejects]
    rows = converted.groups[0]
    assert rows.offsets.to_pylist() == rows.table["id"].to_pylist()
    assert [*range(6000)] == sorted([*rows.offsets.to_pylist(), *rejected])


@pytest.mark.parametrize("members", [1, 20_000])
@pytest.mark.parametrize("on_misfit", ["reject", "rescue"])
def test_very_many_members_that_are_not_in_a_schema(members: int, on_misfit: Literal["reject", "rescue"]) -> None:
    """Many members outside the schema, in one record or spread over many, don't take long."""
    values = [b'{"id":%d}' % number for number in range(4000)]
    if members > 1:
        values[1000] = json.dumps({"id": 1000, **{f"k{number}": number for number in range(members)}}).encode()
    else:
        values[:1000] = [b'{"id":%d,"k%d":1}' % (number, number) for number in range(1000)]
    started = time.process_time()
    converted = JsonConverter(pa.schema([("id", pa.int64())]), on_misfit=on_misfit).convert(batch_of(values))
    assert time.process_time() - started < 5
    rejects = 0 if on_misfit == "rescue" else 1 if members > 1 else 1000
    assert rejects == len(converted.rejects)
    assert 4000 - rejects == len(converted.rows)


def test_numbers_are_looked_at_once_for_all_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of all stretches are checked together, however many bad values there are."""
    looks = 0

    def counted(*arguments: Any) -> None:
        nonlocal looks
        looks += 1
        parse_batch.check_numbers(*arguments)

    monkeypatch.setattr(learned_schema, "check_numbers", counted)
    values = values_with([BAD["text for a number"], BAD["comma at the end"]], 0.02, 10_000)
    converter = learned()
    converter.convert(batch_of(values[:5000]))
    looks = 0
    made = converter.convert(batch_of(values[5000:], 5000))
    assert len(made.rejects) > 50
    assert 1 == looks


def test_history_is_shared_by_threads() -> None:
    """A history may be changed and read by several threads at once."""
    history, interval = RefusalHistory(), sys.getswitchinterval()

    def work(numbers: random.Random) -> None:
        for _ in range(1500):
            patterns = [f"pattern {numbers.randrange(60)}" for _ in range(5)]
            history.add(dict.fromkeys(patterns, 3), 5, 30_000)
            history.frequent()

    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert [None] * 4 == list(pool.map(work, map(random.Random, range(4))))
    finally:
        sys.setswitchinterval(interval)
