"""Pages that are sessions: their commands run one after the other, and print what the page shows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks_of
from tests.docs.session import PAGES, Output, normalized, run_page

_SCHEDULE_S = 600


@pytest.mark.parametrize("page", PAGES)
def test_commands_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """Each output of the page is what its command prints, but for numbers and the widths of columns."""
    outputs = _run(page, tmp_path)
    texts = [block for block in blocks_of(DOCS / page) if block.language == "text"]
    assert texts == [output.block for output in outputs if output.block.language == "text"]
    for output in outputs:
        assert normalized(output.block.text) == normalized(output.seen), f"{output.block.id}\n{output.seen}"


def _run(page: str, folder: Path) -> list[Output]:
    """Runs the page. Where the clock of `rotate.schedule.interval.ms` has ended files meanwhile, the page is run again."""
    began_at_s = time.time()
    for name in ("first", "second"):
        (folder / name).mkdir()
        try:
            outputs = run_page(page, folder / name)
        except (AssertionError, TimeoutError):
            if name == "second" or began_at_s // _SCHEDULE_S == time.time() // _SCHEDULE_S:
                raise
        else:
            if name == "second" or began_at_s // _SCHEDULE_S == time.time() // _SCHEDULE_S:
                return outputs
    raise AssertionError("unreachable")
