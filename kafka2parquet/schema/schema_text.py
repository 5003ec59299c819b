"""Reads and writes columns as JSON that people can read, review and edit.

    [
      {"name": "id", "type": "int64", "nullable": true},
      {"name": "tags", "type": "list<string>", "nullable": true},
      {"name": "items", "type": "list<struct>", "nullable": true, "fields": [{"name": "price", "type": "double"}]}
    ]

`nullable` may be left out, and `doc` may be added. A struct, however deep in lists, has its `fields` next to its type. With
`"exact": true` an int64 never becomes a double, because it has integers that a double doesn't hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.field_paths import join_path
from kafka2parquet.schema.lattice import any_field, exact_field, is_any, is_exact_field

#: JSON's own types; only these are learned.
JSON_TYPES = {"boolean": pa.bool_(), "int64": pa.int64(), "double": pa.float64(), "string": pa.string()}
_ANY = "any"
_STRUCT = "struct"
_LIST = re.compile(r"list<(.*)>")
_ITEM = pa.list_(pa.null()).value_field.name
_KEYS = {"name", "type", "nullable", "fields", "doc", "exact"}
_MAX_DEPTH = 64

_SIMPLE = {
    **JSON_TYPES,
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "float": pa.float32(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "date32": pa.date32(),
}
#: The names of types without parameters.
_NAMES = {type_.id: name for name, type_ in reversed(_SIMPLE.items())}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:,\s*(?:tz=)?([^\]]+))?\]")
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")


def fields_to_json(schema: pa.Schema) -> list[dict[str, Any]]:
    """Convert columns to an object for `json.dumps`."""
    return [_field_to_json(field) for field in schema]


def _field_to_json(field: pa.Field) -> dict[str, Any]:
    text, members = type_and_members(field)
    made: dict[str, Any] = {"name": field.name, "type": text, "nullable": True}
    if is_exact(field):
        made["exact"] = True
    if members is not None:
        made["fields"] = [_field_to_json(member) for member in members]
    return made


def is_exact(field: pa.Field) -> bool:
    """Whether the integers of a field, or of its lists, never become doubles."""
    return is_exact(field.type.value_field) if pa.types.is_list(field.type) else is_exact_field(field)


def type_text(field: pa.Field) -> str:
    """Return a field's type in words, such as `list<double>` or `struct`."""
    return type_and_members(field)[0]


def type_and_members(field: pa.Field) -> tuple[str, Iterable[pa.Field] | None]:
    """Return a field's type in words, and the fields of a struct, however deep in lists; None without a struct."""
    type_ = field.type
    if is_any(field):
        return _ANY, None
    simple = _NAMES.get(type_.id)
    if simple is not None:
        return simple, None
    if pa.types.is_list(type_):
        text, members = type_and_members(type_.value_field)
        return f"list<{text}>", members
    if pa.types.is_struct(type_):
        return _STRUCT, list(type_)
    if pa.types.is_timestamp(type_):
        return (f"timestamp[{type_.unit}, {type_.tz}]" if type_.tz else f"timestamp[{type_.unit}]"), None
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})", None
    return str(type_), None


def schema_from_json(fields: Any, where: str, *, learnable: bool = False) -> pa.Schema:
    """Read columns from JSON.

    Args:
        fields: from `json.loads`.
        where: the file, for messages.
        learnable: whether only types that are learned from JSON are allowed.

    Raises:
        ConfigurationError: the columns are not valid; the error lists all problems.
    """
    problems: list[str] = []

    def problem(path: str, text: str) -> None:
        problems.append(f"{where}: {path}: {text}" if path else f"{where}: {text}")

    schema = pa.schema(_fields(fields, "", problem, learnable, 0))
    if not problems and not len(schema):
        problem("", "it has no fields. Name at least one column.")
    if problems:
        raise ConfigurationError(problems)
    return schema


_Problem = Callable[[str, str], None]


def _fields(given: Any, path: str, problem: _Problem, learnable: bool, depth: int) -> list[pa.Field]:
    if depth > _MAX_DEPTH:
        problem(path, f"nested more than {_MAX_DEPTH} levels deep.")
        return []
    if not isinstance(given, list):
        problem(path, '"fields" is not a list. Write one object with "name" and "type" for each column.')
        return []
    fields: dict[str, pa.Field] = {}
    for index, item in enumerate(given):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            problem(path, f'field {index + 1} has no "name".')
            continue
        inner = join_path(path, name)
        if name in fields:
            problem(inner, "the name appears twice.")
        for unknown in sorted(set(item) - _KEYS):
            problem(inner, f'"{unknown}" is unknown; a field has {", ".join(sorted(_KEYS))}.')
        if item.get("nullable", True) is not True:
            problem(inner, '"nullable" must be true: any member of a JSON object may be missing.')
        field = _field(name, item, inner, problem, learnable, depth)
        if field is not None:
            fields[name] = field
    return list(fields.values())


def _field(name: str, item: dict[str, Any], path: str, problem: _Problem, learnable: bool, depth: int) -> pa.Field | None:
    text = item.get("type")
    if not isinstance(text, str):
        problem(path, 'it has no "type".')
        return None
    text = text.strip()
    match = _LIST.fullmatch(text)
    if match is not None:
        if depth > _MAX_DEPTH:
            problem(path, f"nested more than {_MAX_DEPTH} levels deep.")
            return None
        element = _field(_ITEM, {**item, "type": match[1]}, path, problem, learnable, depth + 1)
        return None if element is None else pa.field(name, pa.list_(element))
    if text == _STRUCT:
        members = _fields(item.get("fields"), path, problem, learnable, depth + 1)
        if not members and item.get("fields") == []:
            problem(path, "a struct without fields can't be written.")
        return pa.field(name, pa.struct(members))
    if "fields" in item:
        problem(path, f'"fields" belong to a struct, and the type is {text}.')
    if text == _ANY:
        return any_field(name)
    type_ = (JSON_TYPES if learnable else _SIMPLE).get(text)
    if type_ is None and not learnable:
        type_ = _parameterised(text)
    if type_ is None:
        problem(path, f"the type {text!r} is unknown. {_known_types(learnable)}")
        return None
    if item.get("exact", False) is not False:
        if item["exact"] is True and text == "int64":
            return exact_field(name)
        problem(path, '"exact" is true or false, and belongs to int64.')
    return pa.field(name, type_)


def _parameterised(text: str) -> pa.DataType | None:
    timestamp, decimal = _TIMESTAMP.fullmatch(text), _DECIMAL.fullmatch(text)
    if timestamp is not None:
        return pa.timestamp(timestamp[1], timestamp[2])
    if decimal is not None:
        precision, scale = int(decimal[1]), int(decimal[2] or 0)
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    return None


def _known_types(learnable: bool) -> str:
    names = [*JSON_TYPES, _ANY, "list<...>", _STRUCT]
    if not learnable:
        names += [name for name in _SIMPLE if name not in JSON_TYPES] + ["timestamp[us, UTC]", "decimal(10, 2)"]
    more = " Other types are allowed in a schema file of the topic, which isn't learned." if learnable else ""
    return f"Use one of {', '.join(names)}.{more}"


def changes(old: Sequence[pa.Field], new: Sequence[pa.Field], path: str = "") -> Iterator[str]:
    """Describe the differences between old and new columns, in words."""
    before = {field.name: field for field in old}
    for field in new:
        where = join_path(path, field.name)
        earlier = before.get(field.name)
        if earlier is None:
            yield f"new: {where} ({type_text(field)})"
        elif not field.equals(earlier, check_metadata=True):
            yield from _type_changes(earlier, field, where)
    after = {field.name for field in new}
    yield from (f"gone: {join_path(path, name)}" for name in before if name not in after)


def _type_changes(old: pa.Field, new: pa.Field, path: str) -> Iterator[str]:
    if pa.types.is_struct(old.type) and pa.types.is_struct(new.type):
        yield from changes(list(old.type), list(new.type), path)
    elif pa.types.is_list(old.type) and pa.types.is_list(new.type):
        yield from _type_changes(old.type.value_field, new.type.value_field, f"{path}[]")
    elif type_text(old) != type_text(new):
        yield f"{path}: {type_text(old)} became {type_text(new)}"
    elif is_exact(new) and not is_exact(old):
        yield f"{path}: {type_text(new)} has integers that a double doesn't hold, and stays an integer"


def shrinkage(old: Sequence[pa.Field], new: Sequence[pa.Field], path: str = "") -> Iterator[str]:
    """Yield the reasons why the new columns can't grow from the old columns along the lattice."""
    after = {field.name: field for field in new}
    for field in old:
        where = join_path(path, field.name)
        if field.name not in after:
            yield f"{where} is missing; columns that files have can't be removed"
        else:
            yield from _type_shrinkage(field, after[field.name], where)


def _type_shrinkage(old: pa.Field, new: pa.Field, path: str) -> Iterator[str]:
    if is_any(new):
        return
    if not is_any(old):
        if pa.types.is_struct(old.type) and pa.types.is_struct(new.type):
            yield from shrinkage(list(old.type), list(new.type), path)
            return
        if pa.types.is_list(old.type) and pa.types.is_list(new.type):
            yield from _type_shrinkage(old.type.value_field, new.type.value_field, f"{path}[]")
            return
        if old.type.equals(new.type) or (old.type, new.type) == (pa.int64(), pa.float64()):
            return
    yield f"{path}: {type_text(old)} can't become {type_text(new)}; integers may become double, and everything any"
