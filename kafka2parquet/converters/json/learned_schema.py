"""Converts JSON to the columns of a learned schema, where new members become columns."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json.columns import Judgement, OnMisfit, Resolved
from kafka2parquet.converters.json.growth import Growth
from kafka2parquet.converters.json.numbers import has_inexact
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused, check_numbers, parse_objects
from kafka2parquet.converters.json.parse_record import RecordRefused, json_text, load_object, why_no_object
from kafka2parquet.converters.json.rescue import as_text
from kafka2parquet.converters.json.shape import columns_of, fits
from kafka2parquet.schema.column_rules import count_fields
from kafka2parquet.schema.lattice import SchemaConflict
from kafka2parquet.schema.learned import Known, LearnedSchema, TooManyFields, narrow_integers
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.display import printable

_log = logging.getLogger(__name__)
#: Shares of the rules' `max_fields` at which to warn.
_WARN_AT = (0.1, 0.25, 0.5, 0.9)
_MOST_NAME = 100
_FEW, _MOST_RUN = 32, 1024
#: Number of fields from which it pays to parse only the columns that the values have.
_MANY_FIELDS = 100


class GrowingColumns:
    """The `Columns` of a learned schema, which grow with the records of a batch.

    The growth is private to the batch until `finish` shares it. So a batch makes at most one version of the contract, however
    many of its records have something new.
    """

    def __init__(self, learned: LearnedSchema, on_misfit: OnMisfit, rescue_column: str, origin: str) -> None:
        """Start one batch from the known columns. May block, and raises what a contract raises.

        Args:
            learned: the known columns of the topic.
            on_misfit: what to do with values whose types don't fit.
            rescue_column: the column that keeps rescued values.
            origin: topic and partition of the batch, for messages.
        """
        self._learned = learned
        self._on_misfit = on_misfit
        self._rescue_column = rescue_column
        self._origin = origin
        self._because_of = ""
        self._known = learned.known()
        self._growth: Growth | None = None
        self._grown_schema: pa.Schema | None = None

    @property
    def seen(self) -> pa.Schema:
        """All columns so far, including those without a type yet."""
        if self._growth is None or not self._growth.has_grown:
            return self._known.seen
        if self._grown_schema is None:
            self._grown_schema = self._growth.shape.schema
        return self._grown_schema

    @property
    def parsed(self) -> pa.Schema:
        """See `Columns.parsed`."""
        return self.seen

    @property
    def ignores_unknown(self) -> bool:
        """See `Columns.ignores_unknown`."""
        return False

    @property
    def resolves_runs(self) -> bool:
        """See `Columns.resolves_runs`."""
        return self.run_length > _FEW

    @property
    def run_length(self) -> int:
        """See `Columns.run_length`. Runs are long if columns hold arbitrary JSON or grow with each value.

        Then the parser refuses most values.
        """
        return _MOST_RUN if self._growing.has_any else self._learned.run_length

    @property
    def _growing(self) -> Growth:
        if self._growth is None:
            settings = (self._learned.rules, self._on_misfit, self._rescue_column)
            with contextlib.suppress(IndexError):  # other threads may take it out first
                known, spare = self._learned.spare.pop()
                if known is self._known and isinstance(spare, Growth) and spare.settings == settings:
                    self._growth = spare
                    return spare
            self._growth = Growth(self._known.seen, *settings)
        return self._growth

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """See `Columns.parse`. If most of the last values added columns, the values are refused unparsed and resolved."""
        if _FEW < len(values) <= self._learned.run_length:
            raise ValuesRefused("probably with new columns")
        return parse_objects(values, self.seen)

    def read(self, objects: Objects) -> pa.Table:
        """See `Columns.read`. Refuses values unparsed under the same condition as `parse`."""
        if _FEW < len(objects) <= self._learned.run_length:
            raise ValuesRefused("probably with new columns")
        return objects.read(self.seen, ignore_unknown=False)

    def check(self, table: pa.Table, lines: Callable[[], pa.BinaryArray]) -> None:
        """See `Columns.check`."""
        check_numbers(table, lines)

    def has_news(self, table: pa.Table) -> bool:
        """See `Columns.has_news`. Integers that a double doesn't hold are news if their column wasn't known to have any."""
        narrow = self._known.narrow if self._grown_schema is None else narrow_integers(self.seen)
        return any(_has_inexact(table.column(name)) for name in narrow if name in table.schema.names)

    def absorb(self, table: pa.Table) -> None:
        """See `Columns.absorb`. Notes which columns have integers that a double doesn't hold."""
        if self.has_news(table) and self._growing.note_exact_integers(table):
            self._because_of = self._because_of or f"{self._origin}, an integer that a double doesn't hold"
            self._grown_schema = None

    def why_unsound(self, value: bytes) -> str:
        """See `Columns.why_unsound`."""
        return why_no_object(value)

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """See `Columns.judge`. The parser has to look at every member here and accepts nothing that `load_object` refuses."""
        try:
            taken = self._growing.fit_if_known(load_object(value))
            if taken is None:
                return Judgement(is_deferred=True)
            fitted, rescued = taken
            return Judgement(text=json_text(fitted).encode(), rescued=rescued) if fitted is not None else None
        except RecordRefused as exc:
            return Judgement(str(exc))
        except RecursionError:
            return Judgement("nested too deeply")

    def resolve(self, values: Sequence[bytes], offsets: Sequence[int]) -> Resolved:
        """See `Columns.resolve`. Looks at all values before it parses any, since each value may change the columns."""
        growth, growers = self._growing, 0
        refused: dict[int, str] = {}
        kept: dict[int, tuple[dict[str, Any], bool, str | None]] = {}
        for index, value in enumerate(values):
            try:
                document = load_object(value)
                if fits(document, growth.shape):
                    kept[index] = document, False, None
                else:
                    growers += 1
                    fitted, rescued = growth.fit(document)
                    kept[index] = (document, False, rescued) if fitted is None else (fitted, True, rescued)
                    if growth.has_grown:
                        self._grown_schema = None
                        self._because_of = self._because_of or f"{self._origin}, offset {offsets[index]}"
            except RecordRefused as exc:
                refused[index] = str(exc)
            except RecursionError:
                refused[index] = "nested too deeply"
        most_grow = growers > len(values) // 2
        self._learned.run_length = min(self._learned.run_length * 4, _MOST_RUN) if most_grow else _FEW
        texts: dict[int, bytes] = {}
        for index, (document, is_changed, _) in kept.items():
            try:
                if growth.has_any:
                    document, is_changed = as_text(document, growth.shape), True
                texts[index] = json_text(document).encode() if is_changed else values[index]
            except RecursionError:
                refused[index] = "nested too deeply"
        schema = self.seen
        if growth.fields > _MANY_FIELDS:
            schema = pa.schema(columns_of([kept[index][0] for index in texts], growth.shape))
        tables = _parsed(texts, refused, schema)
        return Resolved(tables, [kept[index][2] for index in texts if index not in refused], refused)

    def finish(self) -> pa.Schema | None:
        """See `Columns.finish`. Blocks while a contract stores the new columns."""
        seen = self.seen
        if seen is self._known.seen or seen.equals(self._known.seen, check_metadata=True):
            self._keep_growth(self._known)
            return self._known.schema
        try:
            to_any = self._on_misfit == "string"
            self._learned.grow(seen, conflicts_become_any=to_any, because_of=self._because_of, grown_from=self._known)
        except (SchemaConflict, TooManyFields):
            return None
        self._warn(self._growing.fields_before, self._growing.fields, self._learned.rules.max_fields)
        now = self._learned.known()
        if now.seen is seen:
            self._keep_growth(now)
        return now.schema

    def _keep_growth(self, known: Known) -> None:
        """Leave the compiled columns to the next batch, which would otherwise compile them again."""
        if self._growth is not None:
            self._growth.begin()
            self._learned.spare[:] = [(known, self._growth)]
            self._growth = None

    def _warn(self, before: int, after: int, most: int) -> None:
        """Warn ahead of the limit of fields, and name the member with the most fields."""
        if any(before < share * most <= after for share in _WARN_AT):
            name, count = max(((field.name, count_fields([field])) for field in self.seen), key=lambda pair: pair[1])
            where = "in the member" if count > after // 2 else "few of them in any one member; the last one is"
            named = name if count > after // 2 else self.seen.names[-1]
            _log.warning(
                "%s: the learned schema has %d fields of at most %d, %s %s. Where an object's keys are data, give that member"
                " the type any, or send its keys and values as an array. Records that need more fields are misfits.",
                self._origin,
                after,
                most,
                f"{count} of them {where}" if count > after // 2 else where,
                printable(named[:_MOST_NAME]),
            )


def _parsed(texts: Mapping[int, bytes], refused: dict[int, str], schema: pa.Schema) -> list[pa.Table]:
    """Parse texts, given by their index, that should fit, and add those that the parser refuses anyway to `refused`."""
    if not texts:
        return []
    indices = list(texts)
    values = pa.array(list(texts.values()), pa.binary_view())

    def parse(start: int, length: int) -> pa.Table:
        return parse_objects(values.slice(start, length), schema, looks_at_integers=False)

    tables: list[pa.Table] = []
    for start, _, outcome in bisect_failures(len(indices), parse, ValuesRefused):
        if isinstance(outcome, ValuesRefused):
            refused[indices[start]] = str(outcome)
        else:
            tables.append(outcome)
    return tables


def _has_inexact(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a column has, at any depth, integers that a double doesn't hold."""
    type_ = column.type
    if pa.types.is_int64(type_):
        return has_inexact(column)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if pa.types.is_struct(type_):
        return any(_has_inexact(child) for chunk in chunks for child in chunk.flatten())
    return pa.types.is_list(type_) and any(_has_inexact(chunk.flatten()) for chunk in chunks)
