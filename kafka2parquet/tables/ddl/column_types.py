"""Types of columns in the SQL of each engine."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pyarrow as pa
import pyarrow.types as pat

_Struct = Callable[[list[tuple[str, str]]], str]


@attrs.frozen
class TypeNames:
    """How an engine writes types.

    Attributes:
        names: by the kind of type; a kind that is missing can't be read by the engine.
        list_of: makes the type of a list from the type of its elements.
        map_of: makes the type of a map from the types of key and value; None if the engine has none.
        struct_of: makes the type of a struct from names and types.
    """

    names: dict[str, str]
    list_of: Callable[[str], str]
    map_of: Callable[[str, str], str] | None
    struct_of: _Struct


def _hive_struct(fields: list[tuple[str, str]]) -> str:
    return f"struct<{', '.join(f'`{name}`: {type_}' for name, type_ in fields)}>"


def _athena_struct(fields: list[tuple[str, str]]) -> str:
    return f"struct<{','.join(f'{name}:{type_}' for name, type_ in fields)}>"


def _row(fields: list[tuple[str, str]]) -> str:
    return f"row({', '.join(f'{double_quoted(name)} {type_}' for name, type_ in fields)})"


def double_quoted(name: str) -> str:
    """Return a name in double quotes."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def back_quoted(name: str) -> str:
    """Return a name in back quotes."""
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


_HIVE_NAMES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float": "float",
    "double": "double",
    "decimal": "decimal({0}, {1})",
    "string": "string",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp",
    "instant": "timestamp",
}

HIVE = TypeNames(_HIVE_NAMES, lambda item: f"array<{item}>", lambda key, value: f"map<{key}, {value}>", _hive_struct)
ATHENA = TypeNames(_HIVE_NAMES, lambda item: f"array<{item}>", lambda key, value: f"map<{key},{value}>", _athena_struct)
SPARK = TypeNames({**_HIVE_NAMES, "timestamp": "timestamp_ntz"}, HIVE.list_of, HIVE.map_of, _hive_struct)
TRINO = TypeNames(
    {
        **_HIVE_NAMES,
        "int32": "integer",
        "float": "real",
        "string": "varchar",
        "binary": "varbinary",
        "timestamp": "timestamp(6)",
        "instant": "timestamp(6)",
    },
    lambda item: f"array({item})",
    lambda key, value: f"map({key}, {value})",
    _row,
)
SNOWFLAKE = TypeNames(
    {
        **_HIVE_NAMES,
        "int8": "number(3, 0)",
        "int16": "number(5, 0)",
        "int32": "number(10, 0)",
        "int64": "number(19, 0)",
        "float": "float",
        "double": "float",
        "decimal": "number({0}, {1})",
        "string": "varchar",
        "timestamp": "timestamp_ntz",
        "instant": "timestamp_ltz",
        "time": "time",
    },
    lambda item: "array",
    lambda key, value: "object",
    lambda fields: "object",
)
DUCKDB = TypeNames(
    {**_HIVE_NAMES, "int32": "integer", "string": "varchar", "binary": "blob", "instant": "timestamptz", "time": "time"},
    lambda item: f"{item}[]",
    lambda key, value: f"map({key}, {value})",
    lambda fields: f"struct({', '.join(f'{double_quoted(name)} {type_}' for name, type_ in fields)})",
)

#: The signed type that holds all values of an unsigned one.
_UNSIGNED = {"uint8": pa.int16(), "uint16": pa.int32(), "uint32": pa.int64(), "uint64": pa.decimal128(20)}


class NoTypeError(Exception):
    """An engine has no type for a column."""


def column_type(names: TypeNames, type_: pa.DataType) -> str:
    """Return the name of an Arrow type in an engine's SQL.

    Raises:
        NoTypeError: the engine has no such type.
    """
    if pat.is_list(type_) or pat.is_large_list(type_):
        return names.list_of(column_type(names, type_.value_type))
    if pat.is_map(type_):
        if names.map_of is None:
            raise NoTypeError(str(type_))
        return names.map_of(column_type(names, type_.key_type), column_type(names, type_.item_type))
    if pat.is_struct(type_):
        fields = (type_.field(index) for index in range(type_.num_fields))
        return names.struct_of([(field.name, column_type(names, field.type)) for field in fields])
    if str(type_) in _UNSIGNED:
        return column_type(names, _UNSIGNED[str(type_)])
    kind = _kind(type_)
    if kind not in names.names:
        raise NoTypeError(str(type_))
    precision, scale = (type_.precision, type_.scale) if pat.is_decimal(type_) else (0, 0)
    return names.names[kind].format(precision, scale)


def _kind(type_: pa.DataType) -> str:
    if pat.is_timestamp(type_):
        return "timestamp" if type_.tz is None else "instant"
    kinds: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
        (pat.is_boolean, "bool"),
        (pat.is_date, "date"),
        (pat.is_time, "time"),
        (pat.is_decimal, "decimal"),
        (pat.is_string, "string"),
        (pat.is_large_string, "string"),
        (pat.is_binary, "binary"),
        (pat.is_large_binary, "binary"),
        (pat.is_fixed_size_binary, "binary"),
    )
    return next((kind for matches, kind in kinds if matches(type_)), str(type_))
