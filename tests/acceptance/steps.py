"""Runs a case that is made of steps, and keeps what was answered on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.records import TopicPartition
from tests.acceptance.cases import Case, CaseFolder
from tests.acceptance.scripted_consumer import name_of, named, partition_of
from tests.acceptance.sink import Sink
from tests.acceptance.stored import Stored

#: Steps for which no partition has to be assigned yet.
_BEFORE_ASSIGNMENT = frozenset({"clock_ms", "advance_ms", "fault", "start", "reconfigure", "assign"})
#: Names of steps, as a step may have further members that go with it.
_KINDS = (
    "put",
    "put_range",
    "clock_ms",
    "advance_ms",
    "assign",
    "pre_commit",
    "check",
    "fault",
    "expect_rewind",
    "close",
    "stop",
    "crash",
    "reconfigure",
    "pause_connector",
    "start",
)


@attrs.frozen(eq=False)
class Answer:
    """The observation at a step that asks.

    Attributes:
        number: of the step, counted from 1.
        step: as the case has it.
        seen: what `pre_commit` or `expect_rewind` was answered, by the names of topic-partitions; of `check` the state.
    """

    number: int
    step: Mapping[str, Any]
    seen: Any


@attrs.frozen(eq=False)
class State:
    """The observable state at one moment.

    Attributes:
        objects: all objects with data.
        open_offsets: records that are in none, by the names of topic-partitions.
    """

    objects: Mapping[str, Stored]
    open_offsets: Mapping[str, list[int]]


@attrs.frozen(eq=False)
class Run:
    """A finished run of a case.

    Attributes:
        sink: what it was run on, for everything that isn't here.
        answers: of the steps that ask.
        final: state after the last step.
        committed: the last answer of `pre_commit` for each topic-partition, by name.
        objects_before_crash: what was there when the process went; None where it never did.
        skipped_steps: how many didn't run because of an error.
    """

    sink: Sink
    answers: list[Answer]
    final: State
    committed: Mapping[str, int]
    objects_before_crash: Mapping[str, Stored] | None
    skipped_steps: int

    def opened_objects(self) -> list[Stored]:
        """Publishes the rows that were open at the end, and returns the objects."""
        self.sink.flush_open()
        return [stored for key, stored in self.sink.objects().items() if key not in self.final.objects]

    def name(self, tp: TopicPartition) -> str:
        """Returns the name of the topic-partition in cases."""
        return name_of(tp, self.sink.default_topic)


def run_case(case: Case, folder: CaseFolder, changes: Mapping[str, str | None] | None = None) -> Run:
    """Runs the steps of a case.

    Args:
        case: it has steps.
        folder: base configuration and schemas.
        changes: further changes of the configuration.

    Raises:
        CaseError: the configuration is wrong.
        NotApplicableError: the library doesn't have what it needs.
    """
    data = case.data
    sink = Sink(
        folder,
        {**data.get("config", {}), **(changes or {})},
        existing=data.get("existing"),
        reads_all=case.is_upstream_bug,
    )
    answers: list[Answer] = []
    committed: dict[str, int] = {}
    before_crash: Mapping[str, Stored] | None = None
    number = 0
    for number, step in enumerate(data["steps"], start=1):
        kind = _kind(step)
        if kind == "crash":
            before_crash = sink.objects()
        seen = _do(sink, kind, step)
        if kind in ("pre_commit", "expect_rewind", "check"):
            answers.append(Answer(number, step, seen))
        if kind == "pre_commit":
            committed |= seen
        if sink.error is not None:
            break
    if case.is_upstream_bug:
        sink.read_on()
    return Run(sink, answers, state_of(sink), committed, before_crash, len(data["steps"]) - number)


def state_of(sink: Sink) -> State:
    """Observes the current state."""
    open_offsets = {name_of(tp, sink.default_topic): offsets for tp, offsets in sink.open_offsets().items()}
    return State(sink.objects(), open_offsets)


def _kind(step: Mapping[str, Any]) -> str:
    found = next((kind for kind in _KINDS if kind in step), None)
    if found is None:
        raise ValueError(f"a step of an unknown kind: {', '.join(step)}")
    return found


def _do(sink: Sink, kind: str, step: Mapping[str, Any]) -> Any:
    if kind not in _BEFORE_ASSIGNMENT and not sink.was_assigned:
        sink.assign()
    argument = step[kind]
    if kind == "put":
        positions = step.get("position") or {}
        sink.put(argument, {partition_of(name, sink.default_topic): position for name, position in positions.items()})
    elif kind == "put_range":
        sink.put(_range(argument))
    elif kind == "clock_ms":
        sink.clock.set(argument)
    elif kind == "advance_ms":
        sink.clock.advance(argument)
    elif kind == "assign":
        sink.assign(_partitions(argument))
    elif kind == "pre_commit":
        return named(sink.pre_commit(), sink.default_topic)
    elif kind == "expect_rewind":
        return named(sink.asked_again(), sink.default_topic)
    elif kind == "check":
        return state_of(sink)
    elif kind == "fault":
        sink.fault(argument)
    elif kind == "reconfigure":
        sink.reconfigure(argument)
    elif kind != "pause_connector":  # the consumer has nothing then, and that is all
        {"close": sink.close, "stop": sink.stop, "crash": sink.crash, "start": sink.start}[kind]()
    return None


def _partitions(assigned: Mapping[str, list[int]]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic, partitions in assigned.items() for partition in partitions]


def _range(described: Mapping[str, Any]) -> list[dict[str, Any]]:
    record = {name: value for name, value in described.items() if name not in ("first_offset", "count")}
    first = described["first_offset"]
    return [{**record, "offset": offset} for offset in range(first, first + described["count"])]
