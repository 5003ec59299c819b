"""MergeUnit: a plan as a unit of work, which any process may run, once or more often."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from kafka2parquet.backoff import Backoff, Retrying, RetryPolicy
from kafka2parquet.clock import SystemClock
from kafka2parquet.compaction.comparing import compare
from kafka2parquet.compaction.merging import MergeError, Merger
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.errors import TransientError
from kafka2parquet.merged.plan import MergePlan
from kafka2parquet.merged.reading import parse_plan
from kafka2parquet.merged.result import MergedOutput, MergeResult

_LOG = logging.getLogger(__name__)
_RETRY = RetryPolicy(limit_s=60.0)

Outcome = Literal["merged", "found", "failed"]


@attrs.frozen
class MergeUnit:
    """A plan that has no result yet.

    Attributes:
        plan_key: key of the plan, which is also the id of the unit.
        result_key: key of the result.
        topic: name of the topic.
        folder: the encoded partition.
        files: number of files to merge.
        rows: number of rows of record values.
        input_bytes: size of the files to merge.
    """

    plan_key: str
    result_key: str
    topic: str
    folder: str
    files: int
    rows: int
    input_bytes: int

    @property
    def id(self) -> str:
        """The unit's name, which no other unit has."""
        return self.plan_key

    @classmethod
    def of(cls, plan: MergePlan, plan_key: str, result_key: str) -> MergeUnit:
        """Make the unit of a plan."""
        rows = sum(file.rows for file in plan.inputs if file.role == "values")
        return cls(plan_key, result_key, plan.topic, plan.folder, len(plan.inputs), rows, plan.input_bytes)

    def to_json(self) -> dict[str, Any]:
        """Return the unit as JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MergeUnit:
        """Parse what `to_json` returned.

        Raises:
            TypeError: a name is missing or unknown.
        """
        return cls(**values)


@attrs.frozen
class UnitResult:
    """What came out of a unit.

    Attributes:
        unit_id: id of the unit.
        outcome: `merged` if this run has written the result, `found` if the result was there already, `failed` if the files
            can't be merged, with the reason in `problem`.
        merged_files: number of merged files.
        rows: number of rows of record values in the merged files.
        output_bytes: size of the merged files.
        problem: why the files can't be merged; None if they are.
    """

    unit_id: str
    outcome: Outcome = attrs.field(validator=attrs.validators.in_(get_args(Outcome)))
    merged_files: int = 0
    rows: int = 0
    output_bytes: int = 0
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> UnitResult:
        """Parse what `to_json` returned.

        Raises:
            TypeError: a name is missing or unknown.
            ValueError: the outcome is unknown.
        """
        return cls(**values)


def run_unit(
    unit: MergeUnit,
    storage: MergeStorage,
    staging_directory: str | Path | None = None,
    *,
    retry: Backoff = _RETRY,
) -> UnitResult:
    """Merge the files of a plan, compare the merged files with the originals, and write the result. Blocks.

    May run again, and at the same time in another process: what exists already is not written again. Nothing counts before the
    result is written.

    Args:
        unit: the unit.
        storage: where the files are.
        staging_directory: local folder for staged files; by default the system's folder for temporary files.
        retry: how often the unit is tried again while the store doesn't answer; by default for a minute.

    Raises:
        Kafka2ParquetError: the store doesn't answer or refuses access, or the staging folder is full. The unit may run again.
    """
    retrying = Retrying(retry, SystemClock())
    while True:
        try:
            return _run(unit, storage, staging_directory)
        except TransientError as error:
            pause_s = retrying.failed(error)
            _LOG.warning("%s: trying again in %.1f s: %s", unit.id, pause_s, error)
            threading.Event().wait(pause_s)


def _run(unit: MergeUnit, storage: MergeStorage, staging_directory: str | Path | None) -> UnitResult:
    found = _read_result(storage, unit)
    if isinstance(found, UnitResult):
        return found
    content = storage.read(unit.plan_key)
    if content is None:
        return UnitResult(unit.id, "failed", problem=f"{unit.plan_key} doesn't exist any more")
    merger = Merger(storage, staging_directory)
    try:
        plan = parse_plan(content, unit.plan_key)
        for output in plan.outputs:
            merger.create(plan, output)
        outputs = tuple(MergedOutput.of(output, compare(storage, plan, output)) for output in plan.outputs)
    except (MergeError, ValueError) as error:
        return UnitResult(unit.id, "failed", problem=str(error))
    result = MergeResult(plan.topic_id, plan.topic, plan.folder, plan.number, outputs)
    if storage.create(unit.result_key, result.to_bytes()):
        return _as_result(unit, result, "merged")
    found = _read_result(storage, unit)
    return found if found is not None else UnitResult(unit.id, "failed", problem=f"{unit.result_key} was deleted")


def verify(units: Iterable[MergeUnit], results: Iterable[UnitResult], storage: MergeStorage) -> Mapping[str, str]:
    """Check that each unit has a result in the store that says what the unit's runs have returned. Blocks.

    Args:
        units: the units that were to run.
        results: what their runs have returned, in any order; a unit may have several results.
        storage: where the files are.

    Returns:
        What is wrong, by the ids of the units; {} if all units are done.

    Raises:
        Kafka2ParquetError: the store doesn't answer or refuses access.
    """
    problems: dict[str, str] = {}
    of_unit: dict[str, list[UnitResult]] = {}
    for result in results:
        of_unit.setdefault(result.unit_id, []).append(result)
    for unit in units:
        returned = of_unit.get(unit.id, [])
        failed = next((each.problem for each in returned if each.problem is not None), None)
        found = _read_result(storage, unit)
        if failed is not None:
            problems[unit.id] = failed
        elif not returned:
            problems[unit.id] = "no run has returned a result"
        elif found is None:
            problems[unit.id] = f"{unit.result_key} doesn't exist"
        elif any(attrs.evolve(each, outcome="found") != found for each in returned):
            problems[unit.id] = f"{unit.result_key} says something else than the run"
    return problems


def _read_result(storage: MergeStorage, unit: MergeUnit) -> UnitResult | None:
    """Return the result of a unit that is in the store; None if there is none."""
    content = storage.read(unit.result_key)
    if content is None:
        return None
    try:
        result = MergeResult.from_bytes(content)
    except ValueError as error:
        return UnitResult(unit.id, "failed", problem=f"{unit.result_key} can't be read: {error}")
    return _as_result(unit, result, "found")


def _as_result(unit: MergeUnit, result: MergeResult, outcome: Outcome) -> UnitResult:
    return UnitResult(unit.id, outcome, len(result.outputs), result.rows, result.size_bytes)
