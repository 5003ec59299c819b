"""HeaderFrom: moves fields out of the value, into headers."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import without_columns
from kafka2parquet.transforms.base import TableTransform


class MovedToHeaders(TableTransform):
    """Removes columns, as Kafka Connect's HeaderFrom with `operation=move` removes fields from values."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Choose the columns.

        Args:
            fields: names of the columns; rows may lack some of them.

        Raises:
            ConfigurationError: the names are missing.
        """
        if isinstance(fields, str) or not fields:
            raise ConfigurationError(Problem("fields", "fields: name at least one field."))
        self._fields = frozenset(fields)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the columns."""
        return f"moved-to-headers-{sorted(self._fields)}"

    def transform(self, table: pa.Table) -> pa.Table:
        """Return the table without the columns."""
        kept = [name for name in table.column_names if name not in self._fields]
        return table.select(kept) if kept else without_columns(table.num_rows)
