"""Where: applies a transform to the records that a predicate selects. LeaveOut: Kafka Connect's Filter, to use with Where."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.errors import UsageError
from kafka2parquet.records import Reject
from kafka2parquet.rows import MixedRows, Rows, without_columns
from kafka2parquet.schema.lattice import SchemaConflict
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.header_keys import Mask
from kafka2parquet.transforms.predicates import Predicate
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.display import counted


@checked
class Where(Transform):
    """Applies a transform to the records that a predicate selects. Other records stay unchanged.

    Rows without a schema then have the columns of changed and unchanged rows. Rows that came with a schema then have
    different schemas, as in Kafka Connect.
    """

    def __init__(self, transform: Transform, predicate: Predicate, *, negate: bool = False) -> None:
        """Combine transform and predicate.

        Args:
            transform: the transform for the selected records.
            predicate: selects the records.
            negate: whether to apply the transform to the other records instead.
        """
        self._transform = transform
        self._predicate = predicate
        self._negate = negate

    @property
    def fingerprint(self) -> str:
        """Text that identifies predicate and transform."""
        return f"where-{'not-' if self._negate else ''}{self._predicate.fingerprint}({self._transform.fingerprint})"

    def apply(self, rows: Rows) -> Transformed:
        """Transform the selected rows."""
        return self._applied(rows, self._transform.apply)

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Transform the selected tombstones."""
        return self._applied(rows, self._transform.apply_to_tombstones)

    def _applied(self, rows: Rows, apply: Callable[[Rows], Transformed]) -> Transformed:
        chosen = self._chosen(rows)
        if chosen.all():
            return apply(rows)
        if not chosen.any():
            return Transformed(rows)
        transformed = apply(rows.filter(pa.array(chosen)))
        return together([rows.filter(pa.array(~chosen)), *transformed.groups], transformed.rejects)

    def _chosen(self, rows: Rows) -> Mask:
        holds = self._predicate.holds(rows)
        if not isinstance(holds, np.ndarray) or holds.dtype != np.bool_ or holds.shape != (len(rows),):
            raise UsageError(
                f"The predicate {type(self._predicate).__name__} has to return a numpy array with one boolean for each of"
                f" {counted(len(rows), 'row')}."
            )
        return ~holds if self._negate else holds


@checked
class LeaveOut(Transform):
    """Drops all records, including tombstones, as Kafka Connect's Filter does with the records that its predicate selects."""

    def apply(self, rows: Rows) -> Transformed:
        """Drop the rows."""
        return Transformed(rows.slice(0, 0))

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Drop the tombstones."""
        return Transformed(rows.slice(0, 0))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the class."""
        return "leave-out"


def together(groups: Iterable[Rows], rejects: Iterable[Reject] = ()) -> Transformed:
    """Merge groups of rows of one batch in offset order, as far as one table can hold them.

    Rows without a schema get the columns of all groups, unless a column has incompatible types. Rows with a schema are merged
    if they have the same columns. Values with fields and values without fields stay separate.

    Args:
        groups: one or more groups of rows, with each offset once.
        rejects: rejects to add to the result.
    """
    given = list(groups)
    alike: dict[tuple[object, ...], list[Rows]] = {}
    for group in given:
        columns = group.table.schema if group.value_schema is not None else None
        if len(group):
            key = (group.tombstones, id(group.value_schema), group.routed_topic, group.without_fields, columns)
            alike.setdefault(key, []).append(group)
    united = [rows for some in alike.values() for rows in _united(some)]
    first, *others = united or given[:1]
    return Transformed(first, list(rejects), others)


def _united(groups: list[Rows]) -> list[Rows]:
    mixed = MixedRows.of(groups)
    if isinstance(mixed, Rows):
        return [mixed]
    try:
        table = mixed.table if any(group.table.num_columns for group in groups) else without_columns(len(mixed))
    except SchemaConflict:
        return groups
    records = attrs.evolve(groups[0], offsets=mixed.offsets, timestamps_ms=mixed.timestamps_ms, table=table)
    return [records]
