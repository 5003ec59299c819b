"""SchemaRefused: why a schema of the registry has no columns."""

from __future__ import annotations


class SchemaRefused(Exception):  # noqa: N818  # an answer, not a fault
    """No columns can be made of the schema; the text says why."""
