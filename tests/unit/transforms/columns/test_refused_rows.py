"""One record decides the columns where schemas are learned; it never ends the transforms for the others."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.records import Stage
from kafka2parquet.rows import Rows
from kafka2parquet.transforms import (
    Cast,
    Drop,
    ExtractField,
    Filter,
    Flatten,
    HoistField,
    InsertField,
    Keep,
    Mask,
    Rename,
    ToTimestamp,
    Transform,
    TransformChain,
    Unwrap,
    value_in,
)
from kafka2parquet.transforms.columns.values import cast_exactly
from tests.support.batches import batch_of


def _rows(documents: Iterable[Any], converter: JsonConverter | None = None) -> Rows:
    return (converter or JsonConverter()).convert(batch_of([json.dumps(one).encode() for one in documents])).rows


def _plain(value: Any) -> Any:
    """Removes nulls, because other records may add columns."""
    if isinstance(value, dict):
        return {name: plain for name, member in value.items() if (plain := _plain(member)) not in (None, {})}
    return [_plain(one) for one in value] if isinstance(value, list) else value


STORIES = [
    (Flatten(), {"a": {"b": 1}}, {"a": {"b": 1}, "a.b": 2}),
    (Flatten("_"), {"a": {"b_c": 1}}, {"a": {"b_c": 1, "b": {"c": 2}}}),
    (Rename({"a": "b"}), {"a": 1}, {"a": 1, "b": 2}),
    (Rename({"a": "b"}), {"a": 1}, {"a": 1, "b": "text"}),
    (Rename({"s.a": "b"}), {"s": {"a": 1}}, {"s": {"a": 1, "b": {"c": 1}}}),
    (ToTimestamp(["a"]), {"a": 1_700_000_000_000}, {"a": 1_700_000_000_000.5}),
    (ToTimestamp(["a"]), {"b": 1}, {"a": True}),
    (ToTimestamp(["s.a"]), {"s": {"b": 1}}, {"s": {"a": [1]}}),
    (Cast({"a": "int64"}), {"a": 1}, {"a": 1.5}),
    (Cast({"a": "boolean"}), {"b": 1}, {"a": [1]}),
    (Cast({"a": "string"}), {"b": 1}, {"a": {"c": 1}}),
    (Mask(["a"], replacement="***"), {"b": 1}, {"a": 1}),
    (Mask(["a"], replacement=1.5), {"b": 1}, {"a": 1}),
    (Mask(["a"], hashed="sha256"), {"b": 1}, {"a": [1]}),
    (Filter(value_in("a", ["x"], keep=False)), {"b": 1}, {"a": {"c": 1}}),
    (Filter(pc.field("b") == 1), {"b": 1}, {"b": 1.5, "a": 1}),
    (Filter((pc.field("a") == "x") | pc.field("a").is_null()), {"b": 1}, {"a": 5}),
    (Unwrap(add_fields=["op"], prefix=""), {"op": "c", "after": {"a": 1}}, {"op": "c", "after": {"a": 1, "op": 5}}),
    (
        Unwrap(deletes="rewrite"),
        {"op": "c", "after": {"a": {"b": 1}}},
        {"op": "d", "before": {"a": {"b": "text"}}},
    ),
]


@pytest.mark.parametrize(("transform", "good", "bad"), STORIES)
def test_one_record_is_rejected_and_the_others_go_on(transform: Transform, good: Any, bad: Any) -> None:
    """A single record is rejected, in one batch and in later batches with the column that it added."""
    chain = TransformChain([transform])
    converter = JsonConverter()
    alone = chain.apply(_rows([good])).rows.table.to_pylist()
    for documents in ([good, bad, good], [good, good]):
        transformed = chain.apply(_rows(documents, converter))
        goods = [place for place, document in enumerate(documents) if document is good]
        assert goods == transformed.rows.offsets.to_pylist()
        if transform is not STORIES[15][0]:  # whose condition isn't true for it
            rejects = [place for place in range(len(documents)) if place not in goods]
            assert rejects == [reject.offset for reject in transformed.rejects]
        assert all(reject.stage is Stage.TRANSFORM and reject.reason for reject in transformed.rejects)
        assert [_plain(row) for row in alone] * len(goods) == [_plain(row) for row in transformed.rows.table.to_pylist()]


NAMES = st.sampled_from(["a", "b", "a.b", "a_b", "op", "after", "before", "source"])
TEXTS = st.sampled_from(
    ["", "x", "c", "d", "1", "1.5", "1e400", "true", "2026-05-17", "2026-05-17T10:00:00.1234567Z", "2026-02-30"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
EVENTS = st.fixed_dictionaries(
    {"op": st.sampled_from("crud")}, optional={"before": DOCUMENTS, "after": DOCUMENTS, "a": SCALARS}
)
TYPES = ("int8", "int64", "float32", "float64", "boolean", "string", "bytes", "date", "timestamp", "decimal(5;2)")
PATHS = st.sampled_from(["a", "b", "a.b", "b.a", "op", "after", "after.a"])
TRANSFORMS = st.one_of(
    st.builds(Flatten, st.sampled_from([".", "_"])),
    st.builds(lambda path, name: Rename({path: name}), PATHS, NAMES),
    st.builds(lambda path, other: Rename({path: other, other: "a"}), PATHS, PATHS),
    st.builds(lambda path, type_: Cast({path: type_}), PATHS, st.sampled_from(TYPES)),
    st.builds(lambda path, unit: ToTimestamp([path], unit=unit), PATHS, st.sampled_from(["s", "ms", "ns"])),
    st.builds(lambda path: ToTimestamp([path], format="%Y-%m-%d", timezone="Europe/Paris"), PATHS),
    st.builds(lambda path, value: Mask([path], replacement=value), PATHS, st.sampled_from([None, "***", "7", 5, 1.5, True])),
    st.builds(lambda path: Mask([path], hashed="sha256", key="k"), PATHS),
    st.builds(lambda path, keep: Filter(value_in(path, ["1", "x", "true"], keep=keep)), PATHS, st.booleans()),
    st.builds(lambda path: Filter((pc.field(*path.split(".")) == "x") | pc.field("a").is_null()), PATHS),
    st.builds(lambda path: Filter(pc.field(*path.split(".")).cast(pa.int64()) > 1), PATHS),
    st.builds(lambda path: Drop([path]), PATHS),
    st.builds(lambda path: Keep([path, "op"]), PATHS),
    st.builds(lambda path, on_null: ExtractField(path, on_null=on_null), PATHS, st.sampled_from(["reject", "drop"])),
    st.builds(HoistField, NAMES),
    st.builds(lambda name: InsertField(topic=name, static={"z": 5}), NAMES),
    st.builds(
        lambda deletes, prefix: Unwrap(deletes=deletes, add_fields=["op", "a"], prefix=prefix),
        st.sampled_from(["drop", "rewrite"]),
        st.sampled_from(["", "__"]),
    ),
)


@given(st.lists(DOCUMENTS | EVENTS, min_size=1, max_size=6), st.lists(TRANSFORMS, min_size=1, max_size=3))
def test_whatever_comes_each_row_goes_on_or_is_rejected(documents: list[Any], transforms: list[Transform]) -> None:
    """No record makes a transform raise, or affects any row but its own."""
    rows = _rows(documents)
    if not len(rows):
        return
    chain = TransformChain(transforms)
    transformed = chain.apply(rows)
    transformed.rows.table.validate(full=True)
    gone = [reject.offset for reject in transformed.rejects]
    assert len(gone) == len(set(gone))
    assert not set(gone) & set(transformed.rows.offsets.to_pylist())
    if any(isinstance(transform, Unwrap) for transform in transforms):
        return  # its columns are those of all rows
    for place, offset in enumerate(rows.offsets.to_pylist()):
        alone = chain.apply(rows.slice(place, 1))
        assert (offset in gone) == bool(alone.rejects)
        assert (offset in transformed.rows.offsets.to_pylist()) == bool(len(alone.rows))


@given(
    st.lists(st.none() | st.text(st.sampled_from("-+.0159exXaAtTrRuUfFnNiIyY "), max_size=6), max_size=6),
    st.sampled_from([pa.int8(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.decimal128(5, 2)]),
)
def test_texts_are_cast_as_arrow_casts_each(texts: list[str | None], type_: pa.DataType) -> None:
    """Texts are cast as Arrow casts each alone, except numbers that would become infinite."""
    cast = cast_exactly(pa.array(texts, pa.string()), type_).to_pylist()
    for text, value in zip(texts, cast, strict=True):
        try:
            expected = pa.array([text], pa.string()).cast(type_)[0].as_py()
        except pa.ArrowInvalid:
            expected = None
        is_infinite = isinstance(expected, float) and math.isinf(expected)
        assert repr(value) == repr(expected) or (value is None and is_infinite and "n" not in (text or "").lower())
