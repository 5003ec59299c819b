"""TombstoneHandler: leaves tombstones out or refuses them, at any place among the transforms."""

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
    """Leaves records without value out, or makes rejects of them, as Confluent's TombstoneHandler does."""

    def __init__(self, behavior: Behavior = "warn") -> None:
        """Choose how to handle tombstones.

        Args:
            behavior: `ignore` and `warn` leave them out; `fail` makes each a reject.

        Raises:
            ConfigurationError: an unknown choice.
        """
        self._fails = behavior == "fail"

    @property
    def fingerprint(self) -> str:
        """Names the choice."""
        return f"tombstones-{'fail' if self._fails else 'ignore'}"

    def apply(self, rows: Rows) -> Transformed:
        """Rows with a value stay as they are."""
        return Transformed(rows)

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Leave them out, or refuse them."""
        if not self._fails:
            return Transformed(rows.slice(0, 0))
        refusals = Refusals(len(rows))
        refusals.add(np.ones(len(rows), np.bool_), "The value is null (a tombstone), and TombstoneHandler has behavior=fail.")
        return refusals.divide(rows, rows)
