"""JSON that is nested too deeply is refused before it is parsed, by limits of our own: Python's differ between its versions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

#: Levels of objects and arrays that values may have. Whatever walks through them needs some three frames of Python for each.
MAX_VALUE_LEVELS = 128
#: Levels that schemas may have: some three for each level of what they describe.
MAX_SCHEMA_LEVELS = 500


class JsonTooDeep(ValueError):  # noqa: N818  # an answer, not a fault
    """The document has more levels than may be; the text says how many those are."""


def parse_json(text: str | bytes, *, max_levels: int, **hooks: Any) -> Any:
    """Return what `json.loads` makes of a document.

    Args:
        text: the document.
        max_levels: of objects and arrays, one in another.
        hooks: those of `json.loads`.

    Raises:
        JsonTooDeep: it has more levels.
        ValueError: it is not JSON, or has a number that Python doesn't read.
    """
    refuse_deep(text, max_levels)
    return json.loads(text, **hooks)


def refuse_deep(text: str | bytes, max_levels: int) -> None:
    """Raise where a document has more levels of objects and arrays.

    Raises:
        JsonTooDeep: it has.
    """
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened <= max_levels:
        return
    if _levels(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text) > max_levels:
        raise JsonTooDeep(f"nested more than {max_levels} levels deep")


def _levels(text: bytes) -> int:
    """The levels of a document in UTF-8; if the document is not JSON, at least those up to the place where a parser stops."""
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
