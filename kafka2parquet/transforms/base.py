"""Transform: changes rows between converter and partitioner. TableTransform and MapTable are easier ways to write one."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.errors import UsageError
from kafka2parquet.records import DATA_EXCEPTION, Stage
from kafka2parquet.rows import Rows
from kafka2parquet.rows import Transformed as Transformed  # exported, for transforms of users
from kafka2parquet.transforms.properties import made_of
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.display import counted

#: Most characters of a reason. A message from Arrow may quote a long value.
MAX_REASON = 300


class Transform(abc.ABC):
    """Changes the columns of rows, or leaves rows out. `TableTransform` and `MapTable` are easier to write.

    The result must depend on the rows only, so that a repeated flush has the same rows.
    """

    @abc.abstractmethod
    def apply(self, rows: Rows) -> Transformed:
        """Transforms rows of one schema.

        Each row keeps the offset of its record: leave rows out with `rows.filter(mask)`, and replace the columns with
        `attrs.evolve(rows, table=table)`. Rows that are neither in the result nor among its rejects are filtered out silently.
        Called on the thread that drives the task; must not block.

        Args:
            rows: one or more rows. Columns that a topic's records may lack can be missing.
        """

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Transforms records without a value, which have no columns. By default they pass unchanged.

        Args:
            rows: one or more tombstones.
        """
        return Transformed(rows)

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that affect the result; part of the configuration fingerprint in the footers."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Transform:
        """Makes the transform `a` of a Kafka Connect configuration.

        By default the properties become keyword arguments, as texts, with `_` for each `.` in a name.

        Args:
            properties: all properties that begin with `transforms.a.`, without this prefix and without `type`.

        Raises:
            ConfigurationError: the properties don't fit.
        """
        return made_of(cls, properties)


class TableTransform(Transform):
    """Base class for transforms of tables: write `transform`, which takes a table and returns one with the same rows.

    If settings of the subclass affect the result, override `fingerprint` to name them.
    """

    @abc.abstractmethod
    def transform(self, table: pa.Table) -> pa.Table:
        """Changes the columns of a table. The result has the same number of rows, in the same order.

        Raises:
            ValueError: a row can't be transformed (`pyarrow.ArrowInvalid`, which Arrow's casts raise, is a ValueError). The
                table is then bisected until the bad rows are found. They become rejects, with the message as the reason.
        """

    @property
    def fingerprint(self) -> str:
        """Names the class."""
        return f"{type(self).__module__}:{type(self).__qualname__}"

    def apply(self, rows: Rows) -> Transformed:
        """Transforms the table; rows that can't be transformed become rejects."""
        try:
            return Transformed(self._evolved(rows))
        except ValueError:
            refused = self._refused(rows.table)
        kept = np.ones(len(rows), np.bool_)
        kept[list(refused)] = False
        reasons = [reason[:MAX_REASON] for reason in refused.values()]
        rejects = rows.batch.reject_offsets(rows.offsets.to_numpy()[~kept], Stage.TRANSFORM, reasons, DATA_EXCEPTION)
        rest = rows.filter(pa.array(kept))
        try:
            return Transformed(self._evolved(rest) if len(rest) else rest, rejects)
        except ValueError as error:
            raise UsageError(
                f"{type(self).__name__} accepts each of {counted(len(rest), 'row')} alone and refuses them together: {error}. A"
                " transform has to treat each row independently."
            ) from error

    def _evolved(self, rows: Rows) -> Rows:
        table = self.transform(rows.table)
        if table is rows.table:
            return rows
        if not isinstance(table, pa.Table):
            raise UsageError(f"{type(self).__name__} returned {type(table).__name__}; it has to return a pyarrow.Table.")
        if table.num_rows != len(rows):
            raise UsageError(
                f"{type(self).__name__} turned {counted(len(rows), 'row')} into {table.num_rows}; it has to keep them all."
                " Filter leaves rows out."
            )
        return attrs.evolve(rows, table=table)

    def _refused(self, table: pa.Table) -> dict[int, str]:
        """Finds the rows for which `transform` raises ValueError: rising indices, each with the message."""
        try:
            self.transform(table.slice(0, 0))
        except ValueError as error:  # not because of single rows
            return dict.fromkeys(range(table.num_rows), str(error))
        ranges = bisect_failures(table.num_rows, lambda start, length: self.transform(table.slice(start, length)), ValueError)
        return {start: str(outcome) for start, _, outcome in ranges if isinstance(outcome, ValueError)}


@checked
class MapTable(TableTransform):
    """Applies a function that takes a table and returns one with the same rows. See `TableTransform.transform`."""

    def __init__(self, function: Callable[[pa.Table], pa.Table], name: Name | None = None) -> None:
        """Makes a transform.

        Args:
            function: called with the columns of some rows.
            name: names the function in the configuration fingerprint: change the name when the results change. By default the
                function's Python name.
        """
        self._function = function
        self._name = name if name is not None else name_of(function)

    def transform(self, table: pa.Table) -> pa.Table:
        """Calls the function."""
        return self._function(table)

    @property
    def fingerprint(self) -> str:
        """Names the function."""
        return f"map-{self._name}"


def name_of(function: Callable[..., object]) -> str:
    """Returns module and name of a function, or of an object's class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
