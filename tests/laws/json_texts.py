"""JSON texts: objects of an ordinary producer, with a hostile value or name here and there."""

from __future__ import annotations

import json
from typing import TypeVar

from hypothesis import strategies as st

#: What stands at the edge of something: of integers, floats, decimals, dates, Unicode, and of JSON itself.
EDGES = (
    *("0", "-0", "1", "-1", "1.0", "1.5", "1e3", "0.1", "1E400", "-1e400", "1e-400", "1e999999", "1e1000000"),
    *("1e99999999999999999999", "127", "128", "65536", "2147483647", "2147483648", "-2147483649", "9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "9" * 310, "9" * 4301),
    *("0." + "9" * 50, "3.4e38", "1e39", "00012", "-007", "+1", ".5", "1.", "NaN", "Infinity", "-Infinity"),
    *("86400000", "253402300800000", "-62135596800001", "1767225600000", "9999999999999999"),
    *('""', '"text"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\u202e"', '"é"', '"12"', '"1.5"'),
    *('"2026-05-17T10:00:00Z"', '"2026-05-17T10:00:00.1234567Z"', '"2026-05-17T10:00:00.123456789+02:00"', '"2026-02-30"'),
    *('"99999-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"-292275055-05-16"', '"9999-12-31T23:59:59.999Z"', '"AQ=="'),
    *('"a/../b"', '"a//b"', '"a/"', '"b=c/d=e"', '"."', '".."', '"%2F"', '"null"', '"__HIVE_DEFAULT_PARTITION__"'),
    *("true", "false", "null", "[]", "{}", "[null]", "[[]]", "[{}]", '[1,"x"]', "[1,1.5]", '{"":1}', '{"a.b":1}'),
    *('{"a":{"a":null}}', '{"a":1,"a":2}', '{"a":1,"A":2}', '"' + "y" * 300 + '"'),
    *("[" * 40 + "1" + "]" * 40, "[" * 2000 + "]" * 2000, '{"x":' * 60 + "1" + "}" * 60),
)  # fmt: skip
#: Names of members, as JSON texts. The first ones are what transforms and partitioners of the setups look at.
ORDINARY_NAMES = ('"a"', '"b"', '"c"', '"n"', '"l"', '"ts"')
EDGE_NAMES = (
    *('""', '"a.b"', '"n.x"', '"A"', '"_kafka_offset"', '"_kafka_partition"', '"_rescued"', '"value"', '"schema"', '"payload"'),
    *('"\\ud800"', '"\\u0000"', '"é"', '"e\\u0301"', '" a"', '"a=b"', '"a/b"', '"' + "x" * 300 + '"', '"element"', '"key"'),
    *('"op"', '"before"', '"after"', '"source"', '"__deleted"'),
)

T = TypeVar("T")


def mostly(usual: st.SearchStrategy[T], odd: st.SearchStrategy[T], *, one_in: int) -> st.SearchStrategy[T]:
    """Generates the usual value, and one time in `odds` the odd one."""
    return st.integers(1, one_in).flatmap(lambda number: odd if number == one_in else usual)


_NUMBERS = st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(-100, 100).map(str)
_FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).map(repr)
_STRINGS = st.text(max_size=8).map(json.dumps) | st.sampled_from(["FR", "DE", "x"]).map(json.dumps)
#: A time as text, and the same in milliseconds.
TIME, TIME_MS = '"2026-01-01T00:00:00Z"', "1767225600000"
_TIMES = mostly(st.just(TIME), st.sampled_from(['"2026-01-01T11:59:59.999+01:00"', '"2026-01-01"', TIME_MS, "null"]), one_in=12)

edges = st.sampled_from(EDGES)
_leaves = st.one_of(edges, _NUMBERS, _FRACTIONS, _STRINGS, st.sampled_from(["true", "false", "null"]))


def _array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


names = st.sampled_from(ORDINARY_NAMES) | st.sampled_from(EDGE_NAMES)
#: Any JSON text, and some that is not quite one.
anything = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3).map(_array) | st.lists(st.tuples(names, inner), max_size=3).map(_object),
    max_leaves=6,
)
_ORDINARY = {
    '"a"': st.integers(-1000, 1000).map(str),
    '"b"': _STRINGS,
    '"c"': st.sampled_from(["true", "false"]),
    '"n"': st.tuples(st.integers(0, 9), _STRINGS).map(lambda pair: f'{{"x":{pair[0]},"y":{pair[1]}}}'),
    '"l"': st.lists(st.integers(0, 9).map(str), max_size=3).map(_array),
    '"ts"': _TIMES,
}


@st.composite
def objects(draw: st.DrawFn) -> str:
    """Generates objects with members of their usual types; one member in twenty has another type or another name."""
    members = []
    for name in draw(st.lists(st.sampled_from(ORDINARY_NAMES), min_size=1, max_size=6, unique=True)):
        surprise = draw(st.integers(0, 40))
        members.append(
            (draw(names), draw(anything)) if surprise == 40 else (name, draw(anything if surprise == 39 else _ORDINARY[name]))
        )
    return _object(members)


def change_events() -> st.SearchStrategy[str]:
    """Generates events as Debezium writes them, and some incomplete ones."""
    rows = st.one_of(objects(), objects(), st.just("null"), anything)
    operations = st.sampled_from(['"c"', '"u"', '"d"', '"r"', '"t"', '"m"', "null", "1"])
    source = st.sampled_from(['{"ts_ms":1767225600000}', "{}", "null", '"mongodb"'])
    return st.tuples(operations, rows, rows, source).map(
        lambda parts: _object(list(zip(('"op"', '"before"', '"after"', '"source"'), parts, strict=True)))
    )


#: Values of a topic of JSON objects.
documents = mostly(objects(), change_events() | anything, one_in=12)


def encoded(text: str) -> bytes:
    """Encodes a text; lone surrogates are encoded as if they were characters, which strict readers refuse."""
    return text.encode("utf-8", "surrogatepass")
