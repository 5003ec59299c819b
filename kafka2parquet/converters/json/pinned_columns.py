"""PinnedColumns: the columns of one batch where they are given, or have stopped growing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from kafka2parquet.converters.json.fixed_schema import GivenSchema
from kafka2parquet.converters.json.learned_schema import Judgement, Resolved
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused, check_numbers
from kafka2parquet.converters.json.parse_record import RecordRefused, json_text, load_object, skeleton, why_no_object
from kafka2parquet.converters.json.rescue import Rescue, as_text, member_path, misfit_number


class PinnedColumns:
    """Columns that stay as they are. See `Columns`."""

    def __init__(self, given: GivenSchema, *, rescues: bool, rescue_column: str) -> None:
        """Make rows of these columns.

        Args:
            given: the columns.
            rescues: whether what doesn't fit is taken out of a record, instead of refusing it.
            rescue_column: where it is kept.
        """
        self._given = given
        self._rescues = rescues
        self._rescue_column = rescue_column
        self._misfits: dict[Any, str | None] = {}
        """Why records of the same skeleton don't fit."""

    @property
    def parsed(self) -> pa.Schema:
        """See `Columns.parsed`."""
        return self._given.parsed

    @property
    def ignores_unknown(self) -> bool:
        """See `Columns.ignores_unknown`."""
        return self._given.ignore_unknown

    @property
    def resolves_runs(self) -> bool:
        """See `Columns.resolves_runs`."""
        return False

    @property
    def run_length(self) -> int:
        """See `Columns.run_length`. `load_object` is stricter than the parser: it judges only what that refuses alone.

        The parser doesn't look into members that are left out.
        """
        return 1

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """See `Columns.parse`."""
        return self._given.parse(values)

    def read(self, objects: Objects) -> pa.Table:
        """See `Columns.read`."""
        return self._given.cast(objects.read(self._given.parsed, ignore_unknown=self._given.ignore_unknown))

    def check(self, table: pa.Table, lines: Callable[[], pa.BinaryArray]) -> None:
        """See `Columns.check`."""
        check_numbers(table, lines)

    def has_news(self, table: pa.Table) -> bool:
        """See `Columns.has_news`."""
        return False

    def absorb(self, table: pa.Table) -> None:
        """See `Columns.absorb`."""

    def why_unsound(self, value: bytes) -> str:
        """See `Columns.why_unsound`."""
        return why_no_object(value)

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """See `Columns.judge`."""
        try:
            document = load_object(value)
            key = skeleton(document)
            if key not in self._misfits:
                self._misfits[key] = self._given.misfit(document)
        except (RecordRefused, RecursionError) as exc:
            if not is_refused and self._takes(value):
                return None
            return Judgement(str(exc) if isinstance(exc, RecordRefused) else "nested too deeply")
        reason = self._misfits[key]
        if reason is None and not is_refused and self._takes(value):
            return None
        return Judgement(reason, is_alone=self._rescues or reason is None)

    def _takes(self, value: bytes) -> bool:
        """Whether the parser takes a value by itself."""
        try:
            self.parse(pa.array([value], pa.binary_view()))
        except ValuesRefused:
            return False
        return True

    def resolve(self, values: Sequence[bytes], offsets: Sequence[int]) -> Resolved:
        """See `Columns.resolve`."""
        (value,) = values
        try:
            document = load_object(value)
            if self._rescues:
                table, rescued = self._rescued(document)
                return Resolved([table], [rescued])
            return Resolved([self._fitting(document)], [None])
        except RecordRefused as exc:
            return Resolved(refused={0: str(exc)})
        except RecursionError:
            return Resolved(refused={0: "nested too deeply"})

    def finish(self) -> pa.Schema:
        """See `Columns.finish`."""
        return self._given.schema

    def _fitting(self, document: dict[str, Any]) -> pa.Table:
        reason = self._given.misfit(document)
        if reason is not None:
            raise RecordRefused(reason)
        rounded = misfit_number(document, self._given.shape)
        if rounded is not None:
            raise RecordRefused(f"field {rounded}: an integer that its column doesn't hold exactly")
        text = self._text(document)
        try:
            return self._given.parse(text, looks_at_integers=False)
        except ValuesRefused as exc:
            name = next(self._given.unreadable_fields(text), None)
            reason = str(exc) if name is None else f"field {name}: a value that is not a {self._given.schema.field(name).type}"
            raise RecordRefused(reason) from None

    def _rescued(self, document: dict[str, Any]) -> tuple[pa.Table, str | None]:
        rescue = Rescue(ignore_unknown=self._given.ignore_unknown, reserved=self._rescue_column)
        fitted = rescue.fit(document, self._given.shape)
        text = self._text(fitted)
        try:
            return self._given.parse(text, looks_at_integers=False), rescue.text
        except ValuesRefused:
            unreadable = list(self._given.unreadable_fields(text))
        for name in unreadable:
            column = member_path("", name)
            for path in [path for path in rescue.taken if path.startswith((f"{column}.", f"{column}["))]:
                del rescue.taken[path]
            rescue.taken[column], fitted[name] = document[name], None
        try:
            return self._given.parse(self._text(fitted), looks_at_integers=False), rescue.text
        except ValuesRefused as exc:
            raise RecordRefused(str(exc)) from None

    def _text(self, document: dict[str, Any]) -> pa.Array:
        shape = self._given.shape
        return pa.array([json_text(as_text(document, shape) if shape.has_any else document).encode()], pa.binary_view())
