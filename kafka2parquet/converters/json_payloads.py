"""Payloads of JSON envelopes of one schema: most are decoded as columns, whatever others there are among them.

Payloads that the column parser refuses, or that look as if it would, are left over. Whoever has them decodes them one by one,
which makes the same of each payload that is accepted here. So it costs time to leave one over, and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.converters.connect_json import NotConvertible, load, value_from_json
from kafka2parquet.converters.json_columns import Objects, ValuesRefused, check_numbers, parse_objects
from kafka2parquet.converters.json_growing import Judgement, Settled
from kafka2parquet.converters.json_isolation import Isolation
from kafka2parquet.converters.json_suspects import Records
from kafka2parquet.converters.json_typed import RowsRefused, TypedJsonColumns
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.halving import attempt_halves
from kafka2parquet.rows import concatenated

#: So often rows are taken out that are to blame, before they are looked for by halves.
_MOST_ATTEMPTS = 16
_LEFT_OVER, _NO_JSON = "left over", "no JSON"
#: Words that the column parser reads as numbers.
_NO_NUMBERS = (b"NaN", b"Inf")

_Int64s = npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class DecodedPart:
    """Values of some payloads.

    Attributes:
        values: of the schema's Arrow type.
        kept: the index of each value's payload, rising.
    """

    values: pa.Array
    kept: _Int64s


@attrs.frozen(eq=False)
class DecodedPayloads:
    """What became of payloads.

    Attributes:
        parts: the values of those that were decoded.
        malformed: indices of those that are no JSON.
        left_over: indices of all others, rising.
    """

    parts: Sequence[DecodedPart]
    malformed: _Int64s
    left_over: _Int64s


class JsonPayloads:
    """Decodes payloads of one schema, batch after batch."""

    def __init__(self, columns: TypedJsonColumns) -> None:
        self._typed = columns
        self._columns = _PayloadColumns(columns)
        self._records = Records()
        self._was_refused = False

    def decode(self, payloads: pa.Array) -> DecodedPayloads:
        """Decode payloads (binary_view without nulls, at least one)."""
        none = np.zeros(0, np.int64)
        if not self._was_refused:
            try:
                return DecodedPayloads([DecodedPart(self._typed.decode(payloads), np.arange(len(payloads)))], none, none)
            except PayloadsRefused:
                self._was_refused = True
        isolation = Isolation(payloads, pa.array(np.arange(len(payloads))), self._columns, None, self._records)
        self._was_refused = isolation.found_any
        is_left = np.zeros(len(payloads), np.bool_)
        is_left[[*isolation.refused]] = True
        parts: Sequence[DecodedPart] = ()
        if isolation.pieces:
            table = concatenated([piece.table for piece in isolation.pieces])
            parts = self._typed_parts(table, np.flatnonzero(~is_left), payloads)
        is_left[:] = True
        for part in parts:
            is_left[part.kept] = False
        malformed = np.array([row for row, reason in isolation.refused.items() if reason == _NO_JSON], np.int64)
        is_left[malformed] = False
        return DecodedPayloads(parts, malformed, np.flatnonzero(is_left))

    def _typed_parts(self, table: pa.Table, kept: _Int64s, payloads: pa.Array) -> Sequence[DecodedPart]:
        """The values of a parsed table without the rows that don't fit the schema."""

        def lines(rows: _Int64s) -> Callable[[], pa.Array]:
            return lambda: payloads.cast(pa.large_binary()).take(pa.array(rows))

        for _ in range(_MOST_ATTEMPTS):
            if not len(kept):
                return []
            try:
                return [DecodedPart(self._typed.typed(table, lines(kept)), kept)]
            except RowsRefused as refusal:
                self._was_refused = True
                fits = np.ones(len(kept), np.bool_)
                fits[refusal.rows] = False
                table, kept = table.filter(pa.array(fits)), kept[fits]
            except PayloadsRefused:
                self._was_refused = True
                break

        def attempt(start: int, length: int) -> pa.Array:
            return self._typed.typed(table.slice(start, length).combine_chunks(), lines(kept[start : start + length]))

        return [
            DecodedPart(values, kept[start : start + length])
            for start, length, values in attempt_halves(len(kept), attempt, PayloadsRefused)
            if not isinstance(values, PayloadsRefused)
        ]


class _PayloadColumns:
    """Columns of payloads as they are parsed. See `Columns`. What is refused here is left over."""

    settles_runs = False
    ignores_unknown = True
    run_length = 1

    def __init__(self, typed: TypedJsonColumns) -> None:
        self._typed = typed

    @property
    def parsed(self) -> pa.Schema:
        """See `Columns.parsed`."""
        return self._typed.parsed

    def parse(self, values: pa.Array | Objects) -> pa.Table:
        """See `Columns.parse`."""
        return parse_objects(values, self.parsed, ignore_unknown=True, looks_at_integers=False)

    def read(self, objects: Objects) -> pa.Table:
        """See `Columns.read`."""
        return objects.read(self.parsed, ignore_unknown=True)

    def check(self, table: pa.Table, lines: Callable[[], pa.BinaryArray]) -> None:
        """See `Columns.check`. Integers are looked at once they have their types."""
        check_numbers(table, None)

    def has_news(self, table: pa.Table) -> bool:
        """See `Columns.has_news`."""
        return False

    def take_in(self, table: pa.Table) -> None:
        """See `Columns.take_in`."""

    def why_unsound(self, value: bytes) -> str:
        """See `Columns.why_unsound`."""
        return _LEFT_OVER

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """See `Columns.judge`."""
        try:
            document = load(value)
        except NotConvertible as error:
            is_malformed = isinstance(error.__context__, json.JSONDecodeError) and not any(map(value.count, _NO_NUMBERS))
            # the parser takes other faults in members that are left out
            return Judgement(_NO_JSON) if is_malformed or is_refused or not self._takes(value) else None
        try:
            value_from_json(self._typed.schema, document, null_is_default=self._typed.null_is_default)
        except NotConvertible:
            return Judgement(_LEFT_OVER)
        return Judgement(_LEFT_OVER) if not self._takes(value) else None

    def _takes(self, value: bytes) -> bool:
        """Whether the parser takes a value by itself."""
        try:
            self.parse(pa.array([value], pa.binary_view()))
        except ValuesRefused:
            return False
        return True

    def settle(self, values: Sequence[bytes], offsets: Sequence[int]) -> Settled:
        """See `Columns.settle`."""
        return Settled(refused=dict.fromkeys(range(len(values)), _LEFT_OVER))

    def finish(self) -> pa.Schema:
        """See `Columns.finish`."""
        return self.parsed
