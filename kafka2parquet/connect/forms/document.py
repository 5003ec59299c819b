"""Document: the content of a text in one of the notations, before its connectors are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import attrs

from kafka2parquet.problems import Problem, warning


@attrs.frozen
class Document:
    """The content of a text.

    Attributes:
        content: mappings by text, lists, and scalars: texts, booleans and None. Numbers are texts, with the digits as written.
        warnings: suspicious things that were read.
        joins: whether properties may stand in tables (`s3.bucket` with `name` in it) and values in lists, as TOML and YAML
            suggest. In JSON, Kafka Connect refuses both.
    """

    content: object = attrs.field(repr=False)
    warnings: tuple[Problem, ...] = ()
    joins: bool = False


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a list."""
    return isinstance(value, Sequence) and not isinstance(value, str)


def repeated(names: Sequence[str]) -> list[Problem]:
    """Warn about names that stand more than once in one mapping."""
    twice = (name for name in dict.fromkeys(names) if names.count(name) > 1)
    return [warning(name, f"{name} is given more than once; the last one counts") for name in twice]
