"""Finds malformed Avro payloads in a whole batch at once, without decoding them.

Each step reads the same field of all payloads. Items of arrays and maps are read one after the other, in all payloads at the
same time. If only a few payloads have very many items, that would take too long, so these payloads count as sound.

A payload that is found malformed is only a suspect: `values.py` decides, and gives the reason.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kafka2parquet.converters.avro.node import AvroNode, Kind
from kafka2parquet.converters.byte_columns import Bools, ByteColumns, Int64s

#: Most rounds of reading array items: a fixed number, and one more round per `_ROUND_BYTES` bytes of all payloads.
_ROUNDS, _ROUND_BYTES = 256, 2048
_FIXED_BYTES = {Kind.FLOAT: 4, Kind.DOUBLE: 8}


def malformed_payloads(node: AvroNode, payloads: pa.Array) -> Bools:
    """Whether each payload (binary_view without nulls) can't be a value of the schema."""
    return _Scan(ByteColumns(payloads)).malformed(node)


class _Scan:
    def __init__(self, columns: ByteColumns) -> None:
        self._columns = columns
        self._unclear = np.zeros(len(columns.starts), np.bool_)
        self._rounds = _ROUNDS + len(columns.content) // _ROUND_BYTES

    def malformed(self, node: AvroNode) -> Bools:
        starts, limits = self._columns.starts, self._columns.limits
        at = self._behind(node, starts, limits, np.arange(len(starts)))
        found: Bools = (at == limits) & ~self._unclear
        return found

    def _behind(self, node: AvroNode, at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        """Return where values of the node end, or the limit of the payload if its value is malformed.

        Args:
            node: the type of the values.
            at: where the values begin.
            limits: the limits of their payloads.
            rows: the indices of their payloads.
        """
        if node.kind is Kind.UNION:
            return self._chosen(node, dict(zip(_branches(node), node.children, strict=True)), at, limits, rows)
        if node.null_branch is not None:
            return self._chosen(node, {1 - node.null_branch: None}, at, limits, rows)
        return self._behind_plain(node, at, limits, rows)

    def _chosen(self, node: AvroNode, types: dict[int, AvroNode | None], at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        """Return where values of a union end. `types` maps branch numbers to types; None is the node itself without null."""
        numbers, at = self._numbers(at, limits)
        unknown = numbers != node.null_branch if node.null_branch is not None else np.ones(len(at), np.bool_)
        for number, child in types.items():
            here = numbers == number
            unknown &= ~here
            if here.all():
                return self._behind_type(node, child, at, limits, rows)
            if here.any():
                at[here] = self._behind_type(node, child, at[here], limits[here], rows[here])
        return np.where(unknown, limits, at)

    def _behind_type(self, node: AvroNode, child: AvroNode | None, at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        if child is None:
            return self._behind_plain(node, at, limits, rows)
        return self._behind(child, at, limits, rows)

    def _behind_plain(self, node: AvroNode, at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        if node.kind in (Kind.INT, Kind.LONG):
            return self._columns.behind_numbers(at, limits)
        if node.kind in (Kind.STRING, Kind.BYTES):
            return self._behind_text(at, limits)
        if node.kind is Kind.BOOLEAN:
            return np.where(self._columns.byte(at) < 2, np.minimum(at + 1, limits), limits)
        if node.kind is Kind.ENUM:
            numbers, at = self._numbers(at, limits)
            return np.where((numbers < 0) | (numbers >= len(node.symbols)), limits, at)
        if node.kind is Kind.SINGLE:
            numbers, at = self._numbers(at, limits)
            at = np.where(numbers == 0, at, limits)
        if node.kind is Kind.ARRAY or node.kind is Kind.MAP:
            return self._behind_blocks(node, at, limits, rows)
        for child in node.children:
            at = self._behind(child, at, limits, rows)
        return np.minimum(at + (_FIXED_BYTES.get(node.kind) or node.size), limits)

    def _behind_text(self, at: Int64s, limits: Int64s) -> Int64s:
        lengths, at = self._numbers(at, limits)
        return np.where(lengths < 0, limits, at + np.minimum(lengths, limits - at))

    def _behind_blocks(self, node: AvroNode, at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        """Return where arrays and maps end. They are blocks of items, each preceded by its count; a count of 0 ends them."""
        at = at.copy()
        active = np.arange(len(at))
        while len(active) and self._may_go_on(active, at, limits, rows):
            counts, at[active] = self._numbers(at[active], limits[active])
            with_size = active[counts < 0]
            if len(with_size):
                at[with_size] = self._columns.behind_numbers(at[with_size], limits[with_size])
            goes_on = (counts != 0) & (at[active] < limits[active])
            active, left = active[goes_on], np.abs(counts[goes_on])  # the smallest long stays negative, so it has no items
            having, left = active[left > 0], left[left > 0]
            while len(having) and self._may_go_on(having, at, limits, rows):
                at[having] = self._behind_item(node, at[having], limits[having], rows[having])
                left -= 1
                goes_on = (left > 0) & (at[having] < limits[having])
                having, left = having[goes_on], left[goes_on]
            active = active[at[active] < limits[active]]
        return at

    def _behind_item(self, node: AvroNode, at: Int64s, limits: Int64s, rows: Int64s) -> Int64s:
        if node.kind is Kind.MAP:
            at = self._behind_text(at, limits)
        return self._behind(node.children[0], at, limits, rows)

    def _may_go_on(self, active: Int64s, at: Int64s, limits: Int64s, rows: Int64s) -> bool:
        """Count a round, and return whether another one may follow. After too many rounds, active payloads count as sound."""
        self._rounds -= 1
        if self._rounds < 0:
            self._unclear[rows[active]] = True
            at[active] = limits[active]
        return self._rounds >= 0

    def _numbers(self, at: Int64s, limits: Int64s) -> tuple[Int64s, Int64s]:
        """Read zigzag-encoded numbers; return them and the places after them."""
        numbers, at = self._columns.numbers(at, limits)
        return (numbers >> np.uint64(1)).view(np.int64) ^ -(numbers & np.uint64(1)).view(np.int64), at


def _branches(node: AvroNode) -> list[int]:
    """Return the numbers of a union's types except null."""
    return [number for number in range(len(node.children) + (node.null_branch is not None)) if number != node.null_branch]
