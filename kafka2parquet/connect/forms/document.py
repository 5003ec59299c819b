"""Document: the content of a text in any of the notations, before connectors are found in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import attrs

from kafka2parquet.problems import Problem, warning


@attrs.frozen
class Document:
    """The content of a text.

    Attributes:
        content: mappings with text keys, lists, and scalars: texts, booleans and None. Numbers are texts with unchanged digits.
        warnings: warnings about suspicious content.
        joins: whether properties may be in tables (`s3.bucket` with `name` in it) and values in lists, as is natural in TOML
            and YAML. In JSON, Kafka Connect refuses both.
    """

    content: object = attrs.field(repr=False)
    warnings: tuple[Problem, ...] = ()
    joins: bool = False


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Return whether a value is a list."""
    return isinstance(value, Sequence) and not isinstance(value, str)


def repeated(names: Sequence[str]) -> list[Problem]:
    """Warn about names that are repeated in one mapping."""
    twice = (name for name in dict.fromkeys(names) if names.count(name) > 1)
    return [warning(name, f"{name} is given more than once; the last one counts") for name in twice]
