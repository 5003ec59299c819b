"""JSON payloads of one schema, a few of which no column parser takes: for converters that know the schema.

The schema has `id` (int32), `note` (optional text), `at` (int64, a timestamp), `price` (optional double), `user` (a struct of
`id`, int64), `content` (optional bytes) and `items` (an optional list of structs of `n`, int8).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.rows import Converted
from tests.support.batches import batch_of

_BATCH_ROWS = 300

#: Payloads that are decoded one by one; most of them are rejects. `%` stands for a number.
ODD = {
    "null": b"null",
    "number": b"%",
    "unfinished": b'{"id":%',
    "comma at the end": b'{"id":%,"at":1,"user":{"id":1},}',
    "one brace too many": b'{"id":%,"at":1,"user":{"id":1}}}',
    "two objects": b'{"id":%,"at":1,"user":{"id":1}} {"id":%}',
    "no UTF-8": b'{"id":%,"note":"\xff","at":1,"user":{"id":1}}',
    "byte order mark": b'\xef\xbb\xbf{"id":%,"at":1,"user":{"id":1}}',
    "leading zero": b'{"id":0%,"at":1,"user":{"id":1}}',
    "number with a point": b'{"id":%.0,"at":1,"user":{"id":1}}',
    "a name twice": b'{"id":"x","id":%,"at":1,"user":{"id":1}}',
    "text for a number": b'{"id":"%","at":1,"user":{"id":1}}',
    "fraction": b'{"id":%.5,"at":1,"user":{"id":1}}',
    "too large for 32 bits": b'{"id":99999999%,"at":1,"user":{"id":1}}',
    "too large for 64 bits": b'{"id":%,"at":9999999999999999999,"user":{"id":1}}',
    "not a number": b'{"id":%,"price":NaN,"at":1,"user":{"id":1}}',
    "too large a number": b'{"id":%,"price":1e400,"at":1,"user":{"id":1}}',
    "not exact": b'{"id":%,"price":9007199254740993,"at":1,"user":{"id":1}}',
    "missing": b'{"at":%,"user":{"id":1}}',
    "missing inside": b'{"id":%,"at":1,"user":{}}',
    "missing in a list": b'{"id":%,"at":1,"user":{"id":1},"items":[{"n":1},{}]}',
    "too large in a list": b'{"id":%,"at":1,"user":{"id":1},"items":[{"n":300}]}',
    "not base64": b'{"id":%,"at":1,"user":{"id":1},"content":"?"}',
    "an unknown member that is not a number": b'{"id":%,"at":1,"user":{"id":1},"z":NaN}',
    "an unknown member that is nested too deeply": b'{"id":%,"at":1,"user":{"id":1},"z":' + b"[" * 200 + b"]" * 200 + b"}",
}


def payloads_with(odd: Sequence[bytes], share: float, count: int) -> list[bytes]:
    """Makes payloads with a share of odd payloads among them."""
    source = random.Random(3)
    payloads = []
    for number in range(count):
        good = {
            "id": number,
            "note": "é, }{",
            "at": number,
            "price": 0.5,
            "user": {"id": 1},
            "items": [{"n": 1}] * (number % 3),
        }
        payload = json.dumps(good).encode()
        if source.random() < share:
            payload = source.choice(odd).replace(b"%", b"%d" % (number + 1))
        payloads.append(payload)
    return payloads


def assert_like_alone(alone: RecordConverter, together: RecordConverter, messages: Sequence[bytes]) -> None:
    """Asserts that rows and reasons of rejects do not depend on a message's neighbours."""
    expected: tuple[dict[int, Any], dict[int, str]] = ({}, {})
    for offset, message in enumerate(messages):
        rows, reasons = _outcome(alone.convert(batch_of([message], offset)))
        expected[0].update(rows)
        expected[1].update(reasons)
    seen: tuple[dict[int, Any], dict[int, str]] = ({}, {})
    for start in range(0, len(messages), _BATCH_ROWS):
        rows, reasons = _outcome(together.convert(batch_of(messages[start : start + _BATCH_ROWS], start)))
        seen[0].update(rows)
        seen[1].update(reasons)
    assert expected == seen


def _outcome(made: Converted) -> tuple[dict[int, Any], dict[int, str]]:
    """Returns rows, including tombstones, and reasons of rejects, by offset."""
    rows: dict[int, Any] = dict.fromkeys(made.tombstones.to_pylist() if made.tombstones is not None else [])
    for group in made.groups:
        rows |= {offset: _row(group.table.slice(index, 1)) for index, offset in enumerate(group.offsets.to_pylist())}
    return rows, {reject.offset: reject.reason for reject in made.rejects}


def _row(table: pa.Table) -> Any:
    try:
        return table.to_pylist()
    except OverflowError:  # a date or a time that Python's types can't hold
        return str(table.to_struct_array())
