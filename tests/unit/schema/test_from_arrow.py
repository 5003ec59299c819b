"""Arrow schemas are converted to Connect schemas."""

from __future__ import annotations

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.schema.connect_schema import (
    DATE,
    DECIMAL,
    DECIMAL_PRECISION,
    FIXED_SIZE,
    TIME,
    TIMESTAMP,
    ConnectField,
    ConnectSchema,
)
from kafka2parquet.schema.from_arrow import connect_schema

_PRIMITIVE = st.sampled_from(["boolean", "int8", "int16", "int32", "int64", "float", "double", "string", "bytes"]).map(
    ConnectSchema
)
_LOGICAL = st.sampled_from(
    [
        ConnectSchema("int32", name=DATE, version=1),
        ConnectSchema("int32", name=TIME, version=1),
        ConnectSchema("int64", name=TIMESTAMP, version=1),
        ConnectSchema("bytes", parameters={FIXED_SIZE: "16"}),
        ConnectSchema("bytes", name=DECIMAL, version=1, parameters={"scale": "2", DECIMAL_PRECISION: "10"}),
        ConnectSchema("bytes", name=DECIMAL, version=1, parameters={"scale": "0", DECIMAL_PRECISION: "60"}),
    ]
)
_OPTIONAL = st.booleans()


@st.composite
def _struct(draw: st.DrawFn, schemas: st.SearchStrategy[ConnectSchema]) -> ConnectSchema:
    inner = draw(st.lists(schemas, min_size=1, max_size=4))
    return ConnectSchema("struct", fields=tuple(ConnectField(f"f{index}", schema) for index, schema in enumerate(inner)))


def _nested(schemas: st.SearchStrategy[ConnectSchema]) -> st.SearchStrategy[ConnectSchema]:
    optional = st.builds(lambda schema, optional: attrs.evolve(schema, optional=optional), schemas, _OPTIONAL)
    return st.one_of(
        _struct(optional),
        optional.map(lambda values: ConnectSchema("array", values=values)),
        st.builds(lambda keys, values: ConnectSchema("map", keys=keys, values=values), _PRIMITIVE, optional),
    )


_SCHEMAS = st.recursive(_PRIMITIVE | _LOGICAL, _nested, max_leaves=8)
_ROWS = _struct(st.builds(lambda schema, optional: attrs.evolve(schema, optional=optional), _SCHEMAS, _OPTIONAL))


@given(_ROWS)
def test_round_trip(schema: ConnectSchema) -> None:
    """Types, logical types and optionality survive the way to columns and back."""
    assert schema == connect_schema(schema.arrow_schema)


@given(_ROWS)
def test_columns_round_trip(schema: ConnectSchema) -> None:
    """The columns of the converted schema are the same."""
    assert schema.arrow_schema.equals(connect_schema(schema.arrow_schema).arrow_schema, check_metadata=True)


@given(_SCHEMAS, _ROWS)
def test_unchanged_fields_keep_their_schemas(inner: ConnectSchema, others: ConnectSchema) -> None:
    """Unchanged fields keep their names, documentation, defaults and parameters, which Arrow lacks."""
    documented = attrs.evolve(
        inner, name=inner.name or "org.example.Documented", doc="Documented.", parameters={**inner.parameters, "p": "1"}
    )
    like = ConnectSchema(
        "struct", name="org.example.Row", version=7, doc="Row.", fields=(ConnectField("kept", documented), *others.fields)
    )
    columns = like.arrow_schema.remove(1).append(pa.field("new", pa.int64()))
    expected = (
        ConnectField("kept", documented),
        *others.fields[1:],
        ConnectField("new", ConnectSchema("int64", optional=True)),
    )
    assert attrs.evolve(like, fields=expected) == connect_schema(columns, like)


def test_same_columns_same_object() -> None:
    """Unchanged columns return the same schema object."""
    like = ConnectSchema("int64", name="org.example.Number")
    assert like is connect_schema(like.arrow_schema, like)


def test_fields_of_a_changed_struct_keep_theirs() -> None:
    """A struct that lost a field keeps its schema and those of its other fields."""
    name = ConnectField("name", ConnectSchema("string", doc="Family name."))
    user = ConnectSchema("struct", name="org.example.User", fields=(name, ConnectField("age", ConnectSchema("int32"))))
    like = ConnectSchema("struct", fields=(ConnectField("user", user),))
    columns = pa.schema([pa.field("user", pa.struct([pa.field("name", pa.string(), nullable=False)]), nullable=False)])
    assert ConnectSchema("struct", fields=(ConnectField("user", attrs.evolve(user, fields=(name,))),)) == connect_schema(
        columns, like
    )


def test_nullable_field_becomes_optional() -> None:
    """A field that became nullable is optional, and keeps the rest of its schema."""
    like = ConnectSchema("struct", fields=(ConnectField("a", ConnectSchema("int32", doc="A.")),))
    assert (
        ConnectSchema("int32", optional=True, doc="A.")
        == connect_schema(pa.schema([("a", pa.int32())]), like).field_schemas["a"]
    )


def test_value_that_was_no_struct() -> None:
    """A value that was not a struct becomes a struct of its version once it has other columns."""
    like = ConnectSchema("string", version=2, doc="A text.")
    expected = ConnectSchema(
        "struct",
        version=2,
        doc="A text.",
        fields=(
            ConnectField("value", ConnectSchema("string", version=2, doc="A text.")),
            ConnectField("n", ConnectSchema("int64", optional=True)),
        ),
    )
    assert expected == connect_schema(like.arrow_schema.append(pa.field("n", pa.int64())), like)


@pytest.mark.parametrize(
    ("given_type", "column_type"),
    [
        (pa.uint8(), pa.int16()),
        (pa.uint32(), pa.int64()),
        (pa.uint64(), pa.uint64()),
        (pa.float16(), pa.float32()),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.binary_view(), pa.binary()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.null(), pa.string()),
        (pa.date64(), pa.date32()),
        (pa.time32("s"), pa.time32("ms")),
        (pa.time64("us"), pa.time64("us")),
        (pa.timestamp("s", "UTC"), pa.timestamp("ms", "UTC")),
        (pa.timestamp("ms", "Europe/Paris"), pa.timestamp("ms", "UTC")),
        (pa.timestamp("us", "Europe/Paris"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("us")),
        (pa.large_list(pa.int64()), pa.list_(pa.field("element", pa.int64()))),
        (pa.list_(pa.int64(), 2), pa.list_(pa.field("element", pa.int64()))),
    ],
)
def test_types_that_connect_lacks(given_type: pa.DataType, column_type: pa.DataType) -> None:
    """Types that Connect lacks become the nearest type that holds all of their values, or are kept."""
    assert pa.schema([("a", column_type)]) == connect_schema(pa.schema([("a", given_type)])).arrow_schema
