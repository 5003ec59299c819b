"""Single records of a batch as rejects, and what is left without them."""

from __future__ import annotations

import attrs
import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet.records import ConsumedBatch, Reject, Stage, TopicPartition, decode_headers, is_kept
from kafka2parquet.rows import Rows, without_columns
from tests.support.batches import batch_of


def test_a_reject_is_found_by_its_offset() -> None:
    """A reject has its own record's bytes and time, even if offsets are missing in between."""
    batch = batch_of([b"a", b"b", b"c", b"d"], 10, [5, 6, 7, 8]).filter(pa.array([True, False, True, True]))
    reject = batch.reject_offset(12, Stage.DECODE, "why")
    assert (12, b"c", 7, "why") == (reject.offset, reject.value, reject.timestamp_ms, reject.reason)


def test_all_offsets_but_those_of_rejects_are_kept() -> None:
    """The mask keeps all offsets except those of rejects, whatever the order of the rejects."""
    batch = batch_of([b"a", b"b", b"c", b"d"], 10)
    rejects = [batch.reject_offset(offset, Stage.DECODE, "") for offset in (13, 10)]
    assert [False, True, True, False] == is_kept(batch.offsets, rejects).to_pylist()


def test_without_rejects_all_offsets_are_kept() -> None:
    """The mask is all true if there aren't any rejects."""
    assert [True, True] == is_kept(batch_of([b"a", b"b"]).offsets, []).to_pylist()


def test_names_of_headers_that_are_not_utf8_are_read_as_java_reads_them() -> None:
    """Invalid UTF-8 in header names becomes replacement characters, and values stay unchanged."""
    assert (("\ufffd\ufffd", b"\xff"), ("é", None)) == decode_headers(b"\x04\x04\xff\xfe\x02\xff\x04\xc3\xa9\x01")


MALFORMED = {
    "empty": b"",
    "ends in a count": b"\x80",
    "ends in a name": b"\x02\x06ab",
    "ends in a value": b"\x02\x02a\x06v",
    "name of length -1": b"\x02\x01\x02v",
    "names that lead back for ever": b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03\x01\x01",
    "value of length -2": b"\x02\x02a\x03",
    "more than its headers": b"\x02\x02a\x02vx",
    "a number of a million bytes": b"\xff" * 1_000_000,
}


@pytest.mark.parametrize("section", MALFORMED.values(), ids=MALFORMED)
def test_malformed_headers(section: bytes) -> None:
    """Malformed headers are refused, and their record can still be rejected."""
    with pytest.raises(ValueError, match="header"):
        decode_headers(section)
    batch = attrs.evolve(batch_of([b"a"], 0), headers=pa.array([section], pa.binary_view()))
    assert () == batch.reject(0, Stage.DECODE, "why").headers
    assert [()] == [reject.headers for reject in batch.rejects([0], Stage.DECODE, ["why"])]


def _batch(*sizes: int, first_offset: int = 10) -> ConsumedBatch:
    """Makes records of these sizes; the last record is followed by a hole in the log."""
    values = [b"x" * size for size in sizes]
    batch = ConsumedBatch.of_values(TopicPartition("topic", 0), values, first_offset=first_offset)
    return attrs.evolve(batch, next_offset=batch.next_offset + 5, size_bytes=sum(sizes))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([40, 40], [[40, 40]]),
        ([40, 40, 40], [[40, 40], [40]]),
        ([300, 40, 40, 300, 300, 20], [[300], [40, 40], [300], [300], [20]]),
        ([300], [[300]]),
        ([], [[]]),
    ],
)
def test_a_large_batch_is_split_into_runs_of_bytes(sizes: list[int], expected: list[list[int]]) -> None:
    """The runs cover the batch's offsets without a gap, and its memory is counted once."""
    batch = _batch(*sizes)
    runs = batch.split(100)

    assert expected == [[len(value) for value in run.values.to_pylist()] for run in runs]
    assert batch.offsets.to_pylist() == [offset for run in runs for offset in run.offsets.to_pylist()]
    assert [batch.first_offset, *(run.next_offset for run in runs)] == [*(run.first_offset for run in runs), batch.next_offset]
    assert batch.size_bytes == sum(run.size_bytes for run in runs) == runs[-1].size_bytes


def test_keys_and_headers_count_too() -> None:
    """Keys and headers count towards the size, and a part of a batch is split at its own records."""
    batch = _batch(0, 50, 50, 50, 50)
    keys = pa.array([b"", None, b"k" * 60, b"", b"k" * 10], pa.binary_view())
    part = attrs.evolve(batch, keys=keys, size_bytes=1000).slice(1, 4)

    assert [1, 1, 1, 1] == [len(run) for run in attrs.evolve(part, first_offset=11).split(100)]
    assert [2, 2] == [len(run) for run in attrs.evolve(part, first_offset=11).split(160)]


@pytest.mark.parametrize("rows", [[], [0], [1, 3], [0, 1, 2, 3]])
def test_records_are_taken_with_all_that_they_hold(rows: list[int]) -> None:
    """Short values, long values and nulls are taken, also from the middle of a batch."""
    values = [b"x", b"short", None, b"a value that is too long for its view", b""]
    batch = batch_of(values, 10, [5, 6, 7, 8, 9]).slice(1, 4)
    taken = batch.take(np.array(rows, np.int64))
    assert [values[1 + row] for row in rows] == taken.values.to_pylist()
    assert ([11 + row for row in rows], [6 + row for row in rows]) == (
        taken.offsets.to_pylist(),
        taken.timestamps_ms.to_pylist(),
    )
    taken.values.validate(full=True)


def test_taking_a_record_costs_nothing_for_the_others() -> None:
    """Taking the records of each schema is fast, even if a batch has thousands of schemas."""
    batch = batch_of([b"x" * 1_000_000] * 10)
    before = pa.total_allocated_bytes()
    rows = Rows(batch, batch.offsets[3:4], batch.timestamps_ms[3:4], without_columns(1))
    records = rows.records
    assert pa.total_allocated_bytes() - before < 1_000_000
    assert [3] == records.offsets.to_pylist()


def test_a_reason_is_valid_text() -> None:
    """A lone surrogate in a reason, for instance from the name of a JSON member, is escaped."""
    reject = Reject(TopicPartition("t", 0), 1, Stage.DECODE, "field \ud800é appears twice")
    assert r"field \ud800é appears twice" == reject.reason


def test_rejects_have_one_exception_or_one_each() -> None:
    """A single class applies to all rejects of a call, and a sequence has the class of each."""
    batch = ConsumedBatch.of_values(TopicPartition("t", 0), [b"a", b"b"])

    assert ["X", "X"] == [reject.exception for reject in batch.rejects([0, 1], Stage.WRITE, ["why", "why"], "X")]
    assert ["X", "Y"] == [reject.exception for reject in batch.rejects([0, 1], Stage.WRITE, ["why", "why"], ["X", "Y"])]


@pytest.mark.parametrize(("offset", "expected"), [(0, []), (5, []), (6, [5]), (8, [5, 7]), (9, [5, 7]), (100, [5, 7, 9])])
def test_records_before_an_offset(offset: int, expected: list[int]) -> None:
    """`before` drops the records from an offset on, and the batch still covers its range."""
    batch = ConsumedBatch.of_values(TopicPartition("t", 0), [b"x"] * 5, first_offset=5)
    found = batch.filter(pa.array([True, False, True, False, True])).before(offset)
    assert (expected, 5, 10) == (found.offsets.to_pylist(), found.first_offset, found.next_offset)
