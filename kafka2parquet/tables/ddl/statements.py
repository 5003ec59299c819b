"""Writes the statement that makes a table, or a view, of a topic's folders, for each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.ddl.column_types import (
    ATHENA,
    DUCKDB,
    HIVE,
    SNOWFLAKE,
    SPARK,
    TRINO,
    NoTypeError,
    TypeNames,
    back_quoted,
    column_type,
    double_quoted,
)
from kafka2parquet.tables.ddl.layout import TableLayout

#: Engines that compare names of columns without case.
_WITHOUT_CASE = ("athena", "bigquery", "duckdb", "hive", "spark", "trino")

_Quote = Callable[[str], str]


def statement(engine: str, table: str, layout: TableLayout) -> str:
    """Return the SQL that makes the table, with notes as comments before it.

    Args:
        engine: one of `ENGINES`.
        table: name of the table; parts are separated by dots.
        layout: the columns and folders.

    Raises:
        ConfigurationError: two columns differ only in case, and the engine ignores case.
    """
    names = [*layout.columns.names, *(column.name for column in layout.folders)]
    same = {name for name in names if sum(name.lower() == other.lower() for other in names) > 1}
    if engine in _WITHOUT_CASE and same:
        raise ConfigurationError(f"{engine} doesn't distinguish the columns {', '.join(sorted(same))}. Rename one of them.")
    notes: list[str] = []
    text = ENGINES[engine](table, layout, notes)
    return "\n".join([*(f"-- Note: {note}." for note in (*layout.notes, *notes)), text])


def _hive(table: str, layout: TableLayout, notes: list[str]) -> str:
    name = _quoted(table, back_quoted)
    lines = _external_table(name, layout, HIVE, notes)
    if layout.folders:
        return f"{lines};\nMSCK REPAIR TABLE {name};"
    if layout.levels:
        notes.append("set mapreduce.input.fileinputformat.input.dir.recursive=true, because the folders have no columns")
    return f"{lines};"


def _athena(table: str, layout: TableLayout, notes: list[str]) -> str:
    lines = _external_table(_quoted(table, back_quoted), layout, ATHENA, notes, _s3_location(layout.location))
    if not layout.folders:
        return f"{lines};"
    properties = {"projection.enabled": "true"}
    for column in layout.folders:
        properties |= {f"projection.{column.name}.{name}": value for name, value in column.projection.items()}
        if column.projection["type"] == "injected":
            notes.append(f"each query has to say {column.name} = …, because its values can't be listed")
        if column.projection.get("digits") == "4":
            notes.append(f"the table has the years {column.projection['range'].replace(',', ' to ')} of {column.name}")
        if column.name == "partition" and column.projection["type"] == "integer":
            notes.append("raise the range of projection.partition when the topic gets more partitions")
    listed = ",\n".join(f"  {_text(name)} = {_text(value)}" for name, value in properties.items())
    return f"{lines}\nTBLPROPERTIES (\n{listed}\n);"


def _external_table(name: str, layout: TableLayout, names: TypeNames, notes: list[str], location: str | None = None) -> str:
    columns = _columns(layout.columns, names, back_quoted, notes)
    folders = [f"  {back_quoted(column.name)} {column_type(names, column.type)}" for column in layout.folders]
    partitioned = ["PARTITIONED BY (", ",\n".join(folders), ")"] if folders else []
    return "\n".join(
        [
            f"CREATE EXTERNAL TABLE {name} (",
            columns,
            ")",
            *partitioned,
            "STORED AS PARQUET",
            f"LOCATION {_text(f'{location or layout.location}/')}",
        ]
    )


def _spark(table: str, layout: TableLayout, notes: list[str]) -> str:
    name = _quoted(table, back_quoted)
    folders = [f"  {back_quoted(column.name)} {column_type(SPARK, column.type)}" for column in layout.folders]
    columns = ",\n".join([*_lines(layout.columns, SPARK, back_quoted, notes), *folders])
    location = _text(layout.location, backslashes=True)
    partitioned = ", ".join(back_quoted(column.name) for column in layout.folders)
    if not layout.folders:
        if layout.levels:
            notes.append("the table reads subfolders only with the option recursiveFileLookup")
        options = "\nOPTIONS ('recursiveFileLookup' = 'true')" if layout.levels else ""
        return f"CREATE TABLE {name} (\n{columns}\n)\nUSING PARQUET{options}\nLOCATION {location};"
    return (
        f"CREATE TABLE {name} (\n{columns}\n)\nUSING PARQUET\nPARTITIONED BY ({partitioned})\nLOCATION {location};\n"
        f"MSCK REPAIR TABLE {name};"
    )


def _trino(table: str, layout: TableLayout, notes: list[str]) -> str:
    folders = [f"  {double_quoted(column.name)} {column_type(TRINO, column.type)}" for column in layout.folders]
    columns = ",\n".join([*_lines(layout.columns, TRINO, double_quoted, notes), *folders])
    settings = [f"  external_location = {_text(f'{layout.location}/')}", "  format = 'PARQUET'"]
    if layout.folders:
        partitioned = ", ".join(_text(column.name) for column in layout.folders)
        settings.append(f"  partitioned_by = ARRAY[{partitioned}]")
        notes.append(
            "new folders become visible by CALL system.sync_partition_metadata(schema_name, table_name, 'ADD') of the same"
            " catalog, or by kafka2parquet publish --to glue"
        )
    elif layout.levels:
        notes.append("set hive.recursive-directories=true for the catalog, because the folders have no columns")
    listed = ",\n".join(settings)
    return f"CREATE TABLE {_quoted(table, double_quoted)} (\n{columns}\n)\nWITH (\n{listed}\n);"


def _bigquery(table: str, layout: TableLayout, notes: list[str]) -> str:
    if not layout.location.startswith("gs://"):
        notes.append("BigQuery reads gs://; for S3, add WITH CONNECTION after the columns")
    partitioned, options = "", {"format": "'PARQUET'", "uris": f"[{_text(f'{layout.location}/*')}]"}
    if layout.folders:
        columns = ", ".join(f"{back_quoted(column.name)} {_bigquery_type(column.type)}" for column in layout.folders)
        partitioned = f"\nWITH PARTITION COLUMNS ({columns})"
        options |= {
            "hive_partition_uri_prefix": _text(layout.location),
            "require_hive_partition_filter": "false",
        }
    if layout.newest is not None:
        options["reference_file_schema_uri"] = _text(layout.newest)
    options["enable_list_inference"] = "true"
    notes.append("BigQuery takes the columns and types from the newest file")
    listed = ",\n".join(f"  {name} = {value}" for name, value in options.items())
    return f"CREATE EXTERNAL TABLE {back_quoted(table)}{partitioned}\nOPTIONS (\n{listed}\n);"


def _bigquery_type(type_: pa.DataType) -> str:
    if pa.types.is_integer(type_):
        return "INT64"
    return "BOOL" if pa.types.is_boolean(type_) else "STRING"


def _duckdb(table: str, layout: TableLayout, notes: list[str]) -> str:
    folders = [f"{_glob(column.name)}=*" for column in layout.folders] if len(layout.folders) == layout.levels else []
    pattern = "/".join([*(folders or ["*"] * layout.levels), "*.parquet"])
    types = ", ".join(f"{_text(column.name)}: {column_type(DUCKDB, column.type)}" for column in layout.folders)
    hive = f"hive_partitioning = true, hive_types = {{{types}}}" if layout.folders else "hive_partitioning = false"
    location = _glob(layout.location.removeprefix("file://"))
    return (
        f"CREATE OR REPLACE VIEW {_quoted(table, double_quoted)} AS\n"
        f"SELECT * FROM read_parquet({_text(f'{location}/{pattern}')}, union_by_name = true, {hive});"
    )


def _snowflake(table: str, layout: TableLayout, notes: list[str]) -> str:
    name = _quoted(table, double_quoted)
    stage = _quoted(f"{table}_stage", double_quoted)
    notes.append("give the stage a STORAGE_INTEGRATION that may read the folder")
    columns = [
        f"  {double_quoted(column.name)} VARCHAR AS"
        f" (REGEXP_SUBSTR(METADATA$FILENAME, {_text(f'{column.name}=([^/]+)')}, 1, 1, 'e', 1))"
        for column in layout.folders
    ]
    for field in layout.columns:
        try:
            type_ = column_type(SNOWFLAKE, field.type).upper()
        except NoTypeError as error:
            notes.append(f"the column {field.name} is left out, because there is no type for {error}")
            continue
        columns.append(f"  {double_quoted(field.name)} {type_} AS (VALUE:{double_quoted(field.name)}::{type_})")
    partitioned = ", ".join(double_quoted(column.name) for column in layout.folders)
    url = layout.location.replace("gs://", "gcs://", 1)
    return (
        f"CREATE STAGE IF NOT EXISTS {stage} URL = {_text(f'{url}/')};\n"
        f"CREATE EXTERNAL TABLE {name} (\n" + ",\n".join(columns) + "\n)\n"
        f"{f'PARTITION BY ({partitioned})' + chr(10) if partitioned else ''}LOCATION = @{stage}\n"
        "FILE_FORMAT = (TYPE = PARQUET);"
    )


def _columns(schema: pa.Schema, names: TypeNames, quote: _Quote, notes: list[str]) -> str:
    return ",\n".join(_lines(schema, names, quote, notes))


def _lines(schema: pa.Schema, names: TypeNames, quote: _Quote, notes: list[str]) -> Iterator[str]:
    """Yield a line for each column that the engine has a type for; the others become notes."""
    for field in schema:
        try:
            yield f"  {quote(field.name)} {column_type(names, field.type)}"
        except NoTypeError as error:
            notes.append(f"the column {field.name} is left out, because there is no type for {error}")


def _quoted(table: str, quote: _Quote) -> str:
    return ".".join(map(quote, table.split(".")))


def _text(value: str, *, backslashes: bool = False) -> str:
    """Return a text as a literal."""
    escaped = value.replace("\\", "\\\\") if backslashes else value
    escaped = escaped.replace("'", "''")
    return f"'{escaped}'"


def _glob(text: str) -> str:
    """Return a text that matches only itself in a pattern of files."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def _s3_location(location: str) -> str:
    return location.replace("s3a://", "s3://", 1)


#: The engines, and what writes their statements.
ENGINES: Mapping[str, Callable[[str, TableLayout, list[str]], str]] = {
    "athena": _athena,
    "bigquery": _bigquery,
    "duckdb": _duckdb,
    "hive": _hive,
    "snowflake": _snowflake,
    "spark": _spark,
    "trino": _trino,
}
