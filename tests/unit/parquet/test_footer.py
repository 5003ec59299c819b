"""Footers and layouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.parquet.footer import METADATA_KEY, FlushFooter, Layout, Sibling

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
    siblings=(Sibling("a/b.parquet", 40, 1),),
    layout="x",
)


def test_a_footer_is_read_back_as_it_was_written() -> None:
    """to_metadata and from_metadata are inverse, for anchors and for siblings."""
    sibling = FlushFooter.from_metadata(FOOTER.to_metadata())
    assert sibling == FOOTER


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "null", '{"version":99}', '{"version":1}', '{"version":1,"x":2}'])
def test_what_is_not_ours_is_none(text: str | None) -> None:
    """A file of another tool, or of a newer version, is not mistaken for ours."""
    assert FlushFooter.from_metadata({} if text is None else {METADATA_KEY: text}) is None


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=60))
def test_a_layout_tells_the_file_of_every_row(steps: list[tuple[int, int]]) -> None:
    """Through encoding and decoding, each row keeps its file."""
    offsets = np.cumsum([step for step, _ in steps]).astype(np.int64)
    files = np.array([file for _, file in steps], dtype=np.int64)
    layout = Layout.decode(Layout.of(offsets, files).encode())
    assert files.tolist() == layout.files(offsets).tolist()


def test_a_row_before_all_runs_has_no_file() -> None:
    """Records before the flush's first row belong to no file."""
    layout = Layout.of(np.array([5, 6]), np.array([0, 1]))
    assert [-1, 0, 1] == layout.files(np.array([4, 5, 6])).tolist()


def test_a_damaged_layout_is_an_error() -> None:
    """It is never guessed."""
    with pytest.raises(ValueError, match="damaged"):
        Layout.decode("not a layout")
