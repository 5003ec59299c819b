"""PayloadDecoder: payloads of one schema to values, all at once where that can be, the others one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.arrays import ARROW_DATA_ERRORS
from kafka2parquet.errors import is_panic
from kafka2parquet.halving import attempt_halves
from kafka2parquet.schema.connect_schema import ConnectSchema

_Int64s = npt.NDArray[np.int64]


class PayloadsRefused(Exception):  # noqa: N818  # an answer, not a fault
    """Payloads, taken together, can't be decoded; or a single one can't, and the text says why.

    Attributes:
        row: which of them is probably the first to blame; None where that isn't known.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(reason)


@contextlib.contextmanager
def refusing_payloads() -> Iterator[None]:
    """Raise PayloadsRefused for what payloads cause in a decoder of whole batches, be it a panic of native code."""
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
        values: of the schema's Arrow type.
        kept: the index of each value's payload, rising.
        refused: index and reason of each other payload.
    """

    values: pa.Array
    kept: _Int64s
    refused: Sequence[tuple[int, str]] = ()


@attrs.frozen(eq=False)
class PayloadDecoder:
    """Decodes payloads of one schema.

    What becomes of a payload doesn't depend on its neighbours: the fast way is asked first for single ones too, as it may take
    some damaged ones that the other way refuses.

    Attributes:
        schema: of the values.
        decode_one: makes of a payload its value, as `pyarrow.array` takes it, or raises PayloadsRefused.
        decode: makes an array of the values of all payloads (binary_view without nulls) at once, or raises PayloadsRefused;
            None where nothing can do that.
    """

    schema: ConnectSchema
    decode_one: Callable[[bytes], Any]
    decode: Callable[[pa.Array], pa.Array] | None = None

    def __attrs_post_init__(self) -> None:
        """Find out, while the schema is prepared, whether it has columns at all."""
        _ = self.schema.arrow_schema

    def run(self, payloads: pa.Array) -> Iterator[Decoded]:
        """The values of the payloads (one or more), in their order; what is to blame for a refusal is decoded alone."""
        decode = self.decode
        if decode is None:
            yield self._values_of(payloads.to_pylist(), 0)
            return
        for start, length, values in attempt_halves(
            len(payloads), lambda start, length: decode(payloads.slice(start, length)), PayloadsRefused
        ):
            if isinstance(values, PayloadsRefused):
                yield self._values_of([payloads[start].as_py()], start)
            else:
                yield Decoded(values, np.arange(start, start + length))

    def _values_of(self, payloads: list[bytes], start: int) -> Decoded:
        values: list[Any] = []
        kept: list[int] = []
        refused: list[tuple[int, str]] = []
        for row, payload in enumerate(payloads, start):
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
        return pa.array(values, self.schema.arrow_type)
