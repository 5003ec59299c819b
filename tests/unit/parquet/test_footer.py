"""Footers and layouts."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.parquet.footer import METADATA_KEY, FlushFooter, Layout, Sibling


def encoded(text: str) -> str:
    return base64.b85encode(zlib.compress(text.encode())).decode()


FOOTER = FlushFooter(
    cluster_id="c",
    topic_id="t",
    topic="events",
    partition=3,
    start=100,
    end=200,
    flush_rows=90,
    file_rows=50,
    first_offset=101,
    last_offset=198,
    fingerprint="0a1b2c3d",
    opened_at_ms=1_790_000_000_000,
    reason="rows",
    min_time_ms=-5,
    max_time_ms=1_790_000_000_000,
    flush_min_time_ms=-5,
    flush_max_time_ms=1_790_000_000_001,
    siblings=(Sibling("a/b.parquet", 40, 1),),
    layout="x",
)


def test_a_footer_is_read_back_as_it_was_written() -> None:
    """to_metadata and from_metadata are inverse, for anchors and for siblings."""
    sibling = FlushFooter.from_metadata(FOOTER.to_metadata())
    assert sibling == FOOTER


def test_what_is_not_ours_is_none() -> None:
    """A file of another tool is not mistaken for ours."""
    assert FlushFooter.from_metadata(None) is None
    assert FlushFooter.from_metadata({"other": "{}"}) is None


DAMAGED = ["", "{}", "[]", "null", "[" * 100_000, '{"version":1}', '{"version":1,"x":2}', '{"version":99}', '{"version":null}']


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_text_that_says_nothing_is_an_error(text: str) -> None:
    """A file of ours that can't be read is never taken for one of another tool."""
    with pytest.raises(ValueError, match=r"damaged|another version|Expecting value"):
        FlushFooter.from_metadata({METADATA_KEY: text})


@pytest.mark.parametrize(
    "change",
    [
        {"start": "x"},
        {"start": True},
        {"start": 1.5},
        {"start": -1},
        {"end": 100},
        {"end": 99},
        {"end": 100, "flush_rows": 0, "file_rows": 0, "first_offset": -1, "last_offset": -1},
        {"end": 10**30},
        {"flush_rows": 101},
        {"flush_rows": -1},
        {"file_rows": 101},
        {"first_offset": 99},
        {"last_offset": 200},
        {"last_offset": 100},
        {"opened_at_ms": 10**30},
        {"partition": None},
        {"topic": 5},
        {"role": "other"},
        {"leader_epoch": -2},
        {"group_id": None},
        {"layout": 5},
        {"siblings": 5},
        {"siblings": [5]},
        {"siblings": [{"rows": 1, "file": 1}]},
        {"siblings": [{"key": 5, "rows": 1, "file": 1}]},
        {"siblings": [{"key": "a/../b", "rows": 1, "file": 1}]},
        {"siblings": [{"key": "/etc/x", "rows": 1, "file": 1}]},
        {"siblings": [{"key": "a", "rows": "1", "file": 1}]},
        {"siblings": [{"key": "a", "rows": 1, "file": -1}]},
        {"siblings": [{"key": "a", "rows": 1, "file": 1, "role": "x"}]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_footer_that_says_what_cannot_be_is_an_error(change: dict[str, object]) -> None:
    """Types and ranges are checked, and that the numbers agree."""
    values = {**json.loads(FOOTER.to_metadata()[METADATA_KEY]), **change}
    with pytest.raises(ValueError, match=r"."):
        FlushFooter.from_metadata({METADATA_KEY: json.dumps(values)})


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=60))
def test_a_layout_gives_the_file_of_every_row(steps: list[tuple[int, int]]) -> None:
    """Through encoding and decoding, each row keeps its file."""
    offsets = np.cumsum([step for step, _ in steps]).astype(np.int64)
    files = np.array([file for _, file in steps], dtype=np.int64)
    layout = Layout.decode(Layout.of(offsets, files).encode())
    assert files.tolist() == layout.files(offsets).tolist()


def test_a_row_before_all_runs_has_no_file() -> None:
    """Records before the flush's first row belong to no file."""
    layout = Layout.of(np.array([5, 6]), np.array([0, 1]))
    assert [-1, 0, 1] == layout.files(np.array([4, 5, 6])).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "not a layout",
        "%%",
        *(encoded(text) for text in ("", "5", "[1]", "[1,2,3]", '["a",1]', "[5,0,-1,1]", "[0,-1]", "[1e400,0]")),
    ],
)
def test_a_damaged_layout_is_an_error(text: str) -> None:
    """A damaged layout is an error, never a guess."""
    with pytest.raises(ValueError, match="damaged"):
        Layout.decode(text)
