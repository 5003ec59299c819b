"""Merging survives a crash at each call of the store, lost answers, and processes that see different files."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet.compaction import MergeUnit, run_unit
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.hours_world import BEGIN_MS, HOUR_MS
from tests.support.merge_world import MergeWorld

CLOSED_MS = BEGIN_MS + 2 * HOUR_MS


class Died(BaseException):
    """The end of the process."""


class Mortal:
    """A storage whose process dies at one call, before or after the call's effect."""

    def __init__(self, storage: Any, dies_at: int, *, after_effect: bool) -> None:
        self._storage = storage
        self.calls_left = dies_at
        self._after_effect = after_effect

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        if name not in ("publish", "create", "read", "read_metadata", "read_tail", "list", "list_sizes", "open", "delete"):
            return found

        def call(*arguments: Any) -> Any:
            self.calls_left -= 1
            if not self.calls_left and not self._after_effect:
                raise Died
            result = found(*arguments)
            if not self.calls_left:
                raise Died
            return result

        return call


@functools.cache
def written() -> tuple[MergeWorld, dict[str, StoredObject]]:
    world = MergeWorld(2)
    world.fill(BEGIN_MS, 4, per_hour=6)
    world.sink()
    return world, dict(world.storage.objects)


def merge_world() -> MergeWorld:
    """Returns a world before anything was merged. There is only one at a time."""
    world, objects = written()
    world.storage.objects = dict(objects)
    world.storage._faults.clear()
    return world


def merged_objects(world: MergeWorld) -> dict[str, bytes]:
    return {key: world.storage.objects[key].content for key in world.keys("") if key.startswith("topics-merged/")}


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_crash_at_each_call(after_effect: bool) -> None:
    """Whatever call of the store a process dies at, the next run leaves exactly what a run without a crash leaves."""
    undisturbed = merge_world()
    undisturbed.compact()
    expected = merged_objects(undisturbed)
    for dies_at in itertools.count(1):
        world = merge_world()
        mortal = Mortal(world.storage, dies_at, after_effect=after_effect)
        try:
            world.compact(storage=mortal)
        except Died:
            world.compact()
            assert expected == merged_objects(world)
        else:
            break
    assert dies_at > 50


@pytest.mark.parametrize("operation", ["create", "publish"])
def test_lost_answers(operation: Any) -> None:
    """If the answers of all writes are lost, each run fails, and repeated runs end with the same files."""
    undisturbed = merge_world()
    undisturbed.compact()
    expected = merged_objects(undisturbed)
    world = merge_world()
    failures = 0
    while True:
        world.storage.fail(operation, key_part="topics-merged/", after_effect=True)
        try:
            if not world.compact():
                break
        except StorageUnavailableError:
            failures += 1
            continue
        break
    assert failures >= 2
    assert expected == merged_objects(world)


@pytest.mark.parametrize("operation", ["create", "publish", "read", "read_metadata"])
def test_a_store_that_is_down_for_a_while(operation: Any) -> None:
    """A unit is tried again while the store is down, and what was lost or not is the same in the end."""

    class AtOnce:
        def pause_s(self, attempt: int, elapsed_s: float) -> float | None:
            return 0.0

    undisturbed = merge_world()
    undisturbed.compact()
    expected = merged_objects(undisturbed)
    world = merge_world()
    planned = world.plan()
    faults = [world.storage.fail(operation, times=3, after_effect=after_effect) for after_effect in (False, True)]
    assert [None] * 2 == [run_unit(unit, world.storage, retry=AtOnce()).problem for unit in planned.units]
    assert all(fault.reached.is_set() for fault in faults if operation in ("create", "publish") or not fault.after_effect)
    assert expected == merged_objects(world)


class Listings:
    """A storage that doesn't list some files, as if they were published later."""

    def __init__(self, storage: Any, hidden: set[str]) -> None:
        self._storage = storage
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def list(self, prefix: str) -> Iterator[str]:
        return (key for key in self._storage.list(prefix) if key not in self._hidden)

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((key, size) for key, size in self._storage.list_sizes(prefix) if key not in self._hidden)


@settings(max_examples=40)
@given(st.data())
def test_processes_with_different_views(data: st.DataObject) -> None:
    """Processes plan with different views of the files, in any order, die anywhere and run each other's units: each row is
    in one merged file in the end, and a later run finds nothing to do."""
    world = merge_world()
    originals = world.keys("topics/")
    units: dict[str, MergeUnit] = {}
    for _ in range(data.draw(st.integers(2, 4))):
        hidden = set(data.draw(st.lists(st.sampled_from(originals), unique=True, max_size=6)))
        dies_at = data.draw(st.integers(1, 80))
        storage = Mortal(Listings(world.storage, hidden), dies_at, after_effect=data.draw(st.booleans()))
        try:
            planned = world.plan(storage=storage)
        except Died:
            continue
        units |= {unit.id: unit for unit in planned.units}
        for unit in data.draw(st.permutations(sorted(units.values(), key=lambda unit: unit.id))):
            try:
                assert run_unit(unit, storage).problem is None
            except Died:
                break
    world.compact()
    assert [] == world.compact()
    assert world.closed_rows(CLOSED_MS) == world.rows_under("topics-merged/")
    assert world.closed_rows(CLOSED_MS) == world.rows_under("topics-merged/", counting=True)
    assert {1} == {len(covers) for covers in world.read_merged().covers.values()}


def test_a_plan_that_another_process_creates_meanwhile_is_taken() -> None:
    """If another process creates a different plan between listing and writing, its plan is executed, and the rest follows."""
    world = merge_world()
    originals = world.keys("hour=10")

    class Meanwhile(Listings):
        raced = False

        def create(self, key: str, content: bytes) -> bool:
            if not self.raced:
                self.raced = True
                world.plan(storage=Listings(world.storage, {originals[0]}))
            return bool(self._storage.create(key, content))

    for unit in world.plan(storage=Meanwhile(world.storage, set())).units:
        run_unit(unit, world.storage)
    assert world.closed_rows(CLOSED_MS) == world.rows_under("topics-merged/", counting=True)
    assert [0, 0, 1] == sorted(plan.number for plan in world.plans().values())
