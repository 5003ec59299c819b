"""Refuses deeply nested JSON before it is parsed, with fixed limits, because Python's limits differ between versions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

#: Limit for levels of objects and arrays in values. Code that walks through values needs about three Python frames per level.
MAX_VALUE_LEVELS = 128
#: Limit for levels in schemas, which need about three levels for each level of the values that they describe.
MAX_SCHEMA_LEVELS = 500


class JsonTooDeep(ValueError):  # noqa: N818  # an answer, not a fault
    """The document has too many levels. The text names the limit."""


def parse_json(text: str | bytes, *, max_levels: int, **hooks: Any) -> Any:
    """Parse a document with `json.loads`.

    Args:
        text: the document.
        max_levels: maximum number of nested objects and arrays.
        hooks: further arguments of `json.loads`.

    Raises:
        JsonTooDeep: the document has more levels.
        ValueError: the document is not JSON, or has a number that Python can't parse.
    """
    refuse_deep(text, max_levels)
    return json.loads(text, **hooks)


def refuse_deep(text: str | bytes, max_levels: int) -> None:
    """Raise if a document has more than `max_levels` levels of objects and arrays.

    Raises:
        JsonTooDeep: the document has more levels.
    """
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened <= max_levels:
        return
    if _levels(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text) > max_levels:
        raise JsonTooDeep(f"nested more than {max_levels} levels deep")


def _levels(text: bytes) -> int:
    """Return the number of levels of a UTF-8 document. For invalid JSON, counts at least up to where a parser would stop."""
    characters = np.frombuffer(text, np.uint8)
    quotes = characters == ord('"')
    if b"\\" in text:
        places = np.arange(len(characters))
        last_other = np.maximum.accumulate(np.where(characters == ord("\\"), -1, places))
        quotes[1:] &= (places - last_other)[:-1] % 2 == 0  # an odd number of backslashes before a quote escapes it
    outside = np.cumsum(quotes) % 2 == 0
    opened = (characters == ord("[")) | (characters == ord("{"))
    closed = (characters == ord("]")) | (characters == ord("}"))
    steps = opened.astype(np.int8) - closed.astype(np.int8)
    return int(np.cumsum(steps * outside, dtype=np.int64).max(initial=0))
