"""The text of plans, results and footers of merged files: JSON with a version."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


def to_bytes(values: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON object, which depends on the values alone."""
    return (json.dumps(values, indent=1) + "\n").encode()


def from_text(content: bytes | str, version: int, parse: Callable[[dict[str, Any]], Any]) -> Any:
    """Parse the text of a JSON object that has a version.

    Args:
        content: the text.
        version: the only version that can be read.
        parse: makes the result from the other values.

    Raises:
        ValueError: this library did not write the text, or the text is damaged or of an unknown version.
    """
    try:
        values: dict[str, Any] = json.loads(content)
        found = values.pop("version")
        if found != version:
            raise ValueError(f"its version {found!r} is unknown")
        return parse(values)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is damaged: {type(error).__name__} {error}") from error
