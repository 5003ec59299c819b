"""Avro schemas with values of theirs, made up by Hypothesis, and what the values become."""

from __future__ import annotations

import functools
import io
import itertools
import struct
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, Literal

import attrs
import fastavro
from hypothesis import strategies as st

_INT = st.integers(-(2**31), 2**31 - 1)
_LONG = st.integers(-(2**63), 2**63 - 1)
_DAY_MS = 86_400_000
_SHORT = {"max_size": 4}


@attrs.frozen
class AvroCase:
    """A type.

    Attributes:
        schema: as parsed JSON.
        values: pairs of a value as fastavro writes it and what it becomes.
        name: in a union.
    """

    schema: Any
    values: st.SearchStrategy[tuple[Any, Any]]
    name: str


def _same(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return values.map(lambda value: (value, value))


def _by_side(value: Callable[[int], Any]) -> tuple[Any, Any]:
    """Returns a value made of the first halves of pairs, and one made of the second halves."""
    return value(0), value(1)


def _floats(width: Literal[32, 64]) -> st.SearchStrategy[Any]:
    return st.floats(allow_nan=False, width=width)


def _logical(kind: str, logical: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": f"x-{logical}" if more.pop("unknown", False) else logical, **more}


def _decimals(value: int, size: int | None) -> tuple[bytes, Decimal]:
    length = size if size is not None else (value.bit_length() // 8 + 1)
    return value.to_bytes(length, "big", signed=True), Decimal(value).scaleb(-2, Context(prec=100))


def _scalars(named: Callable[[], str], fixed_sizes: st.SearchStrategy[int], draw: st.DrawFn) -> list[Callable[[], AvroCase]]:
    def enum() -> AvroCase:
        name = named()
        return AvroCase({"type": "enum", "name": name, "symbols": ["A", "B", "C"]}, _same(st.sampled_from("ABC")), name)

    def fixed() -> AvroCase:
        name, size = named(), draw(fixed_sizes)
        return AvroCase({"type": "fixed", "name": name, "size": size}, _same(st.binary(min_size=size, max_size=size)), name)

    def decimal_fixed() -> AvroCase:
        name, size = named(), draw(fixed_sizes)
        digits = {3: 6, 4: 9}.get(size, 15)
        schema = {"type": "fixed", "name": name, "size": size, **_logical("fixed", "decimal", precision=digits, scale=2)}
        values = st.integers(-(10**digits) + 1, 10**digits - 1)
        return AvroCase(schema, values.map(lambda value: _decimals(value, size)), name)

    def simple(schema: Any, values: st.SearchStrategy[Any], name: str) -> Callable[[], AvroCase]:
        return lambda: AvroCase(schema, values, name)

    return [
        simple("boolean", _same(st.booleans()), "boolean"),
        simple("int", _same(_INT), "int"),
        simple("long", _same(_LONG), "long"),
        simple("float", _same(_floats(32)), "float"),
        simple("double", _same(_floats(64)), "double"),
        simple("string", _same(st.text(max_size=20)), "string"),
        simple({"type": "int", "connect.type": "int8"}, _same(st.integers(-128, 127)), "int"),
        simple(_logical("int", "date"), _same(st.integers(-700_000, 2_900_000)), "int"),
        simple(_logical("int", "time-millis"), _same(st.integers(0, _DAY_MS - 1)), "int"),
        simple(_logical("long", "timestamp-millis"), _same(st.integers(-(10**13), 10**13)), "long"),
        simple(_logical("long", "timestamp-micros"), _same(st.integers(-(10**16), 10**16)), "long"),
        simple(_logical("long", "time-micros"), _same(st.integers(0, _DAY_MS * 1000 - 1)), "long"),
        simple(_logical("long", "local-timestamp-micros"), _same(st.integers(-(10**16), 10**16)), "long"),
        simple(_logical("string", "uuid"), _same(st.uuids().map(str)), "string"),
        enum,
        simple("bytes", _same(st.binary(max_size=20)), "bytes"),
        simple(
            _logical("bytes", "decimal", precision=9, scale=2),
            st.integers(-(10**9) + 1, 10**9 - 1).map(lambda value: _decimals(value, None)),
            "bytes",
        ),
        simple(
            _logical("bytes", "decimal", precision=60, scale=2),
            st.integers(-(10**60) + 1, 10**60 - 1).map(lambda value: _decimals(value, None)),
            "bytes",
        ),
        fixed,
        decimal_fixed,
    ]


@st.composite
def avro_cases(draw: st.DrawFn, *, readable: bool = False) -> AvroCase:
    """A record; `readable` ones can be decoded at once, so they have no maps of Kafka Connect with other keys than text."""
    counter = itertools.count()
    sizes = st.sampled_from([4, 8, 12, 16] if readable else [3, 4, 8, 16])
    scalars = _scalars(lambda: f"N{next(counter)}", sizes, draw)

    def case(depth: int) -> AvroCase:
        nested = [record, array, map_, nullable, union, single, *([] if readable else [entries])] if depth < 3 else []
        below: list[Callable[[], AvroCase]] = [functools.partial(make, depth) for make in nested]
        return draw(st.sampled_from([*scalars, *below, *below]))()

    def record(depth: int) -> AvroCase:
        name = f"R{next(counter)}"
        fields = [(f"f{i}", case(depth + 1)) for i in range(draw(st.integers(1, 4 if depth == 0 else 2)))]
        values = st.tuples(*[field.values for _, field in fields]).map(
            lambda pairs: _by_side(lambda s: {field: pair[s] for (field, _), pair in zip(fields, pairs, strict=True)})
        )
        schema = {"type": "record", "name": name, "fields": [{"name": field, "type": c.schema} for field, c in fields]}
        return AvroCase(schema, values, name)

    def array(depth: int) -> AvroCase:
        items = case(depth + 1)
        values = st.lists(items.values, max_size=4).map(lambda pairs: _by_side(lambda side: [pair[side] for pair in pairs]))
        return AvroCase({"type": "array", "items": items.schema}, values, "array")

    def map_(depth: int) -> AvroCase:
        items = case(depth + 1)
        values = st.dictionaries(st.text(max_size=3), items.values, max_size=3).map(
            lambda pairs: ({key: pair[0] for key, pair in pairs.items()}, [(key, pair[1]) for key, pair in pairs.items()])
        )
        return AvroCase({"type": "map", "values": items.schema}, values, "map")

    def entries(depth: int) -> AvroCase:
        items = case(depth + 1)
        fields = [{"name": "key", "type": "long"}, {"name": "value", "type": items.schema}]
        entry = {"type": "record", "name": f"E{next(counter)}", "connect.internal.type": "MapEntry", "fields": fields}
        values = st.dictionaries(_LONG, items.values, max_size=3).map(
            lambda pairs: (
                [{"key": key, "value": pair[0]} for key, pair in pairs.items()],
                [(key, pair[1]) for key, pair in pairs.items()],
            )
        )
        return AvroCase({"type": "array", "items": entry}, values, "array")

    def not_a_union(depth: int) -> AvroCase:
        found = case(depth)
        while isinstance(found.schema, list):
            found = case(3)
        return found

    def nullable(depth: int) -> AvroCase:
        inner = not_a_union(depth + 1)
        schema = ["null", inner.schema] if draw(st.booleans()) else [inner.schema, "null"]
        values = st.one_of(st.just((None, None)), inner.values.map(lambda pair: ((inner.name, pair[0]), pair[1])))
        return AvroCase(schema, values, "")

    def single(depth: int) -> AvroCase:
        inner = not_a_union(depth + 1)
        return AvroCase([inner.schema], inner.values.map(lambda pair: ((inner.name, pair[0]), pair[1])), "")

    def union(depth: int) -> AvroCase:
        found = {inner.name: inner for inner in (not_a_union(depth + 1) for _ in range(draw(st.integers(2, 4))))}
        if len(found) < 2:
            return next(iter(found.values()))
        branches: list[AvroCase | None] = [*found.values()]
        if draw(st.booleans()):
            branches.insert(draw(st.integers(0, len(branches))), None)
        strategies = [st.just((None, None)) if inner is None else _branch(inner, [*found]) for inner in branches]
        return AvroCase(["null" if inner is None else inner.schema for inner in branches], st.one_of(strategies), "")

    return record(0)


def _branch(inner: AvroCase, names: list[str]) -> st.SearchStrategy[tuple[Any, Any]]:
    return inner.values.map(
        lambda pair: ((inner.name, pair[0]), {name: pair[1] if name == inner.name else None for name in names})
    )


def written(schema: Any, values: list[Any]) -> list[bytes]:
    """The values as fastavro writes them. Logical types are taken out: what is written are the values beneath."""
    parsed = fastavro.parse_schema(_without_logical(schema))
    payloads = []
    for value in values:
        file = io.BytesIO()
        fastavro.schemaless_writer(file, parsed, value)
        payloads.append(file.getvalue())
    return payloads


def _without_logical(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_logical(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: _without_logical(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def number(value: int) -> bytes:
    """An int or a long."""
    rest = ((value << 1) ^ (value >> 63)) & 0xFFFF_FFFF_FFFF_FFFF
    content = b""
    while rest > 0x7F:
        content += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return content + bytes([rest])


def text(value: str) -> bytes:
    """A string."""
    return number(len(value.encode())) + value.encode()


def double(value: float) -> bytes:
    """A double."""
    return struct.pack("<d", value)
