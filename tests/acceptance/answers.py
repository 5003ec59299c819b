"""The answer of a function, beside what the case expects of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.problems import Problem
from tests.acceptance.cases import Case, CaseFolder
from tests.acceptance.compare import Mismatch
from tests.acceptance.functions import FUNCTIONS, Function
from tests.acceptance.java_errors import fits
from tests.acceptance.outcome import CaseError, NotApplicableError
from tests.acceptance.values import same

#: Members of what is expected that are only for people.
_PROSE = frozenset({"why", "how", "note", "reportable"})
_TYPES = {
    "boolean": pa.bool_(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float": pa.float32(),
    "float64": pa.float64(),
    "double": pa.float64(),
    "string": pa.string(),
    "utf8": pa.string(),
    "binary": pa.binary(),
    "bytes": pa.binary(),
    "null": pa.null(),
    "date32": pa.date32(),
    "date": pa.date32(),
    "date32[day]": pa.date32(),
    "time32[ms]": pa.time32("ms"),
    "time32(ms)": pa.time32("ms"),
}
_TIMESTAMP = re.compile(r"timestamp[\[(](ms|us)(?:, *(?:tz=)?UTC)?[\])]")
_DECIMAL = re.compile(r"decimal(128|256)\((\d+), *(\d+)\)")


def answer(case: Case, folder: CaseFolder, function: Function | None = None) -> Mapping[str, Any] | CaseError:
    """Returns the library's answer; a raised error is an answer, too.

    Raises:
        NotApplicableError: the library doesn't have what is asked for.
    """
    name = case.data["function"]
    known = function or FUNCTIONS.get(name)
    if known is None:
        raise LookupError(f"the runner doesn't know the function {name}")
    try:
        return known(case.data["given"], folder)
    except CaseError as error:
        return error


def mismatches(required: Mapping[str, Any], seen: Mapping[str, Any] | CaseError) -> list[Mismatch]:
    """Returns all mismatches; of several choices, the mismatches of the nearest choice."""
    if "any_of" in required:
        return min((mismatches(choice, seen) for choice in required["any_of"]), key=len)
    return list(_differences(required, seen))


def _differences(required: Mapping[str, Any], seen: Mapping[str, Any] | CaseError) -> Iterator[Mismatch]:
    error = required.get("error")
    if isinstance(seen, CaseError):
        if error is not None:
            if not any(fits(error, name, seen.message) for name in (seen.class_name, seen.also) if name):
                yield Mismatch("error", error, str(seen))
        elif required.get("value") != seen.value or seen.value is None:
            yield Mismatch("answer", dict(required), str(seen))
        return
    if error is not None:
        yield Mismatch("error", error, dict(seen))
        return
    for name in required.keys() - _PROSE - {"error"}:
        compare = _FIELDS.get(name, _plain_field)
        yield from compare(name, required[name], seen, required)


def _plain_field(name: str, expected: Any, seen: Mapping[str, Any], required: Mapping[str, Any]) -> Iterator[Mismatch]:
    if name not in seen or not same(expected, seen[name]):
        yield Mismatch(name, expected, seen.get(name, "nothing of the kind"))


def _column_type(name: str, expected: Any, seen: Mapping[str, Any], required: Mapping[str, Any]) -> Iterator[Mismatch]:
    found = seen.get(name)
    wanted = arrow_type(expected) if expected is not None else None
    if (found is None) != (wanted is None) or (found is not None and not _same_type(wanted, found)):
        yield Mismatch(name, expected, str(found))


def arrow_type(text: str) -> pa.DataType:
    """Parses an Arrow type that a case writes as text, such as `map<string, int32>`.

    Raises:
        ValueError: it isn't one.
    """
    text = text.strip()
    if text in _TYPES:
        return _TYPES[text]
    timestamp, decimal = _TIMESTAMP.fullmatch(text), _DECIMAL.fullmatch(text)
    if timestamp is not None:
        return pa.timestamp(timestamp[1], "UTC" if "UTC" in text else None)
    if decimal is not None:
        make = pa.decimal128 if decimal[1] == "128" else pa.decimal256
        return make(int(decimal[2]), int(decimal[3]))
    head, _, rest = text.partition("<")
    if not rest.endswith(">"):
        raise ValueError(f"{text} is not a type that the runner knows")
    parts = _split(rest[:-1])
    if head == "struct":
        return pa.struct([(part.partition(":")[0].strip(), arrow_type(part.partition(":")[2])) for part in parts])
    if head == "map":
        return pa.map_(arrow_type(parts[0]), arrow_type(parts[1]))
    item = parts[0]
    return pa.list_(arrow_type(item.partition(":")[2] if re.match(r"(item|element):", item) else item))


def _split(text: str) -> list[str]:
    """Splits a text at commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "<([") - (character in ">)]")
        if character == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]] if text[start:].strip() else parts


def _same_type(one: pa.DataType, other: pa.DataType) -> bool:
    """Returns whether two types differ at most in names of list items and in where nulls may be."""
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        names = [field.name for field in one] == [field.name for field in other]
        return names and all(_same_type(left.type, right.type) for left, right in zip(one, other, strict=True))
    if pa.types.is_map(one) and pa.types.is_map(other):
        return _same_type(one.key_type, other.key_type) and _same_type(one.item_type, other.item_type)
    if pa.types.is_list(one) and pa.types.is_list(other):
        return _same_type(one.value_type, other.value_type)
    return bool(one.equals(other))


def _columns(name: str, expected: Sequence[Mapping[str, Any]], seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    found = seen.get("columns", [])
    if [column["name"] for column in expected] != [column["name"] for column in found]:
        yield Mismatch("names of columns", [column["name"] for column in expected], [column["name"] for column in found])
        return
    for wanted, column in zip(expected, found, strict=True):
        for part in wanted.keys() - {"why", "note"}:
            seen_part = column.get(part)
            fitting = (
                _same_type(arrow_type(wanted[part]), seen_part) if part == "arrow_type" else _same_text(wanted[part], seen_part)
            )
            if not fitting:
                yield Mismatch(f"{part} of the column {column['name']}", wanted[part], str(seen_part))


def _same_text(expected: Any, seen: Any) -> bool:
    """Returns whether two descriptions of a column agree: `TIMESTAMP(MILLIS, adjusted to UTC)` is `TIMESTAMP_MILLIS`."""
    if expected is None or seen is None:
        return expected is seen
    return _words(expected) == _words(seen)


def _words(described: Any) -> list[str]:
    if isinstance(described, Mapping):
        return sorted(word for value in described.values() for word in _words(value))
    words = re.findall(r"[A-Z0-9]+", str(described).upper())
    return sorted("STRING" if word == "UTF8" else word for word in words if word not in _ADJUSTED)


#: How it is written that times are counted in UTC, as all are.
_ADJUSTED = frozenset({"ADJUSTED", "TO", "UTC", "TRUE", "ISADJUSTEDTOUTC"})


def _parsed(name: str, expected: Mapping[str, Any], seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    for option, value in expected.items():
        if option not in seen["parsed"] or seen["parsed"][option] != value:
            yield Mismatch(f"value of {option}", value, seen["parsed"].get(option, "not known"))


def _errors(name: str, expected: Sequence[Mapping[str, Any]], seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    problems: Sequence[Problem] = seen["problems"]
    for wanted in expected:
        concerned = [problem for problem in problems if wanted.get("property") in (None, *problem.properties)]
        if not any(fits({**wanted, "type": "ConfigException"}, "ConfigException", problem.message) for problem in concerned):
            yield Mismatch("problem", wanted, [str(problem) for problem in problems])


def _no_differences(name: str, expected: Any, seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    """Fields that need no comparison: the type of a configuration's problem is the same for all problems."""
    yield from ()


def _recommended(expected: Any, seen: Mapping[str, Any]) -> None:
    """Skips a case that recommends something that the library reports as unsupported.

    Raises:
        NotApplicableError: that is the only difference.
    """
    refused = [value for value in expected if str(value).rpartition(".")[2] in seen["refused"]]
    if refused and [value for value in expected if value not in refused] == seen["value"]:
        raise NotApplicableError(f"{', '.join(refused)} are not supported here")


def _value(name: str, expected: Any, seen: Mapping[str, Any], required: Mapping[str, Any]) -> Iterator[Mismatch]:
    if "refused" in seen and isinstance(expected, list):
        _recommended(expected, seen)
    if seen.get("also") is not None and expected == seen["also"]:
        return
    yield from _plain_field(name, expected, seen, required)


def _outcome(name: str, expected: Any, seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    """Compares outcomes; cases have one word for success, and any other word means failure."""
    if (expected == "success") != (seen.get(name) == "success"):
        yield Mismatch(name, expected, seen.get(name))


def _stacktrace(name: str, expected: Mapping[str, Any], seen: Mapping[str, Any], _: Any) -> Iterator[Mismatch]:
    found = seen.get(name) or {"header": None, "text": ""}
    if expected["header"] != found["header"] or not found["text"].startswith(expected["starts_with"]):
        yield Mismatch(name, expected, found)


_FIELDS: Mapping[str, Callable[[str, Any, Mapping[str, Any], Mapping[str, Any]], Iterator[Mismatch]]] = {
    "outcome": _outcome,
    "stacktrace": _stacktrace,
    "value": _value,
    "arrow_type": _column_type,
    "value_type": _column_type,
    "columns": _columns,
    "parsed": _parsed,
    "errors": _errors,
    "type": _no_differences,
}
