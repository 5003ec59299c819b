"""Decodes the payloads of JSON envelopes of one schema, most of them as columns, even if some of them are bad.

Payloads that the column parser refuses, or probably would refuse, are left over. The caller decodes these one by one, which
gives the same result for every payload that is accepted here. So leaving a payload over only costs time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kafka2parquet.converters.json.columns import Judgement, Resolved, UnchangingColumns
from kafka2parquet.converters.json.isolation import Isolation
from kafka2parquet.converters.json.parse_batch import Objects, check_numbers, parse_objects
from kafka2parquet.converters.json.suspects import RefusalHistory
from kafka2parquet.converters.json_with_schema.columns import TypedJsonColumns
from kafka2parquet.converters.json_with_schema.values import NotConvertible, load
from kafka2parquet.converters.payload_decoder import PayloadsRefused
from kafka2parquet.rows import concatenated
from kafka2parquet.schema.connect_schema import INTEGERS, ConnectSchema

_LEFT_OVER = "left over"
_NOT_JUDGED = object()
#: Parts of words that the column parser reads as numbers.
_NO_NUMBERS = (b"NaN", b"Inf")


class JsonPayloads:
    """Decodes payloads of one schema, batch after batch, for a `PayloadDecoder`.

    Tasks on several threads may share an instance: if another batch takes or clears a cached outcome, it is computed again.
    """

    def __init__(self, columns: TypedJsonColumns, convert: Callable[[Any], Any]) -> None:
        """Make a decoder.

        Args:
            columns: the decoder of the schema's columns.
            convert: converts a payload from `load` to a value that pyarrow accepts, or raises NotConvertible.
        """
        self._typed = columns
        self._convert = convert
        self._judged: dict[bytes, Any] = {}
        self._columns = _PayloadColumns(columns, convert, self._judged)
        self._history = RefusalHistory()
        self._was_refused = False

    def decode(self, payloads: pa.Array) -> pa.Array:
        """Decode payloads (binary_view without nulls, at least one) to an array of the schema's Arrow type.

        Raises:
            PayloadsRefused: some payloads have to be decoded one by one. `suspects` marks them; `others` has the other values.
        """
        self._judged.clear()
        if not self._was_refused:
            try:
                return self._typed.decode(payloads)
            except PayloadsRefused as refusal:
                if refusal.suspects is not None:
                    raise
        isolation = Isolation(payloads, pa.array(np.arange(len(payloads))), self._columns, None, self._history)
        self._was_refused = isolation.found_any
        is_left = np.zeros(len(payloads), np.bool_)
        is_left[[*isolation.refused]] = True
        kept = np.flatnonzero(~is_left)
        values = pa.array([], self._typed.schema.arrow_type)
        if isolation.pieces:
            table = concatenated([piece.table for piece in isolation.pieces])
            try:
                values = self._typed.typed(table, lambda: payloads.cast(pa.large_binary()).take(pa.array(kept)))
            except PayloadsRefused as refusal:
                if refusal.suspects is None:
                    raise
                is_left[kept[refusal.suspects]] = True
                values = refusal.others
        if not is_left.any():
            return values
        raise PayloadsRefused("payloads that don't fit", suspects=is_left, others=values)

    def decode_one(self, payload: bytes) -> Any:
        """Decode one payload. If `decode` has just left the payload over, its outcome may be cached.

        Raises:
            NotConvertible: the payload doesn't fit the schema.
        """
        outcome = self._judged.pop(payload, _NOT_JUDGED)
        if outcome is _NOT_JUDGED:
            return self._convert(load(payload))
        if isinstance(outcome, NotConvertible):
            raise outcome
        return outcome


class _PayloadColumns(UnchangingColumns):
    """The `Columns` of payloads, as they are parsed. Payloads that are refused here are left over."""

    ignores_unknown = True

    def __init__(self, typed: TypedJsonColumns, convert: Callable[[Any], Any], judged: dict[bytes, Any]) -> None:
        """Make the columns of a schema.

        Args:
            typed: the decoder of the schema's columns.
            convert: see `JsonPayloads`.
            judged: collects the outcomes of payloads that were judged and left over: a value, or NotConvertible.
        """
        self._typed = typed
        self._convert = convert
        self._judged = judged

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
        """See `Columns.check`. Integers are checked later, when they have their types."""
        check_numbers(table, None)

    def why_unsound(self, value: bytes) -> str:
        """See `Columns.why_unsound`."""
        return _LEFT_OVER

    def judge(self, value: bytes, *, is_refused: bool) -> Judgement | None:
        """See `Columns.judge`."""
        try:
            document = load(value)
        except NotConvertible as error:
            is_malformed = isinstance(error.__context__, json.JSONDecodeError) and not any(map(value.count, _NO_NUMBERS))
            # The parser accepts other faults in members that are left out.
            return Judgement(_LEFT_OVER) if is_malformed or is_refused or not self.accepts(value) else None
        outcome: Any
        try:
            outcome = self._convert(document)
        except NotConvertible as error:
            outcome = NotConvertible(str(error))
        else:
            if self.accepts(value) if is_refused else _is_readable(self._typed.schema, document):
                return None
        self._judged[value] = outcome
        return Judgement(_LEFT_OVER)

    def resolve(self, values: Sequence[bytes], offsets: Sequence[int]) -> Resolved:
        """See `Columns.resolve`."""
        return Resolved(refused=dict.fromkeys(range(len(values)), _LEFT_OVER))

    def finish(self) -> pa.Schema:
        """See `Columns.finish`."""
        return self.parsed


def _is_readable(schema: ConnectSchema, node: Any) -> bool:
    """Whether the parser can probably read a value that is convertible. It can't read a number in the place of bytes, say."""
    if node is None:
        return True
    if schema.type == "struct":
        return all(_is_readable(field.schema, node.get(field.name)) for field in schema.fields)
    if schema.type == "array" and schema.values is not None:
        return all(_is_readable(schema.values, item) for item in node)
    return isinstance(node, str) if schema.type == "bytes" else schema.type not in INTEGERS or isinstance(node, int)
