"""What an object store may answer besides success and failure, and how errors are put into words."""

from __future__ import annotations


class ObjectExistsError(Exception):
    """An object stands at the key."""


class NoSuchObjectError(Exception):
    """There is no such object."""


class EmptyObjectError(Exception):
    """The object has no bytes, so it has no range of bytes either."""


def describe(error: BaseException) -> str:
    """Return type and text of an error, on one line and without a full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
