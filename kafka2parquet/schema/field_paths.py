"""Paths of fields, as messages and settings have them: `user.age`, `items[].price`."""

from __future__ import annotations


def join_path(path: str, name: str) -> str:
    """The path of the field `name` in the one at `path`, which is "" for the row itself."""
    return f"{path}.{name}" if path else name


def is_path(path: str) -> bool:
    """Whether each part of a dotted path is a name."""
    return all(part.strip() for part in path.split("."))
