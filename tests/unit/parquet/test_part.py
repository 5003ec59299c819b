"""A row group that goes to disk while it is encoded."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.parquet.part import Part

MIB = 1 << 20
TABLE = pa.table({"value": pa.array([os.urandom(1000) for _ in range(32 * MIB // 1000)])})


def _paths(folder: Path, fails: int = 0) -> Callable[[], Path]:
    """Makes up paths; the disk is full for the first calls."""
    failures: Iterator[int] = iter(range(fails))

    def new_path() -> Path:
        if next(failures, None) is not None:
            raise OSError(errno.ENOSPC, "no space left")
        path = folder / "part.parquet"
        path.touch()
        return path

    return new_path


def test_a_row_group_is_not_held_in_memory_while_it_is_encoded(tmp_path: Path) -> None:
    """Only some megabytes of a row group are in memory while it is encoded."""
    part = Part(TABLE.schema, {"compression": "none"}, 0, _paths(tmp_path))
    tracemalloc.start()
    try:
        part.write(TABLE)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    part.complete({})

    assert peak_bytes < 10 * MIB
    assert TABLE.equals(part.open().read())


@pytest.mark.parametrize("fails", [1, 2])
def test_a_disk_that_is_full_while_a_row_group_is_encoded(tmp_path: Path, fails: int) -> None:
    """The rest of it stays in memory, and goes to disk later."""
    part = Part(TABLE.schema, {"compression": "none"}, 0, _paths(tmp_path, fails))
    part.write(TABLE)
    part.complete({})

    assert TABLE.equals(part.open().read())


def test_a_staged_file_that_is_removed_while_a_row_group_is_encoded(tmp_path: Path) -> None:
    """A staged file that disappears during encoding is the same error as between two row groups."""
    part = Part(TABLE.schema, {"compression": "none"}, 0, _paths(tmp_path))
    part.write(TABLE.slice(0, 10))
    (tmp_path / "part.parquet").unlink()

    with pytest.raises(ConfigurationError, match="Another program removed or truncated a staged file"):
        part.write(TABLE)


def test_a_file_that_fits_into_memory_stays_there(tmp_path: Path) -> None:
    """A file stays in memory up to the configured size."""
    part = Part(TABLE.schema, {"compression": "none"}, 64 * MIB, _paths(tmp_path))
    part.write(TABLE)
    part.complete({})

    assert isinstance(part.content(), bytes)
    assert TABLE.equals(part.open().read())
