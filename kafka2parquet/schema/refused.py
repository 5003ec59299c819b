"""Refused and SchemaRefused: why a schema can't be used, as a value and as an exception."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import attrs

from kafka2parquet.errors import Kafka2ParquetError, is_panic


@attrs.frozen
class Refused:
    """Stands for a result that can't be made.

    Attributes:
        reason: why the result can't be made, in words for people.
    """

    reason: str


class SchemaRefused(Exception):  # noqa: N818  # an answer, not a fault
    """The schema can't be converted to columns; the text says why."""


@contextlib.contextmanager
def refusing_schemas() -> Iterator[None]:
    """Raise SchemaRefused for any error that a schema causes in the code that reads it.

    Anyone who may register schemas controls the input of that code, which may be nested endlessly, have numbers that don't fit,
    or have text that isn't Unicode.

    Raises:
        SchemaRefused: the schema can't be read.
        Kafka2ParquetError: the schema is not the cause. Such an error is raised as it is, and so is MemoryError.
    """
    try:
        yield
    except (SchemaRefused, Kafka2ParquetError, MemoryError):
        raise
    except RecursionError:
        raise SchemaRefused("the schema is nested too deeply") from None
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        text = str(error).encode("utf-8", "backslashreplace").decode()
        raise SchemaRefused(f"the schema can't be read ({type(error).__name__}: {text[:200]})") from error
