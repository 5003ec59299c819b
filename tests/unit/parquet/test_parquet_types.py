"""The types that columns have in files, and the rows that don't fit them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import ParquetWriter
from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.parquet.types import written_schema

FAR_MS = 2**63 - 1
MILLISECONDS = pa.timestamp("ms", "UTC")
WIDE = pa.decimal256(60, 2)


def _file(table: pa.Table, **settings: Any) -> pq.ParquetFile:
    writer = ParquetWriter(in_memory_bytes=4 << 20, **settings)
    file = writer.open()
    file.append(table)
    staged = file.finish({})
    return pq.ParquetFile(pa.BufferReader(staged.content))


def _column(table: pa.Table, types: str) -> str:
    """The Parquet type of the only column."""
    (line,) = str(_file(table, types=types).schema).splitlines()[2:-1]
    return line.replace("field_id=-1 ", "").strip().rstrip(";")


@pytest.mark.parametrize(
    ("type_", "own", "connect"),
    [
        (pa.int8(), "optional int32 x (Int(bitWidth=8, isSigned=true))", "optional int32 x"),
        (pa.int16(), "optional int32 x (Int(bitWidth=16, isSigned=true))", "optional int32 x"),
        (pa.decimal128(9, 2), "optional int32 x (Decimal(precision=9, scale=2))", None),
        (pa.decimal128(18, 2), "optional int64 x (Decimal(precision=18, scale=2))", None),
        (
            pa.decimal128(38, 2),
            "optional fixed_len_byte_array(16) x (Decimal(precision=38, scale=2))",
            "optional fixed_len_byte_array(16) x (Decimal(precision=38, scale=2))",
        ),
        (
            WIDE,
            "optional fixed_len_byte_array(16) x (Decimal(precision=38, scale=2))",
            "optional fixed_len_byte_array(26) x (Decimal(precision=60, scale=2))",
        ),
        (pa.decimal256(50, 40), "optional binary x (String)", None),
        (
            pa.time32("ms"),
            "optional int64 x (Time(isAdjustedToUTC=false, timeUnit=microseconds))",
            "optional int32 x (Time(isAdjustedToUTC=true, timeUnit=milliseconds))",
        ),
        (pa.date32(), "optional int32 x (Date)", "optional int32 x (Date)"),
        (pa.binary(3), "optional fixed_len_byte_array(3) x", "optional fixed_len_byte_array(3) x"),
    ],
)
def test_parquet_types(type_: pa.DataType, own: str, connect: str | None) -> None:
    """Ours, and those of Confluent's sink."""
    table = pa.table({"x": pa.nulls(2, type_)})
    assert own == _column(table, "own")
    assert connect is None or connect == _column(table, "connect")


@pytest.mark.parametrize(("types", "unit"), [("own", "us"), ("connect", "ms")])
@pytest.mark.parametrize("given", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", None])
def test_timestamps(types: Any, unit: str, given: str, zone: str | None) -> None:
    """Microseconds or milliseconds, whatever they were; those without a zone stay without one."""
    (field,) = _file(pa.table({"x": pa.array([0], pa.timestamp(given, zone))}), types=types).schema_arrow
    assert pa.timestamp(unit, zone) == field.type


def test_nested_types() -> None:
    """Structs, lists and maps at any depth; names, nullability and metadata stay."""
    inner = pa.struct([pa.field("at", MILLISECONDS, nullable=False, metadata={b"doc": b"d"}), ("b", pa.bool_())])
    schema = pa.schema(
        [
            pa.field("list", pa.list_(pa.field("element", inner, nullable=False))),
            pa.field("large", pa.large_list(pa.field("element", inner))),
            pa.field("map", pa.map_(MILLISECONDS, pa.field("value", inner, nullable=False))),
        ],
        metadata={b"k": b"v"},
    )
    text = str(schema.to_string(show_field_metadata=True))
    written = written_schema(schema, "own")
    assert text.replace("timestamp[ms", "timestamp[us") == written.to_string(show_field_metadata=True)
    assert written.equals(written_schema(written, "own"), check_metadata=True)


def test_a_table_that_fits_is_not_copied() -> None:
    """A table that has the file's types already is not copied."""
    table = pa.table({"x": [1]})
    assert table is ParquetWriter(types="own").fit(table).table


def test_digits_behind_the_last_are_cut_off() -> None:
    """Nanoseconds have no place in files."""
    table = pa.table({"x": pa.array([1_999, None], pa.timestamp("ns"))})
    assert [1, None] == ParquetWriter(types="own").fit(table).table["x"].cast(pa.int64()).to_pylist()


def test_rows_that_do_not_fit() -> None:
    """Each row that doesn't fit has its first field as the reason, and the other rows stay."""
    table = pa.table(
        {
            "at": pa.array([0, FAR_MS, 2, -FAR_MS, 4], MILLISECONDS),
            "n": pa.array([Decimal(1), Decimal(2), Decimal("1e40"), None, None], WIDE),
        }
    )
    fitted = ParquetWriter(types="own").fit(table)
    assert [(0, Decimal(1)), (4000, None)] == list(
        zip(fitted.table["at"].cast(pa.int64()).to_pylist(), fitted.table["n"].to_pylist(), strict=True)
    )
    assert {1, 2, 3} == set(fitted.refused)
    assert fitted.refused[1].startswith("field at: ")
    assert "38" in fitted.refused[2]
    assert {1, 3} == set(ParquetWriter(types="connect").fit(table).refused)


def test_rows_that_do_not_fit_inside_lists() -> None:
    """Values inside nested lists are checked too."""
    table = pa.table({"x": pa.array([[{"at": 0}], [{"at": FAR_MS}], None], pa.list_(pa.struct([("at", MILLISECONDS)])))})
    fitted = ParquetWriter(types="own").fit(table)
    assert ([1], 2) == (list(fitted.refused), fitted.table.num_rows)


@pytest.mark.parametrize(
    "type_",
    [
        MILLISECONDS,
        pa.struct([pa.field("at", MILLISECONDS)]),
        pa.list_(MILLISECONDS),
        pa.map_(pa.string(), MILLISECONDS),
        pa.list_(pa.struct([pa.field("at", MILLISECONDS)])),
    ],
    ids=str,
)
@pytest.mark.parametrize("types", ["own", "connect"])
def test_milliseconds_beyond_microseconds_are_refused(types: Any, type_: pa.DataType) -> None:
    """DuckDB refuses a whole file for one of them, whatever unit it is written in."""

    def value(milliseconds: int) -> Any:
        if pa.types.is_map(type_):
            return [("k", milliseconds)]
        if pa.types.is_list(type_):
            return [{"at": milliseconds}] if pa.types.is_struct(type_.value_type) else [milliseconds]
        return {"at": milliseconds} if pa.types.is_struct(type_) else milliseconds

    latest = (2**63 - 1) // 1000
    values = [value(0), value(latest), value(latest + 1), None, value(-latest), value(-(2**62))]
    fitted = ParquetWriter(types=types).fit(pa.table({"x": pa.array(values, type_)}))
    assert ([2, 5], 4) == (list(fitted.refused), fitted.table.num_rows)


def test_rows_outside_of_a_slice_do_not_matter() -> None:
    """A slice shares its elements with the table that it was cut from."""
    table = pa.table({"x": pa.array([[0], [FAR_MS], [2]], pa.list_(MILLISECONDS))})
    for start in (0, 2):
        fitted = ParquetWriter(types="own").fit(table.slice(start, 1))
        assert ({}, 1) == (fitted.refused, fitted.table.num_rows)


_HIDDEN = pa.StructArray.from_arrays([pa.array([0, FAR_MS, FAR_MS], MILLISECONDS)], ["at"], mask=pa.array([False, True, False]))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, FAR_MS, None], pa.timestamp("s")),
        pa.array([1, FAR_MS, -FAR_MS], pa.timestamp("us")),
        pa.array([1, FAR_MS, -FAR_MS], pa.timestamp("ns")),
        pa.array([1, FAR_MS, None], MILLISECONDS).slice(2),
        pa.array([], MILLISECONDS),
        pa.array([Decimal(1), Decimal("1e40"), None], WIDE),
        pa.array([[FAR_MS], [1], None], pa.list_(MILLISECONDS)),
        pa.array([[FAR_MS], [1], None], pa.large_list(MILLISECONDS)).slice(1),
        pa.array([[("k", {"at": FAR_MS})], [], None], pa.map_(pa.string(), pa.struct([("at", MILLISECONDS)]))),
        pa.array([[(FAR_MS, 1)], [(1, 2)]], pa.map_(MILLISECONDS, pa.int8())),
        _HIDDEN,
        _HIDDEN.slice(0, 2),
        pa.array([1, 2], pa.int8()),
        pa.array([2**40, None], pa.time64("us")),
    ],
    ids=lambda column: f"{column.type}-{len(column)}",
)
@pytest.mark.parametrize("types", ["own", "connect"])
def test_unwritable_rows_are_those_that_fit_leaves_out(types: Any, column: pa.Array) -> None:
    """`unwritable_rows` finds what `fit` refuses, although it casts only columns that may have such rows."""
    table, writer = pa.table({"x": column}), ParquetWriter(types=types)
    assert writer.fit(table).refused == writer.unwritable_rows(table)


def test_rows_that_do_not_fit_are_not_written() -> None:
    """The writer refuses rows that don't fit, because they should have been rejected before."""
    file = ParquetWriter().open()
    with pytest.raises(UsageError, match="Row 1 can't be written: field x"):
        file.append(pa.table({"x": pa.array([0, FAR_MS], MILLISECONDS)}))
    assert 0 == file.rows


@pytest.mark.parametrize("types", ["own", "connect"])
def test_files_without_rows_have_the_same_types(types: Any) -> None:
    """A file without rows has the same types as a file with rows."""
    schema = pa.schema([("at", pa.timestamp("s")), ("i", pa.int8())])
    empty = pq.ParquetFile(pa.BufferReader(ParquetWriter(types=types).open().finish({}, schema).content))
    assert _file(schema.empty_table(), types=types).schema.equals(empty.schema)


def test_parts_of_a_grown_schema_are_united_in_the_types_of_the_file() -> None:
    """Row groups that were written before the schema grew are converted too."""
    file = ParquetWriter().open()
    file.append(pa.table({"at": pa.array([1], MILLISECONDS)}))
    file.spill()
    file.append(pa.table({"at": pa.array([2], MILLISECONDS), "n": [1]}))
    table = pq.read_table(pa.BufferReader(file.finish({}).content))
    assert [pa.timestamp("us", "UTC"), pa.int64()] == table.schema.types
    assert [1000, 2000] == table["at"].cast(pa.int64()).to_pylist()


def test_an_open_file_has_the_types_that_rows_came_with() -> None:
    """An open file reports the rows' original types, so that more rows of the same schema fit."""
    file = ParquetWriter().open()
    given = pa.schema([pa.field("at", MILLISECONDS, nullable=False), ("i", pa.int8())])
    file.append(given.empty_table())
    assert given == file.schema()
    file.spill()
    assert given == file.schema()
    file.append(pa.table({"at": pa.array([1], MILLISECONDS), "i": pa.array([1], pa.int8()), "n": [1]}))
    assert pa.schema([("at", MILLISECONDS), ("i", pa.int8()), ("n", pa.int64())]) == file.schema()


def test_pages_have_an_index_and_checksums() -> None:
    """Files have a page index and checksums, so that engines skip pages and notice damage."""
    table = pa.table({"x": range(100_000)})
    file = _file(table, compression="none")
    column = file.metadata.row_group(0).column(0)
    assert (True, True, True) == (column.has_column_index, column.has_offset_index, column.statistics.has_min_max)
    writer = ParquetWriter(compression="none", in_memory_bytes=4 << 20).open()
    writer.append(table)
    finished = writer.finish({}).content
    assert isinstance(finished, bytes)
    content = bytearray(finished)
    content[len(content) // 2] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(pa.BufferReader(bytes(content)), page_checksum_verification=True)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"compression": "lzo"}, "not 'lzo'"),
        ({"types": "spark"}, "types has to be 'own' or 'connect', not 'spark'"),
        ({"compression_level": 3}, "snappy has no levels"),
        ({"compression": "zstd", "compression_level": 23}, "compression_level of zstd has to be from 0 to 22, not 23"),
        ({"compression": "gzip", "compression_level": 0}, "compression_level of gzip has to be from 1 to 9, not 0"),
    ],
)
def test_settings_that_can_not_work(settings: dict[str, Any], problem: str) -> None:
    """Settings that can't work are refused before anything is written."""
    with pytest.raises(ConfigurationError, match=problem):
        ParquetWriter(**settings)


def test_a_higher_level_makes_smaller_files() -> None:
    """The compression level reaches the encoder."""
    table = pa.table({"x": [f"{number * 7919 % 10007}" for number in range(50_000)]})
    sizes = [
        _file(table, compression="zstd", compression_level=level).metadata.row_group(0).column(0).total_compressed_size
        for level in (1, 19)
    ]
    assert sizes[1] < sizes[0]


def test_maps_whose_keys_are_not_text() -> None:
    """Confluent's sink makes lists of them, as Avro has no such maps; at any depth, with nulls and in slices."""
    entries: list[dict[str, Any] | None] = [{"m": [(1, "a"), (2, None)]}, {"m": None}, None, {"m": []}, {"m": [(3, "c")]}]
    type_ = pa.struct([("m", pa.map_(pa.int8(), pa.string()))])
    table = pa.table({"text": pa.array([[("k", 1)]] * 5, pa.map_(pa.string(), pa.int64())), "x": pa.array(entries, type_)})
    expected = [
        None if row is None or row["m"] is None else [dict(zip(("key", "value"), e, strict=True)) for e in row["m"]]
        for row in entries
    ]
    for start in (0, 1, 4):
        found = _file(table.slice(start), types="connect").read()
        assert [expected[i] for i in range(start, 5)] == [row and row["m"] for row in found.column("x").to_pylist()]
        assert pa.types.is_map(found.schema.field("text").type)
        element = found.schema.field("x").type.field("m").type.value_field
        assert (
            pa.field(
                "element", pa.struct([pa.field("key", pa.int32(), nullable=False), ("value", pa.string())]), nullable=False
            )
            == element
        )
        own = _file(table.slice(start), types="own").read()
        assert table.slice(start).column("x").to_pylist() == own.column("x").to_pylist()


def test_maps_with_keys_of_any_other_type() -> None:
    """A map with other keys than texts is converted even if the rest of the column is not."""
    table = pa.table({"m": pa.array([[(1, "a")]], pa.map_(pa.int32(), pa.string()))})
    assert [{"m": [{"key": 1, "value": "a"}]}] == _file(table, types="connect").read().to_pylist()
