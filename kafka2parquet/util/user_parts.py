"""Calls parts that users may have written, and names the part in exceptions. The caller checks the part's result."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from kafka2parquet.errors import is_unexpected

_Result = TypeVar("_Result")


class BrokenPartError(Exception):
    """A part raised an unexpected exception, which is the cause.

    Attributes:
        part: class and method of the part, or the name of the function.
        error: the exception.
    """

    def __init__(self, part: str, error: BaseException) -> None:
        self.part = part
        self.error = error
        super().__init__(f"{part} raised {type(error).__name__}: {error}")


def ask(function: Callable[..., _Result], *arguments: object) -> _Result:
    """Call a method of a part, or a function that is a part. If parts call each other, the error names the innermost part.

    Raises:
        BrokenPartError: the part raised an exception that shows a bug. Other exceptions pass unchanged.
    """
    try:
        return function(*arguments)
    except BaseException as error:
        if not is_unexpected(error) or isinstance(error, BrokenPartError):
            raise
        raise BrokenPartError(name_of_part(function), error) from error


def name_of_part(function: Callable[..., object]) -> str:
    """Return the class and method of a bound method, the class of a callable object, or the name of a function."""
    while isinstance(function, functools.partial):
        function = function.func
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type) and hasattr(function, "__name__"):
        return f"{type(owner).__name__}.{function.__name__}"
    named = function if hasattr(function, "__qualname__") else type(function)
    return named.__qualname__
