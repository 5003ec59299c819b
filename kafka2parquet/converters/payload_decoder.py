"""Decodes payloads of one schema: together if possible, and the others one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import is_panic
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, chosen_views
from kafka2parquet.util.bisection import bisect_failures

_Bools = npt.NDArray[np.bool_]
_Int64s = npt.NDArray[np.int64]


class PayloadsRefused(Exception):  # noqa: N818  # an answer, not a fault
    """Some payloads can't be decoded together, or a single payload can't be decoded. The text says why.

    Attributes:
        row: the index of the payload that is probably the first at fault; None if it isn't known.
        suspects: whether each payload is probably at fault, as far as could be found; None if it isn't known.
        others: the values of all payloads except the suspects; None if these haven't been decoded.
    """

    def __init__(
        self, reason: str, row: int | None = None, suspects: _Bools | None = None, others: pa.Array | None = None
    ) -> None:
        self.row = row
        self.suspects = suspects
        self.others = others
        super().__init__(reason)


class Suspicions:
    """Collects the payloads with values that a decoder of whole batches can't decode.

    Values are identified by their index in an array. An array of items, such as those of lists, has a `Suspicions` that passes
    them on to the payloads that contain the items.

    Attributes:
        rows: whether each payload is suspected.
    """

    def __init__(self, rows: _Bools) -> None:
        """Start with the payloads that are already suspected."""
        self.rows = rows
        self._levels: tuple[_Int64s, ...] = ()

    def of_items(self, offsets: _Int64s) -> Suspicions:
        """Return the suspicions of items. `offsets` are the offsets of the values that contain the items."""
        items = Suspicions(self.rows)
        items._levels = (offsets, *self._levels)
        return items

    def add(self, values: _Bools, counted: _Bools | None = None) -> None:
        """Suspect some values, except those that don't count. By default, all values count."""
        indices = np.flatnonzero(values if counted is None else values & counted)
        for offsets in self._levels if len(indices) else ():
            indices = np.searchsorted(offsets, indices, "right") - 1
        self.rows[indices] = True

    def integers(self, array: pa.Array, type_: pa.DataType, counted: _Bools | None = None) -> pa.Array:
        """Cast integers to another type, and suspect those that are out of its range."""
        if array.type.equals(type_):
            return array
        made = array.cast(type_, safe=False)
        before, after = (pc.fill_null(each, 0) if each.null_count else each for each in (array, made))
        self.add(before.to_numpy() != after.to_numpy(), counted)
        return made

    def checked(self, array: pa.Array) -> pa.Array:
        """Return the values of all payloads if none is suspected.

        Raises:
            PayloadsRefused: some payloads are suspected; `others` has the values of the others.
        """
        if not self.rows.any():
            return array
        raise PayloadsRefused("values that don't fit", suspects=self.rows, others=array.filter(pa.array(~self.rows)))


@contextlib.contextmanager
def refusing_payloads() -> Iterator[None]:
    """Raise PayloadsRefused for any error that payloads cause in a decoder of whole batches, even a panic of native code."""
    try:
        yield
    except (ValueError, ArithmeticError, *ARROW_DATA_ERRORS) as error:
        raise PayloadsRefused(str(error)) from None
    except BaseException as error:
        if not is_panic(error):
            raise
        raise PayloadsRefused(str(error)) from None


@attrs.frozen(eq=False)
class Decoded:
    """Values of some payloads.

    Attributes:
        values: the values, of the schema's Arrow type.
        kept: the index of each value's payload, in ascending order.
        refused: the index of each other payload, and the reason.
    """

    values: pa.Array
    kept: _Int64s
    refused: Sequence[tuple[int, str]] = ()


@attrs.define(eq=False)
class PayloadDecoder:
    """Decodes payloads of one schema.

    The outcome of a payload doesn't depend on its neighbours. Single payloads are also given to `decode` first, because it may
    accept damaged payloads that `decode_one` refuses. Payloads that `decode` suspects are given to `decode_one`.

    Attributes:
        schema: the schema of the values.
        decode_one: converts a payload to a value that `pyarrow.array` accepts, or raises PayloadsRefused.
        decode: converts payloads (binary_view without nulls) to an array, or raises PayloadsRefused; None without a
            decoder. If it suspects a payload that it would decode alone, `decode_one` must return the same value.
        malformed: finds payloads whose form `decode` can't decode, though perhaps not all of them; None without a
            function. If it finds any other payload, `decode_one` must have the same outcome as `decode`. It is called after
            `decode` has refused payloads, and before `decode` as long as it finds some.
    """

    schema: ConnectSchema
    decode_one: Callable[[bytes], Any]
    decode: Callable[[pa.Array], pa.Array] | None = None
    malformed: Callable[[pa.Array], _Bools] | None = None
    _looks_first: bool = attrs.field(default=False, init=False)
    _type: pa.DataType = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Fail early, while the schema is prepared, if it has no columns."""
        _ = self.schema.arrow_schema
        self._type = self.schema.arrow_type

    def run(self, payloads: pa.Array) -> Iterator[Decoded]:
        """Decode payloads (one or more). Yields the outcomes of parts of them, each in the order of its payloads."""
        rows = np.arange(len(payloads))
        suspects = [rows if self.decode is None else rows[:0]]
        may_look, looks = self.malformed is not None and len(rows) > 1, self._looks_first
        while self.decode is not None and len(rows):
            chosen = payloads if len(rows) == len(payloads) else chosen_views(payloads, rows)
            if self.malformed is not None and may_look and looks:
                may_look = False
                found = self.malformed(chosen)
                self._looks_first = bool(found.any())
                if self._looks_first:
                    suspects.append(rows[found])
                    rows = rows[~found]
                    continue
            try:
                yield Decoded(self.decode(chosen), rows)
            except PayloadsRefused as refusal:
                if refusal.suspects is not None:
                    suspects.append(rows[refusal.suspects])
                    rows = rows[~refusal.suspects]
                    if refusal.others is None:
                        continue
                    yield Decoded(refusal.others, rows)
                elif may_look:
                    looks = True
                    continue
                else:
                    suspects.append((yield from self._in_parts(chosen, rows)))
            break
        left = np.sort(np.concatenate(suspects))
        if len(left):
            yield self._one_by_one(payloads, left)

    def _in_parts(self, payloads: pa.Array, rows: _Int64s) -> Generator[Decoded, None, _Int64s]:
        """Bisect the payloads until the bad ones are found, decoding the others. Returns the rows of the bad ones."""
        decode, blamed = self.decode, [rows[:0]]
        if decode is None:
            return rows
        for start, length, outcome in bisect_failures(
            len(payloads), lambda start, length: decode(payloads.slice(start, length)), PayloadsRefused
        ):
            part = rows[start : start + length]
            if isinstance(outcome, PayloadsRefused):
                blamed.append(part)
            else:
                yield Decoded(outcome, part)
        return np.concatenate(blamed)

    def _one_by_one(self, payloads: pa.Array, rows: _Int64s) -> Decoded:
        values: list[Any] = []
        kept: list[int] = []
        refused: list[tuple[int, str]] = []
        for row, payload in zip(rows.tolist(), chosen_views(payloads, rows).to_pylist(), strict=True):
            try:
                values.append(self.decode_one(payload))
                kept.append(row)
            except PayloadsRefused as exc:
                refused.append((row, str(exc)))
        if not values:
            return Decoded(self._array([]), np.array(kept, np.int64), refused)
        try:
            array = self._array(values)
        except (*ARROW_DATA_ERRORS, OverflowError, ValueError):  # such as decimals of too many digits
            fitting: list[int] = []
            for i, value in enumerate(values):
                try:
                    self._array([value])
                    fitting.append(i)
                except (*ARROW_DATA_ERRORS, OverflowError, ValueError) as exc:
                    refused.append((kept[i], str(exc)))
            array = self._array([values[i] for i in fitting])
            kept = [kept[i] for i in fitting]
        return Decoded(array, np.array(kept, np.int64), refused)

    def _array(self, values: list[Any]) -> pa.Array:
        return pa.array(values, self._type)
