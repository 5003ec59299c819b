"""GrowingColumns: the columns of one batch where new members become columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs
import pyarrow as pa

from kafka2parquet.converters.json_columns import ValuesRefused, parse_objects
from kafka2parquet.converters.json_record import RecordRefused, conflict_reason, json_text, load_object, schema_of
from kafka2parquet.converters.json_rescue import Rescue, as_text
from kafka2parquet.converters.json_shape import Shape, fits
from kafka2parquet.schema.lattice import SchemaConflict
from kafka2parquet.schema.learned import LearnedSchema, TooManyFields

OnMisfit = Literal["reject", "rescue", "string"]


@attrs.frozen(eq=False)
class Settled:
    """What became of some values one by one.

    Attributes:
        tables: together a row for each value that isn't refused.
        rescued: for each of these rows what was taken out of the record, as JSON.
        refused: why, by the value's index.
    """

    tables: Sequence[pa.Table] = ()
    rescued: Sequence[str | None] = ()
    refused: Mapping[int, str] = attrs.field(factory=dict)


class Columns(Protocol):
    """How the values of one batch become columns."""

    @property
    def run_length(self) -> int:
        """How many values, of those that are refused together, are settled at once."""

    def parse(self, values: pa.Array) -> pa.Table:
        """All values at once, or ValuesRefused."""

    def settle(self, values: Sequence[bytes], offsets: Sequence[int]) -> Settled:
        """At most `run_length` values that were refused together, in their order."""

    def finish(self) -> pa.Schema | None:
        """The columns to be written; None where others have changed them so that the batch has to be converted again."""


class GrowingColumns:
    """Columns that grow with the records of a batch, at first for this batch only; `finish` tells the others.

    So a batch costs one version of the contract at most, however many of its records bring something new.
    """

    def __init__(self, learned: LearnedSchema, on_misfit: OnMisfit, rescue_column: str, origin: str) -> None:
        """Begin with what is known.

        Args:
            learned: what is known of the topic's columns; may block and raise what a contract raises.
            on_misfit: what becomes of values whose types don't fit.
            rescue_column: where they are kept.
            origin: topic and partition of the batch, for people.
        """
        self._learned = learned
        self._on_misfit = on_misfit
        self._rescue_column = rescue_column
        self._origin = origin
        self._because_of = ""
        self._known = learned.known()
        self._seen = self._known.seen
        self._compiled: Shape | None = None
        self._draft: LearnedSchema | None = None

    @property
    def seen(self) -> pa.Schema:
        """All columns so far, also those that have no type yet."""
        return self._seen

    @property
    def run_length(self) -> int:
        """See `Columns.run_length`. Where columns hold whatever there is, many values are to blame rather than one."""
        return 1024 if self._shape.has_any else 32

    @property
    def _shape(self) -> Shape:
        if self._compiled is None:
            self._compiled = Shape.of(self._seen)
        return self._compiled

    def parse(self, values: pa.Array) -> pa.Table:
        """See `Columns.parse`."""
        return parse_objects(values, self._seen)

    def settle(self, values: Sequence[bytes], offsets: Sequence[int]) -> Settled:
        """See `Columns.settle`. First all of them are looked at, since each may change what the columns are."""
        is_reserved = self._on_misfit == "rescue"
        refused: dict[int, str] = {}
        kept: dict[int, tuple[dict[str, Any], str | None]] = {}
        for index, value in enumerate(values):
            try:
                document = load_object(value)
                is_known = fits(document, self._shape) and not (is_reserved and self._rescue_column in document)
                kept[index] = (document, None) if is_known else self._take_in(document, offsets[index])
            except RecordRefused as exc:
                refused[index] = str(exc)
            except RecursionError:
                refused[index] = "nested too deeply"
        texts: dict[int, bytes] = {}
        for index, (document, rescued) in kept.items():
            is_changed = self._shape.has_any or rescued is not None
            try:
                texts[index] = json_text(as_text(document, self._shape)).encode() if is_changed else values[index]
            except RecursionError:
                refused[index] = "nested too deeply"
        tables = self._parse_or_halve(list(texts), texts, refused)
        return Settled(tables, [kept[index][1] for index in texts if index not in refused], refused)

    def _parse_or_halve(self, indices: list[int], texts: Mapping[int, bytes], refused: dict[int, str]) -> list[pa.Table]:
        """Parse texts that ought to fit; what the parser refuses all the same is noted."""
        if not indices:
            return []
        try:
            return [self.parse(pa.array([texts[index] for index in indices], pa.binary_view()))]
        except ValuesRefused as exc:
            if len(indices) == 1:
                refused[indices[0]] = str(exc)
                return []
        half = len(indices) // 2
        return [
            *self._parse_or_halve(indices[:half], texts, refused),
            *self._parse_or_halve(indices[half:], texts, refused),
        ]

    def _take_in(self, document: dict[str, Any], offset: int) -> tuple[dict[str, Any], str | None]:
        """Let the columns grow by a record; returns what of it fits, and what doesn't."""
        to_any = self._on_misfit == "string"
        try:
            if self._on_misfit != "rescue":
                self._grow(schema_of(document, self._seen, conflicts_become_any=to_any), offset)
                return document, None
            rescue = Rescue(grows=True, reserved=self._rescue_column)
            fitted, schema = rescue.fit(document, self._seen, self._shape)
            if schema is not None:
                self._grow(schema, offset)
        except SchemaConflict as exc:
            raise RecordRefused(conflict_reason(exc)) from None
        except TooManyFields as exc:
            if self._on_misfit != "rescue":
                raise RecordRefused(
                    f"its fields would give the schema {exc}; give the schema, or send such data as an array"
                ) from None
            rescue = Rescue(grows=False, reserved=self._rescue_column)
            fitted, _ = rescue.fit(document, self._seen, self._shape)
        return fitted, rescue.text

    def _grow(self, schema: pa.Schema, offset: int) -> None:
        if self._draft is None:
            self._draft = LearnedSchema(self._seen, max_fields=self._learned.max_fields)
        grown = self._draft.grow(schema, conflicts_become_any=self._on_misfit == "string")
        if grown is not self._seen and not grown.equals(self._seen, check_metadata=True):
            self._because_of = self._because_of or f"{self._origin}, offset {offset}"
            self._seen, self._compiled = grown, None

    def finish(self) -> pa.Schema | None:
        """See `Columns.finish`. Blocks while a contract keeps what is new."""
        if self._draft is None or self._seen.equals(self._known.seen, check_metadata=True):
            return self._known.schema
        try:
            self._learned.grow(self._seen, conflicts_become_any=self._on_misfit == "string", because_of=self._because_of)
        except (SchemaConflict, TooManyFields):
            return None
        return self._learned.schema
