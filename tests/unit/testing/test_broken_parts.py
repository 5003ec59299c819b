"""Every check of a contract fails for a part that makes the mistake that the check is for."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet.converters.string import StringConverter
from kafka2parquet.errors import UsageError
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.records import Stage
from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy
from kafka2parquet.rotation.policies import RecordCountRotation
from kafka2parquet.rows import PartitionedRows, Rows
from kafka2parquet.testing.contracts import (
    ConverterContract,
    PartitionerContract,
    RotationPolicyContract,
    TransformContract,
    rows_of,
)
from kafka2parquet.transforms import MapTable

VALUES = [b"a", b"\xff", b"b", b"c", b"\xfe", b"d", b"e"]
TABLE = pa.table({"number": [1, 2, 3, 4, 5, 6, 7]})


def a_check(contract: type, name: str, **fixtures: Any) -> Callable[[], None]:
    """Return a check of a contract with its fixtures; those that are missing are made as the contract makes them."""
    check = getattr(contract(), name)
    for fixture in inspect.signature(check).parameters:
        if fixture not in fixtures:
            fixtures[fixture] = getattr(contract, fixture).__wrapped__(contract())
    return lambda: check(**{fixture: fixtures[fixture] for fixture in inspect.signature(check).parameters})


class ChangedConverter(StringConverter):
    """Changes what a converter returns; the change sees the batch too."""

    def __init__(self, change: Callable[[Any, Any], Any], fingerprint: str = "sound") -> None:
        super().__init__()
        self._change = change
        self._name = fingerprint

    @property
    def fingerprint(self) -> str:
        return self._name

    def convert(self, batch: Any) -> Any:
        return self._change(super().convert(batch), batch)


class ChangedPartitioner(DefaultPartitioner):
    """Changes what a partitioner returns; the change sees the rows and the opening time too."""

    def __init__(self, change: Callable[[Any, Any, Any], Any], fingerprint: str = "folders", **attributes: bool) -> None:
        super().__init__()
        self._change = change
        self._name = fingerprint
        self.__dict__.update(attributes)

    @property
    def fingerprint(self) -> str:
        return self._name

    def partition(self, rows: Any, opened_at: Any) -> Any:
        return self._change(super().partition(rows, opened_at), rows, opened_at)


class ChangedTransform(MapTable):
    """Changes what a transform returns; the change sees the rows too."""

    def __init__(self, change: Callable[[Any, Any], Any], fingerprint: str = "table") -> None:
        super().__init__(lambda table: table)
        self._change = change
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def apply(self, rows: Any) -> Any:
        return self._change(super().apply(rows), rows)

    def apply_to_tombstones(self, rows: Any) -> Any:
        return self._change(super().apply_to_tombstones(rows), rows)


@attrs.define(eq=False)
class Answers(RotationPolicy):
    """Answers with functions of stats and rows."""

    cut_by: Callable[[FlushStats, PartitionedRows], Any] = lambda stats, batch: None
    due_by: Callable[[FlushStats], Any] = lambda stats: None

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Any:
        return self.cut_by(stats, batch)

    def due_at(self, stats: FlushStats) -> Any:
        return self.due_by(stats)


def same(made: Any, *_: object) -> Any:
    return made


def change_rows(**changes: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a change of `made.rows`: each attribute becomes what a function makes of the rows."""
    return lambda made, *_: attrs.evolve(made, rows=changed(made.rows, **changes))


def changed(value: Any, **changes: Callable[[Any], Any]) -> Any:
    return attrs.evolve(value, **{name: change(value) for name, change in changes.items()})


def one_less(made: Any, *_: object) -> Any:
    return attrs.evolve(made, rows=made.rows.slice(1))


def first_reversed(made: Any, *_: object) -> Any:
    order = np.arange(len(made.rows))[::-1]
    return attrs.evolve(made, rows=made.rows.take(order))


def another_reject(made: Any, batch: Any, reason: str = "why") -> Any:
    """Return what was made with one more reject: a record that has a row already, with the value of another record."""
    reject = attrs.evolve(batch.reject(0, Stage.DECODE, reason), value=b"other")
    return attrs.evolve(made, rejects=[*made.rejects, reject])


def without_reason(made: Any, batch: Any) -> Any:
    return attrs.evolve(made, rejects=[attrs.evolve(reject, reason="") for reject in made.rejects])


def by_batch(made: Any, batch: Any, *_: object) -> Any:
    """Leave a record out of every batch of two."""
    return one_less(made) if len(batch) == 2 else made


def once(change: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    """Return a maker of a change that works at the second call only."""

    def make() -> Callable[..., Any]:
        calls = itertools.count()
        return lambda made, *rest: change(made, *rest) if next(calls) == 1 else made

    return make


def overwrite(array: pa.Array) -> None:
    """Change the numbers of a column in place, in its buffer."""
    np.frombuffer(array.buffers()[1], np.int64)[:] += 1


def damage_batch(made: Any, batch: Any) -> Any:
    overwrite(batch.timestamps_ms)
    return made


def damage_rows(made: Any, rows: Rows, *_: object) -> Any:
    views: Any = rows.views
    dict.__setitem__(views, "keys", rows.table)
    return made


RANDOM = itertools.count()
NULL_TIMES = {"timestamps_ms": lambda rows: pa.nulls(len(rows), pa.int64())}
CONVERTERS: Mapping[str, list[Callable[[], Any]]] = {
    "test_each_record_has_one_outcome": [lambda: ChangedConverter(one_less), lambda: ChangedConverter(another_reject)],
    "test_rows_keep_the_order_of_the_batch": [
        lambda: ChangedConverter(first_reversed),
        lambda: ChangedConverter(change_rows(table=lambda rows: rows.table.slice(1))),
    ],
    "test_rows_have_the_timestamps_of_their_records": [lambda: ChangedConverter(change_rows(**NULL_TIMES))],
    "test_rejects_carry_their_records": [lambda: ChangedConverter(another_reject), lambda: ChangedConverter(without_reason)],
    "test_outcomes_do_not_depend_on_batches": [lambda: ChangedConverter(by_batch)],
    "test_converts_a_batch_again": [lambda: ChangedConverter(once(one_less)())],
    "test_leaves_the_batch_as_it_was": [lambda: ChangedConverter(damage_batch)],
    "test_fingerprint_names_the_settings": [
        lambda: ChangedConverter(same, f"number {next(RANDOM)}"),
        lambda: ChangedConverter(same, ""),
        lambda: ChangedConverter(same, "others'"),
    ],
}


def other_folder(made: Any, *_: object) -> Any:
    return attrs.evolve(made, rows=attrs.evolve(made.rows, encoded_partitions=("other",)))


def other_rows(**changes: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a change of the table's rows inside of partitioned rows."""
    return lambda made, *_: attrs.evolve(made, rows=attrs.evolve(made.rows, rows=changed(made.rows.rows, **changes)))


def refuse_first(reason: str, value: bytes) -> Callable[..., Any]:
    def change(made: Any, rows: Rows, *_: object) -> Any:
        reject = attrs.evolve(rows.batch.reject_offset(rows.offsets[0].as_py(), Stage.PARTITION, reason), value=value)
        return attrs.evolve(one_less(made), rejects=[reject])

    return change


def folder_of_the_clock(made: Any, rows: Rows, opened_at: Any) -> Any:
    return attrs.evolve(made, rows=attrs.evolve(made.rows, encoded_partitions=(str(opened_at),)))


PARTITIONERS: Mapping[str, list[Callable[[], Any]]] = {
    "test_each_row_has_one_outcome": [lambda: ChangedPartitioner(one_less)],
    "test_rows_stay_as_they_are": [
        lambda: ChangedPartitioner(other_rows(table=lambda rows: rows.table.append_column("more", rows.table["number"]))),
        lambda: ChangedPartitioner(other_rows(offsets=lambda rows: rows.offsets.take(pa.array(range(len(rows))[::-1])))),
    ],
    "test_each_row_has_a_folder": [
        lambda: ChangedPartitioner(change_rows(codes=lambda rows: pa.array([1] * len(rows), pa.int32()))),
        lambda: ChangedPartitioner(change_rows(codes=lambda rows: pa.array([0] * len(rows), pa.int64()))),
        lambda: ChangedPartitioner(change_rows(codes=lambda rows: rows.codes.slice(1))),
        lambda: ChangedPartitioner(change_rows(encoded_partitions=lambda rows: (7,))),
        lambda: ChangedPartitioner(change_rows(encoded_partitions=lambda rows: ("a", "a"))),
    ],
    "test_each_row_has_a_time": [
        lambda: ChangedPartitioner(change_rows(**NULL_TIMES)),
        lambda: ChangedPartitioner(change_rows(timestamps_ms=lambda rows: rows.timestamps_ms.slice(1))),
        lambda: ChangedPartitioner(same, time_based=True),
    ],
    "test_rejects_carry_their_records": [
        lambda: ChangedPartitioner(refuse_first("", b"value 0")),
        lambda: ChangedPartitioner(refuse_first("why", b"value 1")),
    ],
    "test_outcomes_do_not_depend_on_batches": [
        lambda: ChangedPartitioner(lambda made, rows, _: other_folder(made) if len(rows) == 2 else made),
        lambda: ChangedPartitioner(once(other_folder)()),
    ],
    "test_outcomes_depend_on_the_clock_only_if_it_says_so": [lambda: ChangedPartitioner(folder_of_the_clock)],
    "test_leaves_the_rows_as_they_were": [lambda: ChangedPartitioner(damage_rows)],
    "test_fingerprint_names_the_settings": [
        lambda: ChangedPartitioner(same, f"number {next(RANDOM)}"),
        lambda: ChangedPartitioner(same, ""),
        lambda: ChangedPartitioner(same, "others'"),
    ],
}


def both_ways(made: Any, rows: Rows) -> Any:
    return attrs.evolve(made, rejects=[rows.batch.reject_offset(rows.offsets[0].as_py(), Stage.TRANSFORM, "why")])


TRANSFORMS: Mapping[str, list[Callable[[], Any]]] = {
    "test_no_row_comes_twice": [
        lambda: ChangedTransform(both_ways),
        lambda: ChangedTransform(lambda made, rows: attrs.evolve(made, others=[made.rows.slice(0, 1)])),
        lambda: ChangedTransform(change_rows(offsets=lambda rows: pa.array(range(len(rows))))),
    ],
    "test_rows_keep_their_order": [
        lambda: ChangedTransform(first_reversed),
        lambda: ChangedTransform(change_rows(table=lambda rows: rows.table.slice(1))),
    ],
    "test_rows_have_the_timestamps_of_their_records": [lambda: ChangedTransform(change_rows(**NULL_TIMES))],
    "test_rejects_carry_their_records": [
        lambda: ChangedTransform(refuse_first("", b"value 0")),
        lambda: ChangedTransform(refuse_first("why", b"value 1")),
    ],
    "test_outcomes_do_not_depend_on_batches": [lambda: ChangedTransform(by_batch), lambda: ChangedTransform(once(one_less)())],
    "test_no_tombstone_comes_twice": [lambda: ChangedTransform(both_ways), lambda: ChangedTransform(first_reversed)],
    "test_leaves_the_rows_as_they_were": [lambda: ChangedTransform(damage_rows)],
    "test_fingerprint_names_the_settings": [
        lambda: ChangedTransform(same, f"number {next(RANDOM)}"),
        lambda: ChangedTransform(same, ""),
        lambda: ChangedTransform(same, "others'"),
    ],
}


def stateful() -> Answers:
    """A policy that counts its own calls instead of the flush's rows."""
    calls = itertools.count(1)
    return Answers(lambda stats, batch: Cut(1, "call") if next(calls) % 2 else None)


def grow_folders(stats: FlushStats, batch: PartitionedRows) -> None:
    stats.encoded_partitions.add("other")  # type: ignore[attr-defined]


def needs_one_schema(stats: FlushStats, batch: PartitionedRows) -> Cut | None:
    return RecordCountRotation(4).cut(stats, batch) if isinstance(batch.rows, Rows) else None


def needs_times(stats: FlushStats, batch: PartitionedRows) -> Cut | None:
    return None if batch.first_time_ms is not None else Cut(0, "no time")


POLICIES: Mapping[str, list[Callable[[], Any]]] = {
    "test_answers_make_progress": [
        lambda: Answers(lambda stats, batch: Cut(0, "never")),
        lambda: Answers(lambda stats, batch: Cut(len(batch) + 1, "far")),
        lambda: Answers(lambda stats, batch: 1),
        lambda: Answers(lambda stats, batch: Cut(1, None)),  # type: ignore[arg-type]
    ],
    "test_cuts_do_not_depend_on_batches": [lambda: Answers(lambda stats, batch: Cut(len(batch), "poll"))],
    "test_answers_depend_on_the_arguments_only": [
        stateful,
        lambda: Answers(due_by=lambda stats: Due(stats.opened_at, f"number {next(RANDOM)}")),
    ],
    "test_takes_rows_of_several_schemas": [lambda: Answers(needs_one_schema)],
    "test_takes_rows_without_times": [lambda: Answers(needs_times)],
    "test_the_clock_ends_a_flush_at_a_moment": [
        lambda: Answers(due_by=lambda stats: stats.opened_at),
        lambda: Answers(due_by=lambda stats: Due(stats.opened_at.replace(tzinfo=None), "naive")),
    ],
    "test_leaves_stats_and_rows_as_they_were": [
        lambda: Answers(grow_folders),
        lambda: Answers(lambda stats, batch: overwrite(batch.rows.batch.timestamps_ms)),
    ],
}
CONTRACTS: dict[type, tuple[Mapping[str, list[Callable[[], Any]]], Callable[[], Any]]] = {
    ConverterContract: (CONVERTERS, lambda: ChangedConverter(same)),
    PartitionerContract: (PARTITIONERS, lambda: ChangedPartitioner(same)),
    TransformContract: (TRANSFORMS, lambda: ChangedTransform(same)),
    RotationPolicyContract: (POLICIES, lambda: RecordCountRotation(4)),
}


def fixtures_of(contract: type, make: Callable[[], Any]) -> dict[str, Any]:
    if contract is ConverterContract:
        return {"make_converter": make, "values": VALUES, "other_converters": [ChangedConverter(same, "others'")]}
    if contract is PartitionerContract:
        return {"make_partitioner": make, "rows": rows_of(TABLE), "other_partitioners": [ChangedPartitioner(same, "others'")]}
    if contract is TransformContract:
        return {"make_transform": make, "rows": rows_of(TABLE), "other_transforms": [ChangedTransform(same, "others'")]}
    return {"make_policy": make}


MISTAKES = [
    pytest.param(contract, name, make, id=f"{contract.__name__} {name} {number}")
    for contract, (mistakes, _) in CONTRACTS.items()
    for name, makers in mistakes.items()
    for number, make in enumerate(makers)
]


@pytest.mark.parametrize(("contract", "name", "make"), MISTAKES)
def test_a_mistake_is_found(contract: type, name: str, make: Callable[[], Any]) -> None:
    """The check fails for the broken part."""
    with pytest.raises((AssertionError, UsageError)):
        a_check(contract, name, **fixtures_of(contract, make))()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_each_check_has_a_mistake_and_passes_without(contract: type) -> None:
    """No check is untested, and none fails for the part without the mistake."""
    mistakes, make_sound = CONTRACTS[contract]
    checks = [name for name in vars(contract) if name.startswith("test_")]
    assert sorted(mistakes) == sorted(checks)
    for name in checks:
        a_check(contract, name, **fixtures_of(contract, make_sound))()
