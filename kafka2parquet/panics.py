"""Panics of libraries in Rust: Python sees them as an exception that isn't an `Exception`."""

from __future__ import annotations


def is_panic(error: BaseException) -> bool:
    """Whether the exception is a panic, which is nothing but a failed call, as pyo3 unwinds it."""
    return type(error).__name__ == "PanicException"
