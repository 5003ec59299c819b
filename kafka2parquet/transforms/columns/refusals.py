"""Refusals: the rows that a transform can't handle. Each becomes a reject with a reason, and the other rows continue.

If schemas are learned, any record may add columns. So if a transform can't handle a column, only the rows with a value in it
are refused, never the rows without.
"""

from __future__ import annotations

import abc

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.records import DATA_EXCEPTION, Reject, Stage
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed

Mask = npt.NDArray[np.bool_]


class Refusals:
    """Collects the refused rows and their reasons. The first reason for a row counts."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, np.int32)
        self._reasons = [""]

    def __bool__(self) -> bool:
        return len(self._reasons) > 1

    def add(self, mask: Mask | pa.Array, reason: str) -> None:
        """Refuse the rows for which `mask` (booleans without nulls) is true."""
        chosen = mask if isinstance(mask, np.ndarray) else mask.to_numpy(zero_copy_only=False)
        chosen = chosen & (self._codes == 0)
        if chosen.any():
            self._codes[chosen] = len(self._reasons)
            self._reasons.append(reason)

    def add_all(self, others: Refusals, places: Mask) -> None:
        """Add the refusals of `others`, which cover the rows for which `places` is true."""
        for code, reason in enumerate(others._reasons[1:], 1):
            mask = np.zeros(len(self._codes), np.bool_)
            mask[places] = others._codes == code
            self.add(mask, reason)

    @property
    def kept(self) -> Mask:
        """Mask of the rows that are not refused."""
        kept: Mask = self._codes == 0
        return kept

    def divide(self, given: Rows, changed: Rows) -> Transformed:
        """Return a transform's result: the rows that are not refused, and the rejects.

        Args:
            given: all rows.
            changed: the same rows after the transform. Refused rows may have arbitrary values.
        """
        if not self:
            return Transformed(changed)
        return Transformed(changed.filter(pa.array(self.kept)), self.rejects(given))

    def rejects(self, rows: Rows) -> list[Reject]:
        """Return the refused rows as rejects."""
        refused = np.flatnonzero(self._codes)
        reasons = [self._reasons[code] for code in self._codes[refused].tolist()]
        return rows.batch.reject_offsets(rows.offsets.to_numpy()[refused], Stage.TRANSFORM, reasons, DATA_EXCEPTION)


class ColumnTransform(Transform):
    """Base class of transforms that change columns and may refuse single rows."""

    @abc.abstractmethod
    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with changed columns, and with the same rows in the same order.

        Args:
            table: one or more rows.
            refusals: collects the rows that can't be changed. Their values in the result don't matter.
        """

    def apply(self, rows: Rows) -> Transformed:
        """Change the columns. Rejects rows that can't be changed."""
        refusals = Refusals(len(rows))
        table = self.change(rows.table, refusals)
        return refusals.divide(rows, rows if table is rows.table else attrs.evolve(rows, table=table))
