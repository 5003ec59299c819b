"""Units run in this process, in worker processes that may die, or on any executor, and shards share them."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import pickle
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import attrs
import pytest

from kafka2parquet.units import Shard, run_units


@attrs.frozen
class Numbered:
    """A unit with a number."""

    number: int

    @property
    def id(self) -> str:
        return f"unit-{self.number}"

    def to_json(self) -> dict[str, Any]:
        return attrs.asdict(self)


UNITS = [Numbered(number) for number in range(8)]


def process_of(unit: Numbered) -> int:
    return os.getpid()


def doubled(unit: Numbered) -> int:
    if unit.number < 0:
        raise LookupError(unit.number)
    return 2 * unit.number


def deadly(unit: Numbered, folder: str) -> int:
    """Kills its process when unit 5 runs for the first time."""
    try:
        (Path(folder) / unit.id).touch(exist_ok=False)
    except FileExistsError:
        return 2 * unit.number
    if unit.number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * unit.number


def always_deadly(unit: Numbered) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_in_this_process() -> None:
    """By default, units run one after the other in this process."""
    assert [(unit, os.getpid()) for unit in UNITS] == list(run_units(process_of, UNITS))


def test_worker_processes() -> None:
    """With two workers, units run in other processes."""
    found = dict(run_units(process_of, UNITS, workers=2))
    assert set(UNITS) == set(found)
    assert os.getpid() not in found.values()
    assert len(set(found.values())) <= 2


def test_a_killed_worker(tmp_path: Path) -> None:
    """If a worker is killed, its unit runs again in another process, and all results arrive once."""
    found = list(run_units(functools.partial(deadly, folder=str(tmp_path)), UNITS, workers=2))
    assert [(unit, 2 * unit.number) for unit in UNITS] == sorted(found, key=lambda each: each[0].number)


def test_workers_that_always_die() -> None:
    """If workers die again and again, the caller gets an error instead of waiting for ever."""
    with pytest.raises(BrokenProcessPool):
        list(run_units(always_deadly, UNITS, workers=2))


def test_given_executor() -> None:
    """Units run on the executor that the caller gives, which stays usable."""
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        found = dict(run_units(doubled, UNITS, executor=executor))
        assert 1 == executor.submit(int, "1").result()
    assert {unit: 2 * unit.number for unit in UNITS} == found


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_unit(workers: int) -> None:
    """What a unit raises reaches the caller."""
    with pytest.raises(LookupError):
        list(run_units(doubled, [*UNITS, Numbered(-1)], workers=workers))


def test_each_unit_belongs_to_one_shard() -> None:
    """Each unit belongs to exactly one shard, whatever other units there are, and all shards get some."""
    shards = [Shard(index, 4) for index in range(4)]
    units = [Numbered(number) for number in range(200)]
    owners = [[shard for shard in shards if shard.takes(unit)] for unit in units]
    assert {1} == {len(each) for each in owners}
    assert all(30 < sum(shard in each for each in owners) < 70 for shard in shards)


def test_texts_of_shards() -> None:
    """A shard is read from text, and other texts are refused."""
    assert Shard(3, 8) == Shard.parse("3/8") == pickle.loads(pickle.dumps(Shard(3, 8)))
    assert "3/8" == str(Shard(3, 8))
    for text in ("8/8", "0/0", "1", "-1/2", "1/2/3", ""):
        with pytest.raises(ValueError, match="shard"):
            Shard.parse(text)
