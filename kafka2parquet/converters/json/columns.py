"""The interface between JSON values and the columns of one batch, for fixed and learned schemas alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import attrs
import pyarrow as pa

from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused

OnMisfit = Literal["reject", "rescue", "string"]


@attrs.frozen(eq=False)
class Resolved:
    """The outcome of values that were resolved one by one.

    Attributes:
        tables: the rows; together they have one row for each value that was not refused.
        rescued: for each row, the parts that were taken out of the record, as JSON; None where the whole record fits.
        refused: the reason for each refused value, by the value's index.
    """

    tables: Sequence[pa.Table] = ()
    rescued: Sequence[str | None] = ()
    refused: Mapping[int, str] = attrs.field(factory=dict)


@attrs.frozen
class Judgement:
    """The outcome of one value that was refused.

    Attributes:
        reason: why the value is a reject; None where it isn't one.
        text: the part of the value that can be parsed; None where no part can, or the part isn't known.
        rescued: the parts that were taken out of the value, as JSON.
        is_deferred: whether the value has to be resolved by `Columns.resolve`, after all values before it.
    """

    reason: str | None = None
    text: bytes | None = None
    rescued: str | None = None
    is_deferred: bool = False


class Columns(Protocol):
    """Turns the values of one batch into columns."""

    @property
    def parsed(self) -> pa.Schema:
        """The columns that pyarrow's parser is asked for."""

    @property
    def ignores_unknown(self) -> bool:
        """Whether members without a column are left out."""

    @property
    def resolves_runs(self) -> bool:
        """Whether most values of a refused batch are expected to be at fault, so that whole runs are resolved."""

    @property
    def run_length(self) -> int:
        """The number of refused values to resolve at once."""

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """Parse all values at once.

        Raises:
            ValuesRefused: some value doesn't fit.
        """

    def read(self, objects: Objects) -> pa.Table:
        """Parse all values like `parse`, but leave the numbers to `check`."""

    def check(self, table: pa.Table, lines: Callable[[], pa.BinaryArray]) -> None:
        """Refuse a table from `read` that has numbers which `parse` would refuse.

        Args:
            table: the table.
            lines: returns the values that the table was read from.

        Raises:
            ValuesRefused: some number doesn't fit.
        """

    def has_news(self, table: pa.Table) -> bool:
        """Whether absorbing a table from `parse` would change the columns."""

    def absorb(self, table: pa.Table) -> None:
        """Update the columns with a table from `parse`. The rows of the table, and of all values before it, are kept."""

    def why_unsound(self, value: bytes) -> str:
        """Return the reason to refuse a value that is not in braces, is not UTF-8 or has a NUL byte."""

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """Judge one value by the current columns, without changing them; return None if the value fits.

        Args:
            value: from Kafka.
            is_refused: whether `parse` has refused the value; otherwise it is only suspected.
        """

    def resolve(self, values: Sequence[bytes], offsets: Sequence[int]) -> Resolved:
        """Resolve at most `run_length` values that were refused together, in their order."""

    def finish(self) -> pa.Schema | None:
        """Return the columns to write; None if the schema changed concurrently and the batch must be converted again."""


class UnchangingColumns:
    """The half of `Columns` that is the same for all columns that don't change with their records."""

    resolves_runs = False
    run_length = 1

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """See `Columns.parse`."""
        raise NotImplementedError

    def has_news(self, table: pa.Table) -> bool:
        """See `Columns.has_news`."""
        return False

    def absorb(self, table: pa.Table) -> None:
        """See `Columns.absorb`."""

    def accepts(self, value: bytes) -> bool:
        """Whether the parser accepts a value that is parsed alone."""
        try:
            self.parse(pa.array([value], pa.binary_view()))
        except ValuesRefused:
            return False
        return True
