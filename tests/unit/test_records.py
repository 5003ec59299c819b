"""Single records of a batch as rejects, and what is left without them."""

from __future__ import annotations

import pyarrow as pa

from kafka2parquet.records import Stage, is_kept
from tests.support.batches import batch_of


def test_a_reject_is_found_by_its_offset() -> None:
    """With the bytes and the time of its own record, also where offsets are missing in between."""
    batch = batch_of([b"a", b"b", b"c", b"d"], 10, [5, 6, 7, 8]).filter(pa.array([True, False, True, True]))
    reject = batch.reject_offset(12, Stage.DECODE, "why")
    assert (12, b"c", 7, "why") == (reject.offset, reject.value, reject.timestamp_ms, reject.reason)


def test_all_offsets_but_those_of_rejects_are_kept() -> None:
    """In whatever order the rejects come."""
    batch = batch_of([b"a", b"b", b"c", b"d"], 10)
    rejects = [batch.reject_offset(offset, Stage.DECODE, "") for offset in (13, 10)]
    assert [False, True, True, False] == is_kept(batch.offsets, rejects).to_pylist()


def test_without_rejects_all_offsets_are_kept() -> None:
    """As a mask all the same."""
    assert [True, True] == is_kept(batch_of([b"a", b"b"]).offsets, []).to_pylist()
