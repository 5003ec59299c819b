"""Predicates, transforms of some records, and tombstones among them, beside a model that goes record by record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Rows, Transformed, without_columns
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms import Cast, Drop, InsertField, Transform, TransformChain, Unwrap
from kafka2parquet.transforms.header_keys import have_header
from kafka2parquet.transforms.predicates import HasHeaderKey, Predicate, RecordIsTombstone, TopicNameMatches
from kafka2parquet.transforms.regex_router import RegexRouter
from kafka2parquet.transforms.tombstones import TombstoneHandler
from kafka2parquet.transforms.where import LeaveOut, Where
from kafka2parquet.util.varints import varint
from tests.support.batches import batch_of
from tests.support.rows import rows_of

#: A value, None for a tombstone, and the keys of the headers.
Record = tuple[dict[str, Any] | None, tuple[str, ...]]


def header_section(keys: Sequence[str]) -> bytes:
    """Encodes the headers of a record as in a record batch."""
    return varint(len(keys)) + b"".join(varint(len(key.encode())) + key.encode() + varint(-1) for key in keys)


def _batch(records: Sequence[Record], topic: str = "topic") -> ConsumedBatch:
    batch = batch_of([None if value is None else b"value" for value, _ in records], topic=topic)
    sections = [header_section(keys) if keys else None for _, keys in records]
    return attrs.evolve(batch, headers=pa.array(sections, pa.binary_view()))


def _groups(records: Sequence[Record], topic: str = "topic") -> list[Rows]:
    """Makes the rows and the tombstones as the record pipeline has them."""
    batch = _batch(records, topic)
    groups = []
    for tombstones in (False, True):
        chosen = batch.filter(pa.array([(value is None) == tombstones for value, _ in records]))
        values = [value for value, _ in records if value is not None]
        table = without_columns(len(chosen)) if tombstones else _table(values)
        if len(chosen):
            groups.append(Rows(chosen, chosen.offsets, chosen.timestamps_ms, table, tombstones=tombstones))
    return groups


def _table(values: Sequence[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for value in values for name in value)
    return pa.table({name: [value.get(name) for value in values] for name in names or ["a"]})


def _written(transformed: Sequence[Transformed]) -> dict[int, dict[str, Any] | None]:
    """Returns the values by offset without nulls, and None for tombstones."""
    written: dict[int, dict[str, Any] | None] = {}
    for rows in (rows for part in transformed for rows in part.groups):
        values: list[dict[str, Any] | None] = [None if rows.tombstones else {}] * len(rows)
        if rows.table.num_columns:
            values = rows.table.to_pylist()
        for offset, value in zip(rows.offsets.to_pylist(), values, strict=True):
            assert offset not in written
            written[offset] = None if value is None else {name: each for name, each in value.items() if each is not None}
    return written


def _applied(transforms: Sequence[Transform], records: Sequence[Record], topic: str = "topic") -> dict[int, Any]:
    chain = TransformChain(transforms)
    return _written([chain.apply(rows) for rows in _groups(records, topic)])


class TestHasHeaderKey:
    """HasHeaderKey selects records by the name of a header."""

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ((), False),
            (("id",), True),
            (("other", "id"), True),
            (("other", "id", "id"), True),
            (("i",), False),
            (("idx",), False),
            (("x\x04id",), False),
            (("Id",), False),
            (tuple(f"{number}" for number in range(70)), False),
            ((*(f"{number}" for number in range(70)), "id"), True),
        ],
    )
    def test_holds(self, keys: tuple[str, ...], expected: bool) -> None:
        """The name is found in every position, and nowhere but in names of headers."""
        (rows,) = _groups([({"a": 1}, keys)])
        assert [expected] == HasHeaderKey("id").holds(rows).tolist()

    def test_a_count_of_two_bytes_is_not_a_name(self) -> None:
        """A count of two bytes is not mistaken for a header's name."""
        (rows,) = _groups([({"a": 1}, ("ab",) * 128)])  # 0x80 0x02, and then the first header begins with 0x04
        assert [False] == HasHeaderKey("\x04").holds(rows).tolist()

    @given(
        st.lists(st.lists(st.sampled_from(["a", "b", "\x02a", "aé", ""]), max_size=4).map(tuple), min_size=1, max_size=20),
        st.sampled_from(["a", "\x02a", "aé"]),
    )
    def test_agrees_with_the_headers(self, keys: list[tuple[str, ...]], name: str) -> None:
        """The predicate agrees with the decoded headers."""
        (rows,) = _groups([({"a": 1}, each) for each in keys])
        assert [name in each for each in keys] == HasHeaderKey(name).holds(rows).tolist()

    def test_values_of_all_lengths(self) -> None:
        """Values of any length and nulls are skipped, and never mistaken for names."""
        headers = [(b"a", b"x" * 100), (b"b", None), (b"c", b""), (b"d", b"\x04id" * 100), (b"id", b"1")]
        for count, expected in ((4, False), (5, True)):
            section = varint(count) + b"".join(
                varint(len(key)) + key + (varint(-1) if value is None else varint(len(value)) + value)
                for key, value in headers[:count]
            )
            assert [expected, False] == have_header(pa.array([section, None], pa.large_binary()), "id").tolist()

    @pytest.mark.parametrize(
        "section",
        [
            b"\x04\x02a\x04id",
            b"\x04\x03\x04id\x01",
            b"\x04\x02a\x80\x80\x04\x04id\x01",
            b"\x04" + b"\xff" * 11 + b"\x04id",
            b"\x06\x02a\x01\x06\x04id\x01",
        ],
    )
    def test_malformed_headers(self, section: bytes) -> None:
        """Malformed headers are an error, because their names can't be read."""
        with pytest.raises(ValueError, match=r"section|ten bytes"):
            have_header(pa.array([section], pa.large_binary()), "id")

    def test_of_some_rows(self) -> None:
        """Rows that were dropped don't matter."""
        (rows,) = _groups([({"a": 1}, ("id",)), ({"a": 2}, ()), ({"a": 3}, ("id",))])
        assert [False, True] == HasHeaderKey("id").holds(rows.slice(1)).tolist()

    def test_needs_a_name(self) -> None:
        """A name is required, as in Kafka's class."""
        with pytest.raises(ConfigurationError, match="HasHeaderKey needs name"):
            HasHeaderKey.from_config({})
        with pytest.raises(ConfigurationError, match="HasHeaderKey: name has to be a text"):
            HasHeaderKey("")


class TestTopicNameMatches:
    """TopicNameMatches selects records by the whole name of the topic."""

    @pytest.mark.parametrize(
        ("pattern", "topic", "expected"),
        [
            ("orders", "orders", True),
            ("order", "orders", False),
            ("(?<what>order)s?.*", "orders-2", True),
            (r"\w+", "orders", True),
        ],
    )
    def test_holds(self, pattern: str, topic: str, expected: bool) -> None:
        """The whole topic has to match one of Java's regular expressions."""
        (rows,) = _groups([({"a": 1}, ()), ({"a": 2}, ())], topic)
        assert [expected, expected] == TopicNameMatches.from_config({"pattern": pattern}).holds(rows).tolist()

    @pytest.mark.parametrize("pattern", ["(", "[a-z&&[^x]]", r"\p{Alpha}", "(?<a"])
    def test_what_python_does_not_read_alike_is_refused(self, pattern: str) -> None:
        """A pattern that Python would interpret differently is refused."""
        with pytest.raises(ConfigurationError, match=r"pattern: .* is not a regular expression that Python reads as Java does"):
            TopicNameMatches(pattern)

    def test_sees_the_name_that_a_router_has_given(self) -> None:
        """The predicate sees the name that a router has set, as in Kafka Connect."""
        chain = [RegexRouter("raw-(.*)", "$1"), Where(Drop(["a"]), TopicNameMatches("orders"))]
        assert {0: {"b": 2}} == _applied(chain, [({"a": 1, "b": 2}, ())], "raw-orders")
        inserted = [RegexRouter("raw-(.*)", "$1"), InsertField(topic="topic")]
        assert {0: {"a": 1, "topic": "orders"}} == _applied(inserted, [({"a": 1}, ())], "raw-orders")


class TestTombstones:
    """RecordIsTombstone selects tombstones, which transforms see in Kafka Connect."""

    RECORDS: Sequence[Record] = [({"a": 1}, ()), (None, ()), ({"a": 2}, ())]

    def test_are_left_out_by_filter(self) -> None:
        """LeaveOut with RecordIsTombstone drops tombstones, which is the common way."""
        assert {0: {"a": 1}, 2: {"a": 2}} == _applied([Where(LeaveOut(), RecordIsTombstone())], self.RECORDS)

    def test_are_all_that_filter_leaves(self) -> None:
        """With `negate`, LeaveOut keeps only the selected records."""
        assert {1: None} == _applied([Where(LeaveOut(), RecordIsTombstone(), negate=True)], self.RECORDS)

    def test_pass_other_transforms(self) -> None:
        """Tombstones pass other transforms, because they don't have columns."""
        assert {0: {}, 1: None, 2: {}} == _applied([Drop(["a"])], self.RECORDS)

    def test_are_made_of_deletions(self) -> None:
        """Later transforms see deletions as tombstones."""
        event = {"op": "d", "before": {"id": 1}, "after": None, "source": {"table": "t"}}
        created = {**event, "op": "c", "before": None, "after": {"id": 2}}
        records = [(event, ()), (created, ()), (None, ())]
        unwrap = Unwrap(deletes="tombstone")
        assert {0: None, 1: {"id": 2}} == _applied([unwrap], records)
        assert {1: {"id": 2}} == _applied([unwrap, Where(LeaveOut(), RecordIsTombstone())], records)

    @pytest.mark.parametrize(("behavior", "rejected"), [("warn", []), ("ignore", []), ("fail", [1])])
    def test_handler(self, behavior: Any, rejected: list[int]) -> None:
        """The handler drops or rejects tombstones."""
        chain = TransformChain([TombstoneHandler(behavior)])
        transformed = [chain.apply(rows) for rows in _groups(self.RECORDS)]
        assert {0: {"a": 1}, 2: {"a": 2}} == _written(transformed)
        assert rejected == [reject.offset for part in transformed for reject in part.rejects]

    def test_handler_of_another_behavior(self) -> None:
        """An unknown behavior is refused."""
        with pytest.raises(ConfigurationError, match="TombstoneHandler: behavior has to be 'ignore', 'warn' or 'fail'"):
            TombstoneHandler("drop")  # type: ignore[arg-type]  # a wrong value


class OddOffsets(Predicate):
    """A user's predicate."""

    def holds(self, rows: Rows) -> np.ndarray:
        is_odd: np.ndarray = rows.offsets.to_numpy() % 2 == 1
        return is_odd

    @property
    def fingerprint(self) -> str:
        return "odd"


class NoArray(OddOffsets):
    """A predicate that returns something else than an array."""

    def holds(self, rows: Rows) -> np.ndarray:
        return [True] * len(rows)  # type: ignore[return-value]  # wrong on purpose


class TestWhere:
    """Where applies a transform to selected rows, and all rows continue together."""

    RECORDS: Sequence[Record] = [({"a": 1}, ()), ({"a": 2}, ()), ({"a": 3}, ())]

    def test_columns_of_both(self) -> None:
        """Rows without a schema are merged to one table in their order."""
        chain = TransformChain([Where(InsertField(static={"b": "x"}), OddOffsets())])
        (rows,) = _groups(self.RECORDS)
        transformed = chain.apply(rows)
        assert [] == list(transformed.others)
        assert {"a": [1, 2, 3], "b": [None, "x", None]} == transformed.rows.table.to_pydict()
        assert [0, 1, 2] == transformed.rows.offsets.to_pylist()

    def test_types_that_no_column_holds_together(self) -> None:
        """Rows with incompatible types stay separate, so a file ends between them."""
        chain = TransformChain([Where(Cast({"a": "string"}), OddOffsets())])
        (rows,) = _groups(self.RECORDS)
        transformed = chain.apply(rows)
        assert [[0, 2], [1]] == [group.offsets.to_pylist() for group in transformed.groups]
        assert {0: {"a": 1}, 1: {"a": "2"}, 2: {"a": 3}} == _written([transformed])

    def test_a_schema_for_each(self) -> None:
        """Rows that came with a schema have separate schemas."""
        schema = ConnectSchema("struct", name="s", fields=(ConnectField("a", ConnectSchema("int64")),))
        rows = rows_of(pa.table({"a": [1, 2, 3]}, schema.arrow_schema), value_schema=schema)
        transformed = TransformChain([Where(InsertField(offset="o"), OddOffsets())]).apply(rows)
        assert [(schema, [0, 2]), (("a", "o"), [1])] == [
            (
                group.value_schema if group.value_schema is schema else tuple(group.value_schema.field_schemas),  # type: ignore[union-attr]
                group.offsets.to_pylist(),
            )
            for group in transformed.groups
        ]

    def test_one_schema_where_nothing_changes(self) -> None:
        """Rows stay together if the transform changes nothing."""
        schema = ConnectSchema("struct", name="s", fields=(ConnectField("a", ConnectSchema("int64")),))
        rows = rows_of(pa.table({"a": [1, 2, 3]}, schema.arrow_schema), value_schema=schema)
        transformed = TransformChain([Where(Drop(["b"]), OddOffsets())]).apply(rows)
        assert ((), [0, 1, 2]) == (tuple(transformed.others), transformed.rows.offsets.to_pylist())

    def test_rejects_of_the_chosen(self) -> None:
        """Only selected rows can become rejects."""
        records: list[Record] = [({"a": "x"}, ()), ({"a": "y"}, ()), ({"a": "3"}, ())]
        chain = TransformChain([Where(Cast({"a": "int64"}), OddOffsets())])
        (rows,) = _groups(records)
        transformed = chain.apply(rows)
        assert [1] == [reject.offset for reject in transformed.rejects]
        assert {0: {"a": "x"}, 2: {"a": "3"}} == _written([transformed])

    def test_a_predicate_that_gives_no_array(self) -> None:
        """A wrong result is an error in the user's code."""
        (rows,) = _groups(self.RECORDS)
        with pytest.raises(UsageError, match="The predicate NoArray has to return a numpy array with one boolean for each"):
            Where(LeaveOut(), NoArray()).apply(rows)

    def test_fingerprints(self) -> None:
        """The fingerprint contains transform, predicate, and negation."""
        chosen = [
            Where(LeaveOut(), RecordIsTombstone()),
            Where(LeaveOut(), RecordIsTombstone(), negate=True),
            Where(LeaveOut(), TopicNameMatches("a")),
            Where(LeaveOut(), HasHeaderKey("a")),
            Where(Drop(["a"]), RecordIsTombstone()),
        ]
        assert len(chosen) == len({transform.fingerprint for transform in chosen})


#: Transforms, and what they make of one value, which is a tombstone or has the fields `a` and `b`.
_TRANSFORMS: Sequence[tuple[Transform, Callable[[dict[str, Any] | None], Any]]] = [
    (LeaveOut(), lambda value: "left out"),
    (Drop(["a"]), lambda value: value and {name: each for name, each in value.items() if name != "a"}),
    (InsertField(static={"c": "x"}), lambda value: {**value, "c": "x"} if value is not None else None),
    (TombstoneHandler(), lambda value: value if value is not None else "left out"),
]
_PREDICATES: Sequence[tuple[Predicate, Callable[[Record], bool]]] = [
    (RecordIsTombstone(), lambda record: record[0] is None),
    (HasHeaderKey("h"), lambda record: "h" in record[1]),
    (TopicNameMatches("t.*"), lambda record: True),
    (TopicNameMatches("x.*"), lambda record: False),
]
_values = st.none() | st.fixed_dictionaries({}, optional={"a": st.integers(0, 9), "b": st.sampled_from("xyz")})
_records = st.lists(st.tuples(_values, st.lists(st.sampled_from(["h", "g"]), max_size=2).map(tuple)), min_size=1, max_size=12)
_steps = st.lists(
    st.tuples(st.sampled_from(_TRANSFORMS), st.none() | st.tuples(st.sampled_from(_PREDICATES), st.booleans())), max_size=4
)


def _model(record: Record, steps: Sequence[Any]) -> Any:
    """Returns what Kafka Connect's chain makes of one record."""
    value, keys = record
    for (_, change), chosen in steps:
        if chosen is not None:
            (_, holds), negate = chosen
            if holds((value, keys)) == negate:
                continue
        value = change(value)
        if value == "left out":
            return value
    return value


@settings(max_examples=300)
@given(_records, _steps)
def test_agrees_with_record_by_record(records: list[Record], steps: list[Any]) -> None:
    """Chains of transforms agree with a rule for each record."""
    transforms = [
        transform if chosen is None else Where(transform, chosen[0][0], negate=chosen[1]) for (transform, _), chosen in steps
    ]
    expected = {offset: _model(record, steps) for offset, record in enumerate(records)}
    assert {offset: value for offset, value in expected.items() if value != "left out"} == _applied(transforms, records)


def test_records_of_rows() -> None:
    """`records` has the records of the remaining rows."""
    (rows,) = _groups([({"a": 1}, ()), ({"a": 2}, ())])
    assert [1] == rows.slice(1).records.offsets.to_pylist()
    assert rows.batch is rows.records
    assert (0, ("_kafka_topic",)) == (len(rows.slice(0, 0).records), MetadataColumns(["topic"]).column_names)


def test_a_transform_that_returns_an_offset_twice() -> None:
    """A wrong result is an error in the user's code."""

    class Twice(LeaveOut):
        def apply(self, rows: Rows) -> Transformed:
            return Transformed(rows, others=[rows.slice(0, 1)])

    (rows,) = _groups([({"a": 1}, ()), ({"a": 2}, ())])
    with pytest.raises(UsageError, match="returned an offset twice"):
        TransformChain([Twice()]).apply(rows)
