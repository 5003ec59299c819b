"""TombstoneHandler: drops or rejects tombstones, at any position in the chain of transforms."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.util.arguments import checked

Behavior = Literal["ignore", "warn", "fail"]


@checked
class TombstoneHandler(Transform):
    """Drops or rejects records without a value, as Confluent's TombstoneHandler does."""

    def __init__(self, behavior: Behavior = "warn") -> None:
        """Choose how to handle tombstones.

        Args:
            behavior: `ignore` and `warn` drop tombstones; `fail` rejects them.

        Raises:
            ConfigurationError: the behavior is unknown.
        """
        self._fails = behavior == "fail"

    @property
    def fingerprint(self) -> str:
        """Text that identifies the choice."""
        return f"tombstones-{'fail' if self._fails else 'ignore'}"

    def apply(self, rows: Rows) -> Transformed:
        """Return rows with a value unchanged."""
        return Transformed(rows)

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Drop or reject the tombstones."""
        if not self._fails:
            return Transformed(rows.slice(0, 0))
        refusals = Refusals(len(rows))
        refusals.add(np.ones(len(rows), np.bool_), "The value is null (a tombstone), and TombstoneHandler has behavior=fail.")
        return refusals.divide(rows, rows)
