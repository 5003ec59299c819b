"""What the engine asks of a transform, and the easy ways to write one."""

from __future__ import annotations

from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError, UsageError
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.rows import Rows, Transformed
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms import (
    Cast,
    Drop,
    Filter,
    Flatten,
    MapTable,
    Mask,
    Rename,
    TableTransform,
    Transform,
    TransformChain,
)
from tests.support.rows import rows_of

ROOT = ConnectSchema(
    "struct",
    name="org.example.User",
    version=3,
    doc="A user.",
    fields=(
        ConnectField("id", ConnectSchema("int64", doc="The number.")),
        ConnectField("name", ConnectSchema("string", optional=True)),
    ),
)


class Halve(TableTransform):
    """A transform that halves even numbers and refuses odd ones."""

    def __init__(self, column: str = "n") -> None:
        self.column = column

    def transform(self, table: pa.Table) -> pa.Table:
        numbers = table[self.column]
        odd = pc.bit_wise_and(numbers, 1)
        if pc.any(pc.equal(odd, 1)).as_py():
            raise ValueError(f"odd: {pc.filter(numbers, pc.equal(odd, 1))[0]}")
        return table.set_column(0, self.column, pc.divide(numbers, 2))


def _apply(*transforms: Transform, rows: Rows) -> Transformed:
    return TransformChain(transforms).apply(rows)


def test_function_of_a_table() -> None:
    """Any function from tables to tables is a transform."""
    transformed = _apply(
        MapTable(lambda table: table.append_column("m", pc.negate(table["n"]))), rows=rows_of(pa.table({"n": [1, 2]}))
    )
    assert [{"n": 1, "m": -1}, {"n": 2, "m": -2}] == transformed.rows.table.to_pylist()


def test_function_is_named_in_the_fingerprint() -> None:
    """A function appears in the fingerprint with its own or a given name."""
    assert ("map-tests.support.rows:rows_of", "map-v2") == (MapTable(rows_of).fingerprint, MapTable(rows_of, "v2").fingerprint)


def test_refused_rows_are_rejects_and_the_others_go_on() -> None:
    """A ValueError is attributed to single rows, which are found whatever rows are around them."""
    transformed = _apply(Halve(), rows=rows_of(pa.table({"n": [2, 3, 4, 6, 5, 7, 8]}), first_offset=100))
    assert [1, 2, 3, 4] == transformed.rows.table["n"].to_pylist()
    assert [100, 102, 103, 106] == transformed.rows.offsets.to_pylist()
    assert [(101, "odd: 3"), (104, "odd: 5"), (105, "odd: 7")] == [
        (reject.offset, reject.reason) for reject in transformed.rejects
    ]


def test_reject_has_its_stage_and_its_record() -> None:
    """A reject has its stage and record, so that it can be inspected and replayed."""
    transformed = _apply(Halve(), rows=rows_of(pa.table({"n": [3]}), first_offset=7))
    assert [
        Reject(
            TopicPartition("topic", 0),
            7,
            Stage.TRANSFORM,
            "odd: 3",
            "org.apache.kafka.connect.errors.DataException",
            timestamp_ms=7000,
            value=b"value of 7",
        )
    ] == list(transformed.rejects)


def test_all_rows_refused() -> None:
    """If all rows are refused, none continue."""
    transformed = _apply(Halve(), rows=rows_of(pa.table({"n": [1, 3, 5]})))
    assert (0, [0, 1, 2]) == (len(transformed.rows), [reject.offset for reject in transformed.rejects])


def test_refusal_of_any_table_isn_t_searched() -> None:
    """A function that refuses even an empty table refuses all rows, and is called only twice."""
    asked = []

    def refuse(table: pa.Table) -> pa.Table:
        asked.append(table.num_rows)
        raise ValueError("never")

    transformed = _apply(MapTable(refuse), rows=rows_of(pa.table({"n": [1, 2, 3]})))
    assert (["never"] * 3, [3, 0]) == ([reject.reason for reject in transformed.rejects], asked)


def test_rows_that_are_refused_together_only() -> None:
    """Rows that are refused only together are an error, because a transform has to treat rows one by one."""

    def refuse_pairs(table: pa.Table) -> pa.Table:
        if table.num_rows > 1:
            raise ValueError("two")
        return table

    with pytest.raises(UsageError, match="accepts each of 2 rows alone and refuses them together: two"):
        _apply(MapTable(refuse_pairs), rows=rows_of(pa.table({"n": [1, 2]})))


def test_number_of_rows_has_to_stay() -> None:
    """A function that filters would shift the offsets."""
    with pytest.raises(UsageError, match=r"turned 2 rows into 1; it has to keep them all. Filter leaves rows out"):
        _apply(MapTable(lambda table: table.slice(1)), rows=rows_of(pa.table({"n": [1, 2]})))


def test_result_has_to_be_a_table() -> None:
    """The error about a wrong result shows a forgotten `return`."""
    with pytest.raises(UsageError, match=r"MapTable returned NoneType; it has to return a pyarrow.Table"):
        _apply(MapTable(lambda table: None), rows=rows_of(pa.table({"n": [1]})))


def test_transient_errors_pass() -> None:
    """A transform may raise a transient error, and then the engine waits and retries."""

    def look_up(table: pa.Table) -> pa.Table:
        raise StorageUnavailableError("the lookup table can't be read")

    with pytest.raises(StorageUnavailableError):
        _apply(MapTable(look_up), rows=rows_of(pa.table({"n": [1]})))


class Odd(Transform):
    """A transform that returns the given result."""

    fingerprint = "odd"

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def apply(self, rows: Rows) -> Transformed:
        return Transformed(attrs.evolve(rows, **self.changes))


@pytest.mark.parametrize("offsets", [[1, 0], [0, 0], [0, 9]])
def test_foreign_offsets_are_refused(offsets: list[int]) -> None:
    """Returned rows must be a part of the given rows in the same order, because commits depend on their offsets."""
    with pytest.raises(UsageError, match="offsets that it was not given, or in another order"):
        _apply(Odd(offsets=pa.array(offsets)), rows=rows_of(pa.table({"n": [1, 2]})))


def test_table_and_offsets_have_to_agree() -> None:
    """A table that was shortened without its offsets is refused."""
    with pytest.raises(UsageError, match="returned 1 row with 2 offsets"):
        _apply(Odd(table=pa.table({"n": [1]})), rows=rows_of(pa.table({"n": [1, 2]})))


def test_chain_applies_in_order() -> None:
    """Each transform sees the result of the previous one, and the rejects of all are collected."""
    chain = [Rename({"a": "n"}), Cast({"n": "int64"}), Halve(), Filter(pc.field("n") > 1)]
    transformed = _apply(*chain, rows=rows_of(pa.table({"a": ["2", "x", "3", "6"]})))
    assert ([{"n": 3}], [3]) == (transformed.rows.table.to_pylist(), transformed.rows.offsets.to_pylist())
    assert [1, 2] == [reject.offset for reject in transformed.rejects]


def test_chain_stops_where_nothing_is_left() -> None:
    """A chain stops if no rows are left, so that transforms always get at least one row."""

    def never(table: pa.Table) -> pa.Table:
        raise KeyError("called")

    transformed = _apply(Filter(pc.field("n") > 9), MapTable(never), rows=rows_of(pa.table({"n": [1]})))
    assert 0 == len(transformed.rows)


def test_chain_names_all_its_transforms() -> None:
    """The fingerprint depends on the order of transforms, and an empty chain has an empty one."""
    drop, flatten = Drop(["a"]), Flatten()
    names = [TransformChain(chain).fingerprint for chain in ([], [drop], [drop, flatten], [flatten, drop])]
    assert ("", 4) == (names[0], len(set(names)))


def test_tombstones_pass() -> None:
    """Tombstones pass, because a record without a value has nothing to transform."""
    rows = rows_of(pa.table({"n": pa.nulls(2)}).select([]), tombstones=True)
    assert rows is _apply(Halve(), rows=rows).rows


def test_schema_follows_the_columns() -> None:
    """The schema keeps name, version, documentation and unchanged fields."""
    table = pa.table({"id": [1], "name": ["x"]}).cast(ROOT.arrow_schema)
    transformed = _apply(Rename({"name": "login"}), rows=rows_of(table, value_schema=ROOT))
    expected = attrs.evolve(ROOT, fields=(ROOT.fields[0], ConnectField("login", ConnectSchema("string", optional=True))))
    assert expected == transformed.rows.value_schema
    assert expected.arrow_schema == transformed.rows.table.schema


def test_schema_is_the_same_object_for_the_same_columns() -> None:
    """All batches get the same schema object, which makes comparisons cheap."""
    chain = TransformChain([Drop(["name"])])
    table = pa.table({"id": [1], "name": ["x"]}).cast(ROOT.arrow_schema)
    first, second = (chain.apply(rows_of(table, value_schema=ROOT)).rows.value_schema for _ in range(2))
    assert first is second


def test_schema_stays_where_columns_do() -> None:
    """Rows that are only filtered keep their schema."""
    table = pa.table({"id": [1, 2], "name": ["x", "y"]}).cast(ROOT.arrow_schema)
    transformed = _apply(Filter(pc.field("id") > 1), rows=rows_of(table, value_schema=ROOT))
    assert ROOT is transformed.rows.value_schema


def test_columns_get_the_types_of_the_schema() -> None:
    """Types that Connect lacks become Connect types, so that all files of a schema have the same types."""
    table = pa.table({"id": [1], "name": ["x"]}).cast(ROOT.arrow_schema)
    to_large = MapTable(lambda table: table.set_column(1, "name", table["name"].cast(pa.large_string()).dictionary_encode()))
    transformed = _apply(to_large, rows=rows_of(table, value_schema=ROOT))
    assert (ROOT.arrow_schema, ROOT) == (transformed.rows.table.schema, transformed.rows.value_schema)


def test_mask_to_null_makes_a_field_optional() -> None:
    """Masking a required field with null makes the field optional, in the schema too."""
    table = pa.table({"id": [1], "name": ["x"]}).cast(ROOT.arrow_schema)
    transformed = _apply(Mask(["id"]), rows=rows_of(table, value_schema=ROOT))
    assert transformed.rows.value_schema is not None
    assert ConnectSchema("int64", optional=True, doc="The number.") == transformed.rows.value_schema.field_schemas["id"]


def test_properties_become_keyword_arguments() -> None:
    """By default the properties of a configuration are passed to the class as text arguments."""
    made = Halve.from_config({"column": "m"})
    assert "m" == made.column  # type: ignore[attr-defined]


def test_properties_that_don_t_fit() -> None:
    """The error names the properties that the class doesn't accept."""
    with pytest.raises(ConfigurationError, match=r"Halve can't be created from these properties: .*'colum'"):
        Halve.from_config({"colum": "m"})
