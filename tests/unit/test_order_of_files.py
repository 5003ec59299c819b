"""The order in which the workers of pytest-xdist run the files of tests."""

from __future__ import annotations

from pathlib import Path, PurePath

from tests.support.order_of_files import SLOW, spread

ROOT = Path(__file__).parents[2]


def test_files_that_wait_lie_between_files_that_compute() -> None:
    """Waiting files are spread over the first four fifths, and slow files come first."""
    waiting = [PurePath(f"tests/integration/test_{number}.py") for number in range(4)]
    computing = [PurePath(f"tests/unit/test_{number}.py") for number in range(9)]
    slow = PurePath(SLOW[0])
    ordered = spread([*waiting, *computing, slow])
    assert sorted([*waiting, *computing, slow]) == sorted(ordered)
    assert [0, 3, 6, 9] == [ordered.index(file) for file in waiting]
    assert 1 == ordered.index(slow)
    assert computing == [file for file in ordered if file in computing]


def test_one_kind_of_files_keeps_its_order() -> None:
    """A run of one folder keeps the order of its files."""
    files = [PurePath(f"tests/unit/test_{number}.py") for number in range(3)]
    assert files == list(spread(files))
    assert [] == list(spread([]))


def test_files_that_are_known_to_be_slow_exist() -> None:
    """Each file that is listed as slow is in the repository."""
    assert [] == [file for file in SLOW if not (ROOT / file).is_file()]
