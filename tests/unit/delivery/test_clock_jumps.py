"""A wall clock that is set: flushes last as long as they should."""

from __future__ import annotations

import datetime

import pytest

from kafka2parquet import FirstOf, RecordTimeRotation, ScheduledRotation, SinkTask
from kafka2parquet.rotation import RotationPolicy
from tests.support.sink_world import SinkWorld

TEN_MINUTES = datetime.timedelta(minutes=10)
JUMPS = [datetime.timedelta(days=days) for days in (-30, -1, 1, 30, 400)] + [
    datetime.timedelta(hours=-1),  # daylight saving time, where a machine's clock is local
    datetime.timedelta(hours=1),
    datetime.timedelta(seconds=-1),  # a leap second
    datetime.timedelta(minutes=-7),
]


def open_flush(rotation: RotationPolicy) -> tuple[SinkWorld, SinkTask]:
    world = SinkWorld()
    world.append(b"{}", b"{}")
    task = world.task(rotation=rotation)
    world.step_until(task, lambda: task.step(0).open_rows == 2, seconds=0)
    return world, task


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_duration_is_counted_by_the_monotonic_clock(jump: datetime.timedelta) -> None:
    """A flush ends neither early nor late, whatever the wall clock shows meanwhile."""
    world, task = open_flush(RecordTimeRotation(TEN_MINUTES))
    world.clock.advance(300)
    world.clock.set(world.clock.now() + jump)
    assert task.step(0).next_deadline_s == pytest.approx(300, abs=1)
    world.clock.advance(298)
    for _ in range(20):
        task.step(0)
    assert not world.committed
    world.clock.advance(3)
    world.step_until(task, lambda: world.committed == 2, seconds=0)
    task.close()


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_schedule_follows_the_wall_clock_and_is_late_by_no_interval(jump: datetime.timedelta) -> None:
    """A flush ends at the next moment of the schedule, according to the current wall clock."""
    world, task = open_flush(FirstOf(ScheduledRotation(TEN_MINUTES)))
    world.clock.advance(120)
    world.clock.set(world.clock.now() + jump)
    due_in_s = task.step(0).next_deadline_s
    if due_in_s is not None:  # else it was due at once
        assert 0 <= due_in_s <= 600
        boundary = world.clock.now() + datetime.timedelta(seconds=due_in_s)
        assert (boundary.minute % 10, boundary.second) == (0, 0)
        world.clock.advance(due_in_s)
    world.step_until(task, lambda: world.committed == 2, seconds=0)
    task.close()
