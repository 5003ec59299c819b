"""Rows that a transform can't take: each is a reject with a reason, and the others go on.

A record decides what columns there are where schemas are learned. So what a column brings that a transform can't live with is
a matter of the rows that have a value there, and never of those that don't.
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
    """Which of some rows are refused, and why. The first reason of a row counts."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, np.int32)
        self._reasons = [""]

    def __bool__(self) -> bool:
        return len(self._reasons) > 1

    def add(self, mask: Mask | pa.Array, reason: str) -> None:
        """Refuse the rows for which the mask (booleans without nulls) is true."""
        chosen = mask if isinstance(mask, np.ndarray) else mask.to_numpy(zero_copy_only=False)
        chosen = chosen & (self._codes == 0)
        if chosen.any():
            self._codes[chosen] = len(self._reasons)
            self._reasons.append(reason)

    def add_all(self, others: Refusals, places: Mask) -> None:
        """Refuse what `others` say of the rows for which `places` is true."""
        for code, reason in enumerate(others._reasons[1:], 1):
            mask = np.zeros(len(self._codes), np.bool_)
            mask[places] = others._codes == code
            self.add(mask, reason)

    @property
    def kept(self) -> Mask:
        """The rows that aren't refused."""
        kept: Mask = self._codes == 0
        return kept

    def divide(self, given: Rows, changed: Rows) -> Transformed:
        """Return what a transform made of rows, without those that are refused.

        Args:
            given: all rows.
            changed: the same rows after the transform; a refused one may have any values.
        """
        if not self:
            return Transformed(changed)
        return Transformed(changed.filter(pa.array(self.kept)), self.rejects(given))

    def rejects(self, rows: Rows) -> list[Reject]:
        """Return the rejects, of all the rows."""
        refused = np.flatnonzero(self._codes)
        reasons = [self._reasons[code] for code in self._codes[refused].tolist()]
        return rows.batch.reject_offsets(rows.offsets.to_numpy()[refused], Stage.TRANSFORM, reasons, DATA_EXCEPTION)


class ColumnTransform(Transform):
    """A transform that changes columns, and says of single rows that it can't."""

    @abc.abstractmethod
    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with other columns, and with as many rows in the same order.

        Args:
            table: one row or more.
            refusals: where the rows go that can't be changed; their values in the result don't matter.
        """

    def apply(self, rows: Rows) -> Transformed:
        """Change the columns; rows that can't be changed are rejects."""
        refusals = Refusals(len(rows))
        table = self.change(rows.table, refusals)
        return refusals.divide(rows, rows if table is rows.table else attrs.evolve(rows, table=table))
