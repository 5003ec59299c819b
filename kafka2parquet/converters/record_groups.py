"""RecordGroups: collects rows and rejects of a batch whose values have different schemas."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.records import DATA_EXCEPTION, ConsumedBatch, Reject, Stage
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.required_fields import without_needless_nulls

_Int64s = npt.NDArray[np.int64]


@attrs.define(eq=False)
class RecordGroups:
    """Collects the rows of each schema, the rejects and the tombstones of a batch, in any order.

    Attributes:
        batch: the batch.
        prefix: the text at the start of every reject's reason.
    """

    batch: ConsumedBatch
    prefix: str = ""
    _refused: list[_Int64s] = attrs.Factory(list)
    _reasons: list[str] = attrs.Factory(list)
    _tables: dict[ConnectSchema, list[tuple[_Int64s, pa.Table]]] = attrs.Factory(dict)
    _others: list[Rows] = attrs.Factory(list)
    _tombstones: list[_Int64s] = attrs.Factory(list)

    def reject(self, rows: _Int64s, reasons: str | Sequence[str]) -> None:
        """Rejects the records at these indices, for one reason or with a reason for each."""
        if len(rows):
            self._refused.append(rows)
            self._reasons += [reasons] * len(rows) if isinstance(reasons, str) else reasons

    def add_tombstones(self, rows: _Int64s) -> None:
        """Adds the records at these indices as records without a value."""
        if len(rows):
            self._tombstones.append(rows)

    def add_values(self, schema: ConnectSchema, rows: _Int64s, values: pa.Array) -> None:
        """Adds the values of the records at these indices, which have the schema's Arrow type; null values are tombstones."""
        if not len(rows):
            return
        if values.null_count:
            null = values.is_null().to_numpy(zero_copy_only=False)
            self.add_tombstones(rows[null])
            rows, values = rows[~null], values.filter(pc.is_valid(values))
        values = without_needless_nulls(values)
        columns = values.flatten() if schema.type == "struct" else [values]
        self.add_table(schema, rows, pa.Table.from_arrays(columns, schema=schema.arrow_schema))

    def add_table(self, schema: ConnectSchema, rows: _Int64s, table: pa.Table) -> None:
        """Adds a row with the schema's columns for each of the records at these indices."""
        if len(rows):
            self._tables.setdefault(schema, []).append((rows, table))

    def add_rows(self, rows: Rows) -> None:
        """Adds finished rows of some of the records."""
        if len(rows):
            self._others.append(rows)

    def converted(self) -> Converted:
        """Returns everything: groups in the order of their first records, rejects and tombstones by offset."""
        batch = self.batch
        groups = [*self._others, *(self._rows(schema, parts) for schema, parts in self._tables.items())]
        groups.sort(key=lambda rows: rows.offsets[0].as_py())
        if not groups:
            groups.append(Rows(batch, batch.offsets[:0], batch.timestamps_ms[:0], pa.table({})))
        rejects = self._rejects()
        if not self._tombstones:
            return Converted(groups[0], rejects, groups[1:])
        tombstones = batch.offsets.take(pa.array(np.sort(np.concatenate(self._tombstones))))
        return Converted(groups[0], rejects, groups[1:], tombstones)

    def _rejects(self) -> list[Reject]:
        if not self._refused:
            return []
        rows = np.concatenate(self._refused)
        order = np.argsort(rows)
        reasons = [f"{self.prefix}{self._reasons[index]}" for index in order.tolist()]
        return self.batch.rejects(rows[order].tolist(), Stage.DECODE, reasons, DATA_EXCEPTION)

    def _rows(self, schema: ConnectSchema, parts: Sequence[tuple[_Int64s, pa.Table]]) -> Rows:
        rows, table = parts[0]
        if len(parts) > 1:
            rows = np.concatenate([rows for rows, _ in parts])
            table = pa.concat_tables([table for _, table in parts])
            if (np.diff(rows) < 0).any():
                order = np.argsort(rows)
                rows, table = rows[order], table.take(pa.array(order))
        batch = self.batch
        if len(rows) == len(batch):
            return Rows(batch, batch.offsets, batch.timestamps_ms, table, schema)
        chosen = pa.array(rows, pa.int64())
        return Rows(batch, batch.offsets.take(chosen), batch.timestamps_ms.take(chosen), table, schema)
