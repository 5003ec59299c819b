"""Reading varints of many records side by side gives the same as reading each record alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.byte_columns import ByteColumns

_VARINTS = st.builds(
    lambda begin, end: bytes(byte | 0x80 for byte in begin) + end, st.binary(max_size=11), st.binary(max_size=1)
)


def _read(record: bytes) -> tuple[int, int] | None:
    """Returns the number and its size; None if the record ends inside it, or it has more than ten bytes."""
    for size in range(1, min(len(record), 10) + 1):
        if record[size - 1] < 0x80:
            return sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(record[:size])) & (2**64 - 1), size
    return None


@given(
    records=st.lists(st.builds(bytes.__add__, _VARINTS, st.binary(max_size=3)), min_size=1, max_size=6),
    skipped=st.integers(0, 5),
)
def test_varints(records: list[bytes], skipped: int) -> None:
    """Varints are read in slices, too, and a record that ends inside a varint is over."""
    columns = ByteColumns(pa.array(records, pa.binary()).slice(skipped))
    numbers, behind = columns.numbers(columns.starts, columns.limits)
    for index, record in enumerate(records[skipped:]):
        read = _read(record)
        if read is None:
            assert (0, columns.limits[index]) == (numbers[index], behind[index])
        else:
            assert (read[0], columns.starts[index] + read[1]) == (numbers[index], behind[index])
    assert (behind == columns.behind_numbers(columns.starts, columns.limits)).all()


def test_a_record_that_is_over_stays_so() -> None:
    """The place of a record that is over stays at its limit, whatever the next record has."""
    columns = ByteColumns(pa.array([b"", b"\1"], pa.binary_view()))
    at = columns.behind_numbers(columns.starts, columns.limits)
    assert [1, 1] == at.tolist()
    at = columns.behind_numbers(at, columns.limits)
    assert [1, 2] == at.tolist()
    assert np.array_equal(columns.limits, at)
