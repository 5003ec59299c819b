"""Markers are never early and add up, however records arrive and processes look, as computed from the log alone."""

from __future__ import annotations

import collections
import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kafka2parquet.completeness import Completeness
from kafka2parquet.records import TopicPartition
from tests.support.hours_world import BEGIN_MS, HOUR_MS, MINUTE_MS, Arrived, HoursWorld, hour_name
from tests.support.sink_world import TOPIC

PARTITIONS = 3
LATENESS_MS, IDLE_MS = 10 * MINUTE_MS, 15 * MINUTE_MS

Step = tuple[Any, ...]

steps = st.one_of(
    st.tuples(st.just("arrive"), st.integers(0, PARTITIONS - 1), st.lists(st.integers(0, 70), min_size=1, max_size=4)),
    st.tuples(st.just("wait"), st.integers(1, 80)),
    st.tuples(st.just("sink"), st.booleans()),
    st.tuples(st.sampled_from(["look", "race"]), st.integers(0, 1)),
)


class Checked:
    """A world, two processes, and what the log says about their markers."""

    def __init__(self) -> None:
        self.world = HoursWorld(PARTITIONS)
        self.processes = [self._process(), self._process()]
        self.late_rows = 0
        self._offsets: dict[str, list[int]] = {}

    def _process(self) -> Completeness:
        lateness, idle_after = (datetime.timedelta(milliseconds=each_ms) for each_ms in (LATENESS_MS, IDLE_MS))
        return self.world.completeness(lateness=lateness, idle_after=idle_after)

    def do(self, step: Step) -> None:
        name, *arguments = step
        getattr(self, name)(*arguments)

    def arrive(self, partition: int, delays_min: list[int]) -> None:
        self.world.arrive(partition, *(self.world.now_ms - delay_min * MINUTE_MS for delay_min in delays_min))

    def wait(self, minutes: int) -> None:
        self.world.clock.advance(minutes * 60)

    def sink(self, flush: bool) -> None:
        self.world.sink(flush=flush, rows=3)

    def look(self, number: int) -> None:
        """One process looks; its markers are checked against the log."""
        before = set(self.world.markers())
        self.world.look(self.processes[number])
        for hour in set(self.world.markers()) - before:
            assert self._is_passed(hour), f"the marker of {hour} is early"
        self._check_rows()

    def race(self, number: int) -> None:
        """Before the first marker of a process is created, more rows become durable, and the other process looks."""
        create = self.world.storage.create

        def disturbed(key: str, content: bytes) -> bool:
            self.world.storage.create = create  # type: ignore[method-assign]  # only once
            self.world.sink(flush=True)
            self.look(1 - number)
            return create(key, content)

        self.world.storage.create = disturbed  # type: ignore[method-assign]  # a process that is slow at this moment
        self.world.look(self.processes[number])
        self.world.storage.create = create  # type: ignore[method-assign]  # as before
        self._check_rows()

    def _is_passed(self, hour: str) -> bool:
        """Whether each partition has passed the end of an hour, by the log, the committed offsets and the arrivals."""
        world, end_ms = self.world, _hour_ms(hour) + HOUR_MS
        committed = world.offsets_of_group.committed([TOPIC])

        def is_passed(partition: int) -> bool:
            position = committed.get(TopicPartition(TOPIC, partition), 0)
            records = world.log[partition]
            if any(end_ms + LATENESS_MS <= record.time_ms <= world.now_ms for record in records[:position]):
                return True
            is_quiet = all(record.arrived_ms <= world.now_ms - IDLE_MS for record in records)
            return position == len(records) and is_quiet and end_ms + LATENESS_MS <= world.now_ms - IDLE_MS

        return all(map(is_passed, world.log))

    def _check_rows(self) -> None:
        """Markers list each durable row of an hour once, and only rows that break a promise come after the first marker."""
        self.late_rows = 0
        for hour, markers in self.world.markers().items():
            listed: collections.Counter[tuple[int, int]] = collections.Counter()
            for marker in markers:
                for file in marker.files:
                    offsets = self._offsets_in(f"{marker.folder}/{file.name}")
                    assert (file.rows, file.first_offset, file.last_offset) == (len(offsets), offsets[0], offsets[-1])
                    listed.update((file.partition, offset) for offset in offsets)
                    if marker.number:
                        self.late_rows += len(offsets)
                        assert all(self._is_late(file.partition, self.world.log[file.partition][offset]) for offset in offsets)
            durable = {
                (partition, offset) for partition, offsets in self.world.rows_of(_hour_ms(hour)).items() for offset in offsets
            }
            assert {1} == set(listed.values())
            assert listed.keys() <= durable
            assert sum(marker.rows for marker in markers) == len(listed)

    def _offsets_in(self, key: str) -> list[int]:
        if key not in self._offsets:
            self._offsets[key] = self.world.storage.table(key)["_kafka_offset"].to_pylist()
        return self._offsets[key]

    def _is_late(self, partition: int, record: Arrived) -> bool:
        earlier = self.world.log[partition][: record.offset]
        out_of_order = any(record.time_ms < each.time_ms - LATENESS_MS for each in earlier)
        return out_of_order or record.arrived_ms - record.time_ms > IDLE_MS + LATENESS_MS

    def finish(self) -> None:
        """When everything is durable and quiet, the markers list all rows of all hours."""
        self.sink(True)
        self.wait(240)
        for number in (0, 1, 0):
            self.look(number)
        world = self.world
        hours = {record.time_ms // HOUR_MS * HOUR_MS for records in world.log.values() for record in records}
        expected = {hour_name(hour_ms): sum(map(len, world.rows_of(hour_ms).values())) for hour_ms in hours}
        assert expected == {hour: sum(world.marked_rows(hour)) for hour in world.markers()}
        assert sum(map(len, world.log.values())) == sum(expected.values())


def _hour_ms(hour: str) -> int:
    """Returns the beginning of an hour that is called after its day and hour."""
    day, hour_of_day = hour.split("T")
    begin = datetime.datetime.fromtimestamp(BEGIN_MS / 1000, datetime.timezone.utc)
    return round(begin.replace(day=int(day), hour=int(hour_of_day)).timestamp() * 1000)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, min_size=4, max_size=25))
def test_markers_are_never_early_and_add_up(plan: list[Step]) -> None:
    """Whatever arrives and whoever looks, markers are not early by the log, and at the end they list each row once."""
    checked = Checked()
    for step in plan:
        checked.do(step)
    checked.finish()


def test_ten_hours() -> None:
    """Ten hours of three partitions, one of them idle, with times out of order and late rows, seen by two processes."""
    checked = Checked()
    world = checked.world
    first_marked: dict[str, int] = {}
    for minute in range(0, 600, 10):
        checked.arrive(0, [4, 0, 9, 2])
        checked.arrive(1, [8, 1])
        if not 180 <= minute < 400:
            checked.arrive(2, [3])
        if minute == 430:
            checked.arrive(1, [200, 190])  # late rows of two hours
        checked.wait(10)
        checked.sink(minute % 20 == 10)
        (checked.race if minute % 60 == 30 else checked.look)(minute // 10 % 2)
        for hour in world.markers():
            first_marked.setdefault(hour, minute + 10)
    # hour 10 began at minute 0; the lateness is 10 minutes, a whole flush may wait for 20 more, an idle partition adds 15
    delays = {hour: minute - ((int(hour[3:]) - 10) * 60 + 60) for hour, minute in first_marked.items() if hour != "17T09"}
    assert [f"17T{hour:02}" for hour in range(10, 19)] == list(delays)
    assert 10 <= min(delays.values()) <= max(delays.values()) <= 40
    assert 2 == checked.late_rows
    assert {"17T13": 2, "17T14": 2} == {hour: len(markers) for hour, markers in world.markers().items() if len(markers) > 1}
    checked.finish()
