"""Runs units of work over history, such as merges of small files, on any executor, and splits them among machines.

A unit is a frozen, picklable value with an id. Whoever plans the units decides what is to be done; a unit may then run
anywhere, and more than once, because running one only creates objects that don't exist yet. So an engine that loses a worker
simply runs the worker's unit again. What opens the store or Kafka is a picklable value beside the units, which therefore
contain no secrets.

Any `concurrent.futures.Executor` will do, for example that of a Dask cluster (`Client.get_executor()`). Without one, units run
in this process, or in several processes of this machine.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

import attrs

__all__ = ["Shard", "Unit", "run_units"]

#: A new pool replaces one whose worker has died, up to this number of times in a row without a unit that gets done.
_MOST_BROKEN_POOLS = 3
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")


class Unit(Protocol):
    """A piece of work that may run anywhere, and more than once."""

    @property
    def id(self) -> str:
        """The unit's name, which no other unit has. The same work always has the same name."""

    def to_json(self) -> dict[str, Any]:
        """Return the unit as JSON."""


_U = TypeVar("_U", bound=Unit)
_R = TypeVar("_R")


@attrs.frozen
class Shard:
    """A share of all units, for one of several processes that know nothing of each other.

    A unit's id decides which shard it belongs to. So each unit belongs to exactly one shard, even if the processes plan at
    different moments and see different units.

    Attributes:
        index: number of the shard, counted from 0.
        count: number of shards.
    """

    index: int
    count: int

    def __attrs_post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: the numbers are not those of a shard.
        """
        if not 0 <= self.index < self.count:
            raise ValueError(f"the shards of {self.count} are 0/{self.count} to {self.count - 1}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard from text such as `0/4`, the first of four.

        Raises:
            ValueError: the text is not a shard.
        """
        match = _SHARD.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a shard such as 0/4, the first of four")
        return cls(int(match[1]), int(match[2]))

    def takes(self, unit: Unit) -> bool:
        """Return whether a unit belongs to this shard."""
        digest = hashlib.blake2b(unit.id.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def run_units(
    run: Callable[[_U], _R],
    units: Sequence[_U],
    *,
    executor: concurrent.futures.Executor | None = None,
    workers: int = 1,
) -> Iterator[tuple[_U, _R]]:
    """Run units, and yield each with its result as soon as it is done. Blocks.

    Args:
        run: runs a unit. It has to be picklable, unless the units run in this process.
        units: the units.
        executor: where the units run. It is not shut down.
        workers: number of processes to start, without an executor. With 1, the units run in this process.

    Raises:
        BrokenProcessPool: worker processes die again and again.
        Exception: what `run` raises. Units that have not begun are then cancelled.
    """
    if executor is not None:
        yield from _on(executor, run, units)
    elif workers == 1 or len(units) < 2:
        for unit in units:
            yield unit, run(unit)
    else:
        yield from _in_processes(run, units, workers)


def _in_processes(run: Callable[[_U], _R], units: Sequence[_U], workers: int) -> Iterator[tuple[_U, _R]]:
    """Run units in processes of this machine. If a process dies, what is not done runs again in a new pool."""
    left = {unit.id: unit for unit in units}
    broken = 0
    while left:
        pool = concurrent.futures.ProcessPoolExecutor(
            min(workers, len(left)), multiprocessing.get_context("spawn"), initializer=_begin_worker
        )
        try:
            for unit, result in _on(pool, run, [*left.values()]):
                del left[unit.id]
                broken = 0
                yield unit, result
        except BrokenProcessPool:
            broken += 1
            if broken == _MOST_BROKEN_POOLS:
                raise
        finally:
            pool.shutdown(cancel_futures=True)


def _on(executor: concurrent.futures.Executor, run: Callable[[_U], _R], units: Sequence[_U]) -> Iterator[tuple[_U, _R]]:
    futures = {executor.submit(run, unit): unit for unit in units}
    try:
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent process, and end this process when the parent has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), name="kafka2parquet-parent", daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
