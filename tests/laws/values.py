"""Whether a value that is read back is the one that was sent: not rounded, not infinite, not null where it was something."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from tests.laws.formats import EPOCH, fraction, read_json

_EXACT = decimal.Context(prec=10_000, Emax=10**9, Emin=-(10**9))


@attrs.frozen
class Difference:
    """A member that is neither in its row nor in the rescue column as it was sent."""

    path: str
    sent: Any
    read: Any

    @property
    def kind(self) -> str:
        """The old and the new type of the member."""
        return f"{type(self.sent).__name__} read as {type(self.read).__name__}"

    def __str__(self) -> str:
        return f"{self.path}: sent {_short(self.sent)}, read {_short(self.read)}"


def differences(sent: Any, row: Mapping[str, Any], *, only_columns: bool = False) -> Iterator[Difference]:
    """Returns the members of a value that were changed.

    Args:
        sent: the value, as another library reads it; one that is not an object is the column `value`.
        row: columns as pyarrow reads them.
        only_columns: whether members that are not columns don't count.
    """
    document = sent if isinstance(sent, Mapping) else {"value": sent}
    rescued = _rescued(row.get("_rescued"))
    for name, value in document.items():
        if name in row or not only_columns:
            yield from _different(value, row.get(name), str(name), rescued)


def _rescued(text: Any) -> Sequence[Any]:
    """Returns the members in the rescue column. Without that column, its name may be that of a member with any value."""
    try:
        found = json.loads(text, parse_float=fraction) if isinstance(text, str) else None
    except ValueError:
        return ()
    return [*found.values()] if isinstance(found, dict) else ()


def _different(sent: Any, read: Any, path: str, rescued: Sequence[Any]) -> Iterator[Difference]:
    if _is_same(sent, read):
        return
    if isinstance(sent, Mapping) and isinstance(read, Mapping):
        for name, value in sent.items():
            yield from _different(value, read.get(name), f"{path}.{name}", rescued)
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for number, (value, found) in enumerate(zip(sent, read, strict=True)):
            yield from _different(value, found, f"{path}[{number}]", rescued)
    elif any(_is_same(sent, value) for value in rescued):
        return
    elif isinstance(sent, Mapping) and read is None:  # each of its members may be rescued
        for name, value in sent.items():
            yield from _different(value, None, f"{path}.{name}", rescued)
    elif isinstance(sent, list) and read is None:  # likewise
        for number, value in enumerate(sent):
            yield from _different(value, None, f"{path}[{number}]", rescued)
    else:
        yield Difference(path, sent, read)


def _is_same(sent: Any, read: Any) -> bool:
    if read is None:
        return _is_nothing(sent)
    if sent is None:
        return False
    if isinstance(sent, bool) or isinstance(read, bool):
        return sent is read or read == json.dumps(sent)
    if isinstance(sent, int | decimal.Decimal) and not isinstance(sent, bool):
        return _is_same_number(sent, read)
    if isinstance(sent, float):
        return isinstance(read, int | float) and (read == sent or (math.isnan(sent) and math.isnan(read)))
    if isinstance(sent, str):
        return _is_same_text(sent, read)
    if isinstance(sent, Mapping):
        return _is_same_object(sent, read)
    if isinstance(sent, list):
        return _is_same_list(sent, read)
    return bool(sent == read)


def _is_nothing(sent: Any) -> bool:
    """Returns whether a value is empty: `null`, `[]`, `{}` and containers of these make no columns, as docs/schemas.md says."""
    if isinstance(sent, Mapping):
        return all(map(_is_nothing, sent.values()))
    return sent is None or (isinstance(sent, list) and all(map(_is_nothing, sent)))


def _is_same_number(sent: int | decimal.Decimal, read: Any) -> bool:
    if isinstance(read, str):
        return _text_is_number(sent, read)
    if isinstance(read, datetime.datetime | datetime.date | datetime.time):
        return True  # of a type that the schema names; what it means is tested with the converter
    if isinstance(read, float):
        if not math.isfinite(read):
            return False
        if isinstance(sent, int):
            return read == sent or int(read) == sent or sent in (decimal.Decimal(repr(read)), _shortest_as_float32(read))
        return read == float(sent) or read == float(np.float32(float(sent))) or decimal.Decimal(read) == sent
    return isinstance(read, int | decimal.Decimal) and bool(_EXACT.compare(decimal.Decimal(sent), decimal.Decimal(read)) == 0)


def _shortest_as_float32(read: float) -> decimal.Decimal | None:
    """Returns the shortest decimal text of a number in a 32-bit column, as a number."""
    with np.errstate(over="ignore"):
        number = np.float32(read)
    return decimal.Decimal(str(number)) if number == read else None


def _text_is_number(sent: int | decimal.Decimal, text: str) -> bool:
    try:
        read = read_json(text.encode())
    except ValueError:
        return False
    return (
        not isinstance(read, bool) and isinstance(read, int | decimal.Decimal) and (read == sent or float(read) == float(sent))
    )


def _is_same_text(sent: str, read: Any) -> bool:
    if isinstance(read, bytes):
        return read == sent.encode() or read == base64.b64decode(sent + "==", validate=False)
    if isinstance(read, decimal.Decimal):
        try:
            return decimal.Decimal(sent) == read
        except decimal.InvalidOperation:  # text that is not a number, compared with a rescued value
            return False
    if isinstance(read, datetime.datetime | datetime.date | datetime.time):
        return True  # as above
    return bool(read == sent)


def _is_same_object(sent: Mapping[str, Any], read: Any) -> bool:
    if isinstance(read, str):
        return _is_same_json(sent, read)
    if isinstance(read, list):  # a map, which Arrow reads as pairs
        found = dict(read) if all(isinstance(pair, tuple) for pair in read) else {}
        return len(found) == len(read) and found.keys() == sent.keys() and all(_is_same(sent[key], found[key]) for key in sent)
    return isinstance(read, Mapping) and all(_is_same(value, read.get(name)) for name, value in sent.items())


def _is_same_list(sent: list[Any], read: Any) -> bool:
    if isinstance(read, str):
        return _is_same_json(sent, read)
    if not isinstance(read, list) or len(read) != len(sent):
        return False
    pairs = zip(sent, read, strict=True)
    return all(
        all(map(_is_same, value, found.values() if isinstance(found, dict) else found))
        if isinstance(value, tuple)
        else _is_same(value, found)
        for value, found in pairs
    )


def _is_same_json(sent: Any, text: str) -> bool:
    try:
        return _is_same(sent, read_json(text.encode()))
    except ValueError:
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 120 else f"{text[:120]}…"


def python_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Returns the rows of a table; times beyond Python's range are numbers."""
    columns = [_python_values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)] or [{}] * table.num_rows


def _python_values(column: pa.ChunkedArray) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        wide = pa.types.is_timestamp(column.type) or pa.types.is_time64(column.type)
        return [None if number is None else EPOCH for number in column.cast(pa.int64() if wide else pa.int32()).to_pylist()]
    return values
