"""The state machine: Hypothesis chooses the troubles, the engine has to come through."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator

import attrs
from hypothesis import assume, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kafka2parquet.consumers.base import CommittedOffset
from kafka2parquet.errors import DamagedFooterError, UnknownMetadataError, UsageError
from kafka2parquet.parquet.footer import METADATA_KEY
from tests.model.world import Config, CountRotation, Crash, Member, RandomRotation, World
from tests.support.interrupts import Interrupted, interrupt_after

RECORDS = 60
#: How many steps the owner takes at most between two troubles.
MOST_STEPS = 24
#: Troubles in a trace.
STEPS = 20


@attrs.frozen
class Scenario:
    """A set of troubles that may come together.

    Zombies, offsets that are set back, and redeployments with other folders are never all three mixed: a process frozen in the
    middle of a flush that wakes up after both is the protocol's known limit.
    """

    zombies: bool = False
    resets: bool = False
    regressions: bool = False
    redeploys: bool = False
    retention: bool = False
    compaction: bool = False
    truncations: bool = False
    clock_jumps: bool = False
    interrupts: bool = False
    garbage: bool = False
    second_threads: bool = False


SCENARIOS = {
    "crashes": Scenario(),
    "zombies": Scenario(zombies=True),
    "zombies and late commits": Scenario(zombies=True, regressions=True),
    "resets": Scenario(resets=True),
    "zombies and resets": Scenario(zombies=True, resets=True),
    "zombies, late commits and resets": Scenario(zombies=True, regressions=True, resets=True),
    "redeployments": Scenario(redeploys=True),
    "redeployments and resets": Scenario(redeploys=True, resets=True),
    "redeployments and zombies": Scenario(redeploys=True, zombies=True),
    "redeployments and late commits": Scenario(redeploys=True, regressions=True),
    "retention": Scenario(retention=True),
    "retention and zombies": Scenario(retention=True, zombies=True),
    "compaction": Scenario(compaction=True),
    "compaction and zombies": Scenario(compaction=True, zombies=True),
    "truncations": Scenario(truncations=True),
    "truncations and zombies": Scenario(truncations=True, zombies=True),
    "clock jumps": Scenario(clock_jumps=True),
    "garbage": Scenario(garbage=True),
    "garbage and resets": Scenario(garbage=True, resets=True),
    "second threads": Scenario(second_threads=True),
    "second threads and zombies": Scenario(second_threads=True, zombies=True),
    "interrupts": Scenario(interrupts=True),
    "interrupts and zombies": Scenario(interrupts=True, zombies=True),
}

#: What a damaged footer says.
GARBAGE: dict[str, dict[str, object]] = {
    "end before start": {"end": 0},
    "end far away": {"end": 1 << 62},
    "end beyond all numbers": {"end": 10**30},
    "start is text": {"start": "0"},
    "more rows than offsets": {"flush_rows": 1 << 40},
    "rows elsewhere": {"first_offset": 1 << 40, "last_offset": 1 << 41},
    "no such role": {"role": "other"},
    "siblings are a number": {"siblings": 5},
    "sibling outside": {"siblings": [{"key": "../x", "rows": 1, "file": 1}]},
    "newer version": {"version": 99},
    "no text": {},
}

#: Moments between two effects at which a member may die.
KILL_POINTS = (
    "before intent",
    "after intent",
    "after anchor",
    "after sibling",
    "before end",
    "after end",
    "after adoption",
)


def damaged(text: str, change: str) -> str:
    """Returns the text of a footer with one of the changes of `GARBAGE`."""
    return json.dumps({**json.loads(text), **GARBAGE[change]}) if GARBAGE[change] else text[: len(text) // 2]


class DeliveryMachine(RuleBasedStateMachine):
    """One topic-partition, one owner at a time, any number of members that think they still own it."""

    scenario_names: tuple[str, ...] = tuple(SCENARIOS)

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.zombies: list[Member] = []

    @initialize(data=st.data(), seed=st.integers(0, 1 << 30))
    def begin(self, data: st.DataObject, seed: int) -> None:
        name = data.draw(st.sampled_from(self.scenario_names), label="scenario")
        self.scenario = SCENARIOS[name]
        self.rng = random.Random(seed)
        self.quarantine, self.dead_letters, self.views = (self.rng.random() < 0.5 for _ in range(3))
        self.config = self.new_config(0)
        self.world.log_end = self.rng.randint(1, RECORDS // 2)
        self.owner = self.new_member()

    # ---- ordinary life

    @rule(records=st.integers(1, 15))
    def produce(self, records: int) -> None:
        self.world.log_end = min(RECORDS, self.world.log_end + records)

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.world.now_s += seconds

    @rule()
    def stop_in_order(self) -> None:
        """Stops the owner, which flushes open rows, and starts a successor."""
        with self.may_die(self.owner):
            self.owner.closing = True
            self.owner.task.close(timeout_s=60)
        self.succeed(frozen=False)

    @rule()
    def rebalance(self) -> None:
        """Moves the partition to another member; the owner gets the rebalance callback."""
        self.owner.give_up()
        self.zombies.append(self.owner)
        self.owner = self.new_member()

    # ---- troubles

    @rule()
    def crash(self) -> None:
        self.succeed(frozen=False)

    @rule(point=st.sampled_from(KILL_POINTS))
    def crash_at(self, point: str) -> None:
        when, _, effect = point.partition(" ")
        setattr(self.owner, f"crash_{when}", effect)

    @precondition(lambda self: self.scenario.zombies)
    @rule()
    def freeze(self) -> None:
        self.succeed(frozen=True)

    @precondition(lambda self: bool(self.zombies))
    @rule(which=st.integers(0, 100), steps=st.integers(1, 3), calls=st.integers(0, 3))
    def wake(self, which: int, steps: int, calls: int) -> None:
        zombie = self.zombies[which % len(self.zombies)]
        for _ in range(steps):
            zombie.let_calls_go(calls)
            if not self.step(zombie, calls=False):
                break

    @rule(fault=st.sampled_from(["before", "after"]))
    def fail_next_publish(self, fault: str) -> None:
        self.owner.fault = fault

    @precondition(lambda self: self.scenario.regressions and self.world.history)
    @rule(which=st.integers(0, 1000))
    def apply_a_late_commit(self, which: int) -> None:
        """Repeats an older commit at the broker; the owner is replaced, as by the rejoin that follows."""
        breadcrumbs = [commit for commit in self.world.history if " c " in commit.metadata]
        assume(breadcrumbs)
        late = breadcrumbs[which % len(breadcrumbs)]
        assume(late.offset >= self.world.log_start)
        self.world.committed = late
        self.succeed(frozen=False)

    @precondition(lambda self: self.scenario.resets)
    @rule(share=st.floats(0, 1), deleted=st.booleans())
    def reset_offsets(self, share: float, deleted: bool) -> None:
        """Resets offsets as an operator's tool does; the group has to be empty, so the owner is gone."""
        end = self.world.committed.offset if self.world.committed is not None else self.world.log_start
        offset = self.world.log_start + round((end - self.world.log_start) * share)
        self.world.committed = None if deleted else CommittedOffset(offset, "")
        self.succeed(frozen=False)

    @precondition(lambda self: self.scenario.redeploys)
    @rule()
    def redeploy(self) -> None:
        self.config = self.new_config(self.config.number + 1)
        self.succeed(frozen=False)

    @precondition(lambda self: self.scenario.retention)
    @rule(records=st.integers(0, 10))
    def delete_old_records(self, records: int) -> None:
        committed = self.world.committed.offset if self.world.committed is not None else 0
        self.world.log_start = max(self.world.log_start, min(self.world.log_end, committed + records))
        self.succeed(frozen=self.scenario.zombies)

    @precondition(lambda self: self.scenario.compaction)
    @rule()
    def compact(self) -> None:
        committed = self.world.committed.offset if self.world.committed is not None else 0
        self.world.gone |= {offset for offset in range(committed, self.world.log_end) if self.rng.random() < 0.15}
        self.succeed(frozen=self.scenario.zombies)

    @precondition(lambda self: self.scenario.truncations)
    @rule(records=st.integers(1, 15), produced=st.integers(0, 15), stopped=st.booleans())
    def truncate(self, records: int, produced: int, stopped: bool) -> None:
        """Truncates the log by an unclean leader election, while the owner runs or after it has gone."""
        self.world.truncate(max(self.world.log_start, self.world.log_end - records))
        self.produce(produced)
        if stopped:
            self.succeed(frozen=self.scenario.zombies)

    @precondition(lambda self: self.scenario.clock_jumps)
    @rule(days=st.integers(-30, 30))
    def set_the_clock(self, days: int) -> None:
        """Sets the wall clock. An open flush is still due after the time that its policy says."""
        self.world.wall_ahead_s += days * 86_400

    @precondition(lambda self: self.scenario.second_threads)
    @rule(call=st.sampled_from(["step", "flush", "close"]))
    def intrude(self, call: str) -> None:
        """Calls the task from a second thread during a step."""
        self.owner.intruder = call

    @precondition(lambda self: self.scenario.interrupts)
    @rule(lines=st.integers(1, 3000), then=st.sampled_from(["close", "step and close", "close without flush"]))
    def interrupt(self, lines: int, then: str) -> None:
        """Interrupts the engine at any line, as Ctrl-C does, and continues as applications do."""
        owner = self.owner
        try:
            with interrupt_after(lines):
                for _ in range(MOST_STEPS):
                    owner.let_calls_go()
                    owner.step()
            return
        except Interrupted:
            note("interrupted")
        except Crash:
            self.succeed(frozen=False)
            return
        with contextlib.suppress(Crash):
            if then == "step and close":
                with contextlib.suppress(UsageError):
                    owner.step()
            owner.closing = True
            owner.task.close(flush=then != "close without flush", timeout_s=60)
        owner.is_over = True
        self.succeed(frozen=self.scenario.zombies)

    @precondition(lambda self: self.scenario.garbage and self.world.objects)
    @rule(which=st.integers(0, 1000), change=st.sampled_from(sorted(GARBAGE)), steps=st.integers(1, 200), rewound=st.booleans())
    def damage_a_footer(self, which: int, change: str, steps: int, rewound: bool) -> None:
        """Overwrites a file, which is an error, or is not read, until it is restored."""
        world = self.world
        key = sorted(world.objects)[which % len(world.objects)]
        stored = world.objects[key]
        world.objects[key] = (stored[0], {METADATA_KEY: damaged(stored[1][METADATA_KEY], change)}, stored[2])
        if rewound:
            world.committed = CommittedOffset(world.log_start, "")
        self.succeed(frozen=False)
        self.run_until_refused(steps)
        world.objects[key] = stored
        self.succeed(frozen=False)

    @precondition(lambda self: self.scenario.garbage and self.world.committed is not None)
    @rule(place=st.integers(0, 299), code=st.integers(33, 126), is_cut=st.booleans(), steps=st.integers(1, 60))
    def damage_the_metadata(self, place: int, code: int, is_cut: bool, steps: int) -> None:
        """Cuts off or changes the metadata of the group's offset, as an incomplete copy by a tool does."""
        committed = self.world.committed
        assert committed is not None
        text = committed.metadata
        rest = "" if is_cut else chr(code) + text[place + 1 :]
        assume(place < len(text) and text[:place] + rest != text)
        assume((text[:place] + rest).startswith("k2p"))  # else it is another tool's, and what is published is discovered
        damaged_commit = self.world.committed = attrs.evolve(committed, metadata=text[:place] + rest)
        self.succeed(frozen=False)
        self.run_until_refused(steps)
        assert self.world.committed == damaged_commit, "damaged metadata was believed"
        self.world.committed = committed
        self.succeed(frozen=False)

    # ---- life goes on

    @invariant()
    def run_owner(self) -> None:
        """Lets the owner work for a while between two troubles, sometimes with a slow store."""
        is_slow = self.rng.random() < 0.3
        for _ in range(self.rng.randint(0, MOST_STEPS)):
            if not self.step(self.owner, calls=not is_slow or self.rng.random() < 0.2):
                break

    # ---- what must hold

    @invariant()
    def nothing_is_repeated(self) -> None:
        repeated = {offset: count for offset, count in self.world.rows().items() if count > 1}
        assert not repeated, f"repeated: {repeated}"

    @invariant()
    def what_is_committed_is_durable(self) -> None:
        if self.world.committed is not None:
            self.check_nothing_lost_before(self.world.committed.offset)

    def no_outdated_row_is_silent(self) -> None:
        outdated = self.world.outdated()
        assert not outdated, f"from a log that was truncated, without a word: {sorted(outdated)}"

    def teardown(self) -> None:
        if not hasattr(self, "owner"):
            return
        self.world.log_end = max(self.world.log_end, self.world.highest_end)  # what was passed already comes again
        for zombie in self.zombies:
            for _ in range(30):
                self.world.now_s += 5
                if not self.step(zombie, calls=True):
                    break
        committed = None
        for _ in range(3):  # a stop doesn't wait for a flush that it has to read again: the next owner does it
            self.succeed(frozen=False)
            for _ in range(RECORDS * 3):
                self.world.now_s += 1
                self.step(self.owner, calls=True)
            self.owner.closing = True
            self.owner.task.close(timeout_s=600)
            committed = self.world.committed
            assert committed is not None
            if committed.offset == self.world.log_end:
                break
        assert committed is not None
        assert self.world.log_end == committed.offset, f"stuck at {committed}, the log ends at {self.world.log_end}"
        self.nothing_is_repeated()
        self.no_outdated_row_is_silent()
        self.check_nothing_lost_before(self.world.log_end)

    # ---- helpers

    def check_nothing_lost_before(self, end: int) -> None:
        rows = self.world.rows()
        wanted = {offset for offset in range(end) if self.world.readable(offset)} - self.world.rejected
        wanted -= self.world.reported  # of a flush that was published in part before its log was truncated
        assert not wanted - set(rows), f"lost: {sorted(wanted - set(rows))}, committed {self.world.committed}"
        if not self.quarantine and self.config.number == 0:
            assert not set(rows) & self.config.rejected, f"rejected and written: {sorted(set(rows) & self.config.rejected)}"
        if self.dead_letters and self.config.number == 0:
            sent = {offset for offset in self.config.rejected if offset < end and self.world.readable(offset)}
            assert not sent - self.world.letters, f"not sent: {sorted(sent - self.world.letters)}"
        # a record that the log has lost has no key any more
        loses_records = self.scenario.retention or self.scenario.compaction or self.scenario.truncations
        if self.views and not loses_records:
            unequal = self.world.unequal_views(end)
            assert not unequal, f"without keys: {unequal}"

    def new_config(self, number: int) -> Config:
        rng = self.rng
        folders, folder = [], 0
        for _ in range(RECORDS):
            if rng.random() < 0.25:
                folder = rng.randrange(4)
            folders.append(folder)
        if (self.quarantine or self.views) and number:  # a row of a missing file that is rejected now stops the partition
            return attrs.evolve(self.config, number=number, folders=tuple(folders))
        rejected = {offset for offset in range(RECORDS) if rng.random() < 0.08}
        for _ in range(rng.choice([0, 0, 1, 3])):  # runs of bad records: flushes without rows, and so without files
            begin = rng.randrange(RECORDS)
            rejected |= set(range(begin, min(RECORDS, begin + rng.randint(3, 12))))
        count = rng.choice([1, 3, 7, 20])
        often, after_s = rng.choice([0.0, 0.05, 0.2]), rng.choice([3.0, 30.0])
        return Config(
            number=number,
            folders=tuple(folders),
            rejected=frozenset(rejected),
            rotation=rng.choice([lambda: CountRotation(count), lambda: RandomRotation(rng, often, after_s)]),
            quarantine=self.quarantine,
            dead_letters=self.dead_letters,
            views=self.views,
        )

    def new_member(self) -> Member:
        member = Member(self.world, self.config, self.rng)
        member.take_over()
        return member

    def run_until_refused(self, steps: int) -> None:
        """Runs the owner until it finds the damage; its error reports the damage and ends it."""
        with contextlib.suppress(DamagedFooterError, UnknownMetadataError):
            for _ in range(steps):
                self.world.now_s += 0.2
                if not self.step(self.owner, calls=True):
                    return

    def succeed(self, *, frozen: bool) -> None:
        """Replaces the owner, which dies or freezes, by another member."""
        if frozen:
            self.zombies.append(self.owner)
        self.owner = self.new_member()

    def step(self, member: Member, *, calls: bool) -> bool:
        """Steps the member, and returns False if the member has died."""
        with self.may_die(member):
            if calls:
                member.let_calls_go()
            if not member.is_over:  # objects that it has handed to the store may still arrive
                member.step()
            return not member.is_over
        return False

    @contextlib.contextmanager
    def may_die(self, member: Member) -> Iterator[None]:
        try:
            yield
        except Crash:
            note("died")
            if member in self.zombies:
                self.zombies.remove(member)
            elif member is self.owner:
                self.succeed(frozen=False)
        except DamagedFooterError:
            if member not in self.zombies:
                raise
            # the member froze when the log was shorter, and has not learned yet that its partition is another's
            self.zombies.remove(member)
