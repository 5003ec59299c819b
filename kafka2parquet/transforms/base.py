"""Transform: changes rows between converter and partitioner; TableTransform and MapTable: the easy ways to write one."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.errors import UsageError
from kafka2parquet.records import DATA_EXCEPTION, Reject, Stage
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.properties import made_of
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.bisection import bisect_failures

#: A reason is for people; a message of Arrow's may quote a long value.
MAX_REASON = 300


@attrs.frozen(eq=False)
class Transformed:
    """What a transform made of rows.

    Attributes:
        rows: the rows that go on: a subset of the given rows, in their order. Rows that are neither in a group nor among the
            rejects are left out without any message.
        rejects: rows that can't be transformed.
        others: more rows that go on, but have other columns than `rows`, or have lost their value.
    """

    rows: Rows
    rejects: Sequence[Reject] = ()
    others: Sequence[Rows] = ()

    @property
    def groups(self) -> tuple[Rows, ...]:
        """All rows that go on."""
        return (self.rows, *self.others)


class Transform(abc.ABC):
    """Changes the columns of rows, or leaves rows out. `TableTransform` and `MapTable` are easier to write.

    The result must depend on the rows only, so that a flush that is made again has the same rows.
    """

    @abc.abstractmethod
    def apply(self, rows: Rows) -> Transformed:
        """Transform rows of one schema.

        Offsets say which record a row is, so they go with it: leave rows out with `rows.filter(mask)`, and replace the
        columns with `attrs.evolve(rows, table=table)`. Called on the thread that drives the task; must not block.

        Args:
            rows: one or more rows. Columns that a topic's records may lack can be missing.
        """

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Transform records without value, which have no columns. By default they pass unchanged.

        Args:
            rows: one or more tombstones.
        """
        return Transformed(rows)

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that decide what comes out; part of the configuration fingerprint in the footers."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Transform:
        """Make the transform `a` of a Kafka Connect configuration.

        By default the properties become keyword arguments, as texts, with `_` for each `.` in a name.

        Args:
            properties: all that begin with `transforms.a.`, without this prefix and without `type`.

        Raises:
            ConfigurationError: they don't fit.
        """
        return made_of(cls, properties)


class TableTransform(Transform):
    """Base class for transforms of tables: write `transform`, which takes a table and returns one with as many rows.

    Where settings of the subclass decide what comes out, `fingerprint` has to name them.
    """

    @abc.abstractmethod
    def transform(self, table: pa.Table) -> pa.Table:
        """The table with other columns, and with as many rows in the same order.

        Raises:
            ValueError: a row can't be transformed (`pyarrow.ArrowInvalid`, which Arrow's casts raise, is a ValueError). The
                table is then halved until the bad rows are found. They become rejects, with the message as the reason.
        """

    @property
    def fingerprint(self) -> str:
        """Names the class."""
        return f"{type(self).__module__}:{type(self).__qualname__}"

    def apply(self, rows: Rows) -> Transformed:
        """Transform the table; rows that can't be are rejects."""
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
                f"{type(self).__name__} takes each of {len(rest)} rows by itself and refuses them together: {error}. A"
                " transform has to treat rows one by one."
            ) from error

    def _evolved(self, rows: Rows) -> Rows:
        table = self.transform(rows.table)
        if table is rows.table:
            return rows
        if not isinstance(table, pa.Table):
            raise UsageError(f"{type(self).__name__} returned {type(table).__name__}; it has to return a pyarrow.Table.")
        if table.num_rows != len(rows):
            raise UsageError(
                f"{type(self).__name__} made {table.num_rows} rows of {len(rows)}; it has to keep all. Filter leaves rows out."
            )
        return attrs.evolve(rows, table=table)

    def _refused(self, table: pa.Table) -> dict[int, str]:
        """Indices of the rows that `transform` raises ValueError for, rising, each with the message."""
        try:
            self.transform(table.slice(0, 0))
        except ValueError as error:  # it isn't about single rows
            return dict.fromkeys(range(table.num_rows), str(error))
        ranges = bisect_failures(table.num_rows, lambda start, length: self.transform(table.slice(start, length)), ValueError)
        return {start: str(outcome) for start, _, outcome in ranges if isinstance(outcome, ValueError)}


@checked
class MapTable(TableTransform):
    """A transform of one function: a table in, a table with as many rows out. See `TableTransform.transform`."""

    def __init__(self, function: Callable[[pa.Table], pa.Table], name: Name | None = None) -> None:
        """Take a function.

        Args:
            function: called with the columns of some rows.
            name: stands for the function in the configuration fingerprint: change it when what comes out changes. By default
                the function's own name.
        """
        self._function = function
        self._name = name if name is not None else name_of(function)

    def transform(self, table: pa.Table) -> pa.Table:
        """Call the function."""
        return self._function(table)

    @property
    def fingerprint(self) -> str:
        """Names the function."""
        return f"map-{self._name}"


def name_of(function: Callable[..., object]) -> str:
    """Module and name of a function, or of an object's class."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
