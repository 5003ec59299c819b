"""Finds malformed Protobuf messages in a whole batch at once, without decoding them.

Each round reads the next field of all messages. Nested messages are read afterwards, all of one type together. If only a few
messages have very many fields, that would take too long, so these messages count as sound.

Only messages that ptars refuses are found. ptars accepts some messages that Protobuf's own decoders refuse, such as lengths and
tags that are encoded with more bytes than necessary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from kafka2parquet.converters.byte_columns import Bools, ByteColumns, Int64s, UInt64s
from kafka2parquet.converters.registry.wire_format import rows_of_each
from kafka2parquet.util.arrays import invalid_utf8

#: Most rounds of reading fields: a fixed number, and one more round per `_ROUND_BYTES` bytes of all messages.
_ROUNDS, _ROUND_BYTES = 256, 2048
_VARINT, _LENGTH, _START_OF_GROUP, _END_OF_GROUP = 0, 2, 3, 4
_FIXED_BYTES = {1: 8, 5: 4}
#: The change in the number of open groups, by wire type.
_GROUPS = {_START_OF_GROUP: 1, _END_OF_GROUP: -1}
_WIRE_TYPE_BITS = np.uint64(3)
_WIRE_TYPES = np.uint64(7)
#: ptars ignores the higher bits of field numbers.
_FIELD_NUMBERS = np.uint64(0xFFFF_FFFF)
_WORD_BYTES = 8
_FIRST_BITS = np.uint64(0x8080_8080_8080_8080)
_OTHER, _TEXT, _PACKED, _MESSAGES = range(4)
_PACKED_TYPES = ("INT32", "INT64", "UINT32", "UINT64", "SINT32", "SINT64", "BOOL", "ENUM")


@attrs.frozen(eq=False)
class _Spans:
    """Runs of bytes within messages.

    Attributes:
        starts: where each run begins.
        ends: where each run ends.
        rows: the index of the message that each run is in.
    """

    starts: Int64s
    ends: Int64s
    rows: Int64s

    def take(self, chosen: Int64s) -> _Spans:
        return _Spans(self.starts[chosen], self.ends[chosen], self.rows[chosen])

    @classmethod
    def joined(cls, parts: list[_Spans]) -> _Spans:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("starts", "ends", "rows")))


@attrs.frozen(eq=False)
class _Fields:
    """The content of the fields of a message type.

    Attributes:
        numbers: the numbers of the fields that hold text, packed numbers or messages, in ascending order.
        contents: for each of these fields `_TEXT`, `_PACKED`, or `_MESSAGES` plus the index of the message type in `types`.
        types: the message types of fields.
    """

    numbers: UInt64s
    contents: Int64s
    types: tuple[Any, ...]

    @classmethod
    def of(cls, descriptor: Any) -> _Fields:
        contents: dict[int, int] = {}
        types: list[Any] = []
        for field in descriptor.fields:
            if field.type == field.TYPE_STRING:
                contents[field.number] = _TEXT
            elif field.type == field.TYPE_MESSAGE:
                contents[field.number] = _MESSAGES + len(types)
                types.append(field.message_type)
            elif field.is_repeated and field.type in [getattr(field, f"TYPE_{name}") for name in _PACKED_TYPES]:
                contents[field.number] = _PACKED
        numbers = sorted(contents)
        return cls(np.array(numbers, np.uint64), np.array([contents[number] for number in numbers], np.int64), tuple(types))

    def contents_of(self, numbers: UInt64s) -> Int64s:
        """Return the kinds of content of the fields with these numbers."""
        if not len(self.numbers):
            return np.full(len(numbers), _OTHER)
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[places] == numbers, self.contents[places], _OTHER)


class MessageScan:
    """Finds malformed messages of one type, which must not be recursive."""

    def __init__(self, descriptor: Any) -> None:
        """Prepare for a type of messages."""
        self._descriptor = descriptor
        self._fields: dict[str, _Fields] = {}
        pending = [descriptor]
        while pending:
            found = pending.pop()
            if found.full_name not in self._fields:
                self._fields[found.full_name] = fields = _Fields.of(found)
                pending += fields.types

    def malformed(self, payloads: pa.Array) -> Bools:
        """Whether each message (binary or binary_view without nulls) can't be of the type."""
        columns = ByteColumns(payloads)
        spans = _Spans(columns.starts, columns.limits - 1, np.arange(len(payloads)))
        return _Scan(columns, self._fields).malformed(self._descriptor.full_name, spans)


class _Scan:
    def __init__(self, columns: ByteColumns, fields: Mapping[str, _Fields]) -> None:
        self._columns = columns
        self._fields = fields
        self._malformed = np.zeros(len(columns.starts), np.bool_)

    def malformed(self, name: str, spans: _Spans) -> Bools:
        texts: list[_Spans] = []
        pending = {name: [spans]}
        while pending:
            name = next(iter(pending))
            fields = self._fields[name]
            numbers, parts = self._read(_Spans.joined(pending.pop(name)))
            contents = fields.contents_of(numbers)
            for chosen in rows_of_each(contents):
                content, found = int(contents[chosen[0]]), parts.take(chosen)
                if content == _TEXT:
                    texts.append(found)
                elif content == _PACKED:
                    last = self._columns.byte(np.maximum(found.ends - 1, 0))
                    self._malformed[found.rows[(last >= 0x80) & (found.ends > found.starts)]] = True
                elif content >= _MESSAGES:
                    pending.setdefault(fields.types[content - _MESSAGES].full_name, []).append(found)
        if texts:
            self._check_texts(_Spans.joined(texts))
        return self._malformed

    def _read(self, spans: _Spans) -> tuple[UInt64s, _Spans]:
        """Read all fields of messages. Returns the numbers and the contents of the fields that have a length."""
        at, limits, rows = spans.starts, spans.ends + 1, spans.rows
        groups: Int64s | None = None  # open groups of each message; None until the first group
        numbers: list[UInt64s] = [np.zeros(0, np.uint64)]
        found = [spans.take(np.zeros(0, np.int64))]
        rounds = _ROUNDS + int((spans.ends - spans.starts).sum()) // _ROUND_BYTES
        while rounds := rounds - 1:
            goes_on = at < limits - 1
            if not goes_on.all():
                is_over = at == limits if groups is None else ~goes_on & ((at == limits) | (groups > 0))
                self._malformed[rows[is_over]] = True
                kept = np.flatnonzero(goes_on)
                at, limits, rows = at[kept], limits[kept], rows[kept]
                groups = groups[kept] if groups is not None else None
            if not len(at):
                break
            tags, at = self._columns.numbers(at, limits)
            wire_types, fields = tags & _WIRE_TYPES, tags >> _WIRE_TYPE_BITS & _FIELD_NUMBERS
            present = np.flatnonzero(np.bincount(wire_types.view(np.int64))).tolist()
            if groups is None and _START_OF_GROUP in present:
                groups = np.zeros(len(at), np.int64)
            for wire_type in present:
                chosen = slice(None) if len(present) == 1 else np.flatnonzero(wire_types == wire_type)
                here, ends = at[chosen], limits[chosen]
                if wire_type == _LENGTH:
                    lengths, starts = self._columns.numbers(here, ends)
                    here = starts + np.minimum(lengths, (ends - starts).view(np.uint64)).view(np.int64)
                    inside = slice(None) if groups is None else groups[chosen] == 0
                    numbers.append(fields[chosen][inside])
                    found.append(_Spans(starts[inside], here[inside], rows[chosen][inside]))
                elif wire_type == _VARINT:
                    here = self._columns.behind_numbers(here, ends)
                elif wire_type in _FIXED_BYTES:
                    here = np.minimum(here + _FIXED_BYTES[wire_type], ends)
                elif groups is not None and wire_type in _GROUPS:
                    groups[chosen] += _GROUPS[wire_type]
                else:
                    here = ends
                at[chosen] = here
            wrong = fields == 0 if groups is None else (fields == 0) | (groups < 0)
            if wrong.any():
                at[wrong] = limits[wrong]
        return np.concatenate(numbers), _Spans.joined(found)

    def _check_texts(self, texts: _Spans) -> None:
        """Find texts that are not valid UTF-8. Only texts with bytes beyond ASCII are looked at."""
        content = self._columns.content
        words = content[: len(content) // _WORD_BYTES * _WORD_BYTES].view(np.uint64)
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(words & _FIRST_BITS != 0)])
        texts = texts.take(np.flatnonzero(texts.ends > texts.starts))
        in_words = before[(texts.ends - 1) // _WORD_BYTES + 1] > before[texts.starts // _WORD_BYTES]
        texts = texts.take(np.flatnonzero(in_words))
        lengths = texts.ends - texts.starts
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        content = content[np.repeat(texts.starts - bounds[:-1], lengths) + np.arange(bounds[-1])]
        buffers = [None, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(content)]
        self._malformed[texts.rows[invalid_utf8(pa.Array.from_buffers(pa.binary(), len(lengths), buffers))]] = True
