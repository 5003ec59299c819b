"""TransformChain: applies several transforms in order."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.errors import UsageError
from kafka2parquet.records import Reject
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.from_arrow import connect_schema
from kafka2parquet.transforms.base import MAX_REASON, Transform, Transformed
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, is_rising_subset
from kafka2parquet.util.cache import BoundedCache
from kafka2parquet.util.display import counted
from kafka2parquet.util.user_parts import ask


@checked
class TransformChain(Transform):
    """Applies transforms in order, and updates the schema of rows that came with a schema."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        """Take the transforms; there may be none."""
        self._transforms = tuple(transforms)
        self._schemas: BoundedCache[tuple[int, pa.Schema], tuple[ConnectSchema, ConnectSchema]] = BoundedCache()

    @property
    def fingerprint(self) -> str:
        """Text that identifies all settings; empty without transforms."""
        return "+".join(transform.fingerprint for transform in self._transforms)

    def apply(self, rows: Rows) -> Transformed:
        """Apply all transforms to rows of one schema, or to tombstones.

        Raises:
            UsageError: a transform returned rows that it was not given.
        """
        before = rows.table.schema
        groups: list[Rows] = [rows]
        rejects: list[Reject] = []
        for transform in self._transforms:
            transformed = [_applied(transform, group) for group in groups if len(group)]
            rejects += [reject for part in transformed for reject in part.rejects]
            groups = [group for part in transformed for group in part.groups]
        finished = []
        for group in groups:
            part = self._with_schema_after(group, before)
            finished.append(part.rows)
            rejects += part.rejects
        first, *others = [group for group in finished if len(group)] or [*finished, rows.slice(0, 0)][:1]
        return Transformed(first, rejects, others)

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Apply all transforms to tombstones, as `apply` does."""
        return self.apply(rows)

    def _with_schema_after(self, rows: Rows, before: pa.Schema) -> Transformed:
        """Return the rows with the schema of their columns. Rows whose columns are still `before` keep their schema."""
        if not len(rows) or rows.tombstones or rows.table.schema.equals(before):
            return Transformed(rows)
        if rows.value_schema is None:  # even if the values had no fields, their new columns are fields
            return Transformed(attrs.evolve(rows, without_fields=False) if rows.without_fields else rows)
        return _with_schema(rows, self._schema_after(rows.table.schema, rows.value_schema))

    def _schema_after(self, columns: pa.Schema, before: ConnectSchema) -> ConnectSchema:
        """Return the schema of columns that had the schema `before`. Returns the same object for the same arguments."""
        # `before` is kept too, so that its id is not reused
        _, after = self._schemas.get_or_create((id(before), columns), lambda: (before, connect_schema(columns, before)))
        return after


def _applied(transform: Transform, rows: Rows) -> Transformed:
    transformed = ask(transform.apply_to_tombstones if rows.tombstones else transform.apply, rows)
    if why := _why_not_transformed(transformed, rows):
        where = f"{rows.batch.topic_partition}, offsets {rows.offsets[0]} to {rows.offsets[-1]}"
        raise UsageError(f"The transform {type(transform).__name__} at {where} {why}")
    return transformed


def _why_not_transformed(transformed: object, rows: Rows) -> str | None:
    """Return what is wrong with a transform's result; None if it is valid."""
    if not isinstance(transformed, Transformed):
        return f"returned {type(transformed).__name__}; it has to return Transformed."
    for after in (transformed.rows, *transformed.others):
        if after.table.num_rows != len(after) or len(after.timestamps_ms) != len(after):
            return f"returned {counted(after.table.num_rows, 'row')} with {counted(len(after), 'offset')}."
        if after.offsets is not rows.offsets and not is_rising_subset(after.offsets.to_numpy(), rows.offsets.to_numpy()):
            return "returned offsets that it was not given, or in another order."
    if transformed.others and len(np.unique(offsets := _all_offsets(transformed.groups))) < len(offsets):
        return "returned an offset twice."
    return None


def _all_offsets(groups: Sequence[Rows]) -> np.ndarray:
    return np.concatenate([group.offsets.to_numpy() for group in groups])


def _with_schema(rows: Rows, schema: ConnectSchema) -> Transformed:
    """Give the rows a schema, and cast the columns to the schema's types."""
    changed = attrs.evolve(rows, value_schema=schema)
    if rows.table.schema.equals(schema.arrow_schema):
        return Transformed(changed)
    try:
        return Transformed(attrs.evolve(changed, table=rows.table.cast(schema.arrow_schema)))
    except ARROW_DATA_ERRORS as error:
        refusals = Refusals(len(rows))
        reason = f"The transforms make columns ({rows.table.schema}) that can't be written: {error}."
        refusals.add(np.ones(len(rows), np.bool_), reason[:MAX_REASON])
        return refusals.divide(rows, changed)
