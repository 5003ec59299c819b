"""Runs cases, each to its verdict."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from tests.acceptance import answers, compare, differs
from tests.acceptance.cases import Case, CaseFolder
from tests.acceptance.compare import Mismatch
from tests.acceptance.outcome import CaseError, NotApplicableError, Result, Verdict
from tests.acceptance.steps import run_case

#: What the runner itself can't do, or the library leaves to others; everything else is for the library to say.
_MISSING = {
    "avro_output": "only Parquet files are written",
    "json_output": "only Parquet files are written",
    "duplicate_offsets": "a log never has an offset twice",
}


def judge(case: Case, folder: CaseFolder) -> Result:
    """Runs a case. An error in the runner itself is a failure."""
    missing = [_MISSING[name] for name in case.data.get("requires", ()) if name in _MISSING]
    if missing:
        return Result(Verdict.NOT_APPLICABLE, missing[0])
    try:
        return _judged_steps(case, folder) if "steps" in case.data else _judged_answer(case, folder)
    except NotApplicableError as error:
        return Result(Verdict.NOT_APPLICABLE, str(error))
    except Exception as error:  # a case must not keep the others from being run
        place = traceback.format_exc(limit=-3).strip().splitlines()
        return Result(Verdict.FAILED, f"{type(error).__name__}: {error}", tuple(place))


def _judged_steps(case: Case, folder: CaseFolder) -> Result:
    try:
        run = run_case(case, folder)
    except CaseError as error:
        found = answers.mismatches({"error": case.required.get("error")}, error)
        return _result(found, None)
    found = compare.mismatches(case, run)
    return _result(found, differs.reason(case, run, found) if found else None)


def _judged_answer(case: Case, folder: CaseFolder) -> Result:
    seen = answers.answer(case, folder)
    choices: list[Mapping[str, Any]] = [case.required]
    choices += [_replaced(case.required, other) for other in case.data.get("also_acceptable", ())]
    found = min((answers.mismatches(choice, seen) for choice in choices), key=len)
    return _result(found, differs.reason_of_answer(case, seen, found) if found else None)


def _replaced(required: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces fields by those of `other`. An answer replaces an error, and an error replaces everything."""
    if other.get("error") is not None:
        return dict(other)
    is_answer = bool(other.keys() - {"error", "why"})
    return {**{name: value for name, value in required.items() if not (is_answer and name == "error")}, **other}


def _result(found: Sequence[Mismatch], why: str | None) -> Result:
    if not found:
        return Result(Verdict.PASSED)
    if why is not None:
        return Result(Verdict.DIFFERS, why)
    details = tuple(f"{m.what}\n  expected: {m.expected}\n  seen:     {m.seen}" for m in found)
    return Result(Verdict.FAILED, found[0].what, details)
