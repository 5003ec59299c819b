"""Runs the steps of an examination in order, and skips the steps whose needs have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from kafka2parquet.doctor.check import Check, Finding, Level, NotPossibleError
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.errors import Kafka2ParquetError, TransientError


@attrs.frozen
class Step:
    """A function that runs checks.

    Attributes:
        run: yields the findings.
        checks: the checks that the function may yield findings of. A skipped step says so for each.
        needs: checks that must not have failed for every subject.
    """

    run: Callable[[Facts], Iterable[Finding]]
    checks: tuple[Check, ...]
    needs: tuple[Check, ...] = ()


def examine(facts: Facts, steps: Sequence[Step]) -> Iterator[Finding]:
    """Run the steps, and yield each finding without secrets as soon as it is there. Blocks between findings.

    A step is skipped if a check that it needs has failed, unless that check was also passed for another subject. What needs a
    skipped step is skipped too, and names the check that failed.
    """
    return (finding.hidden(facts.secrets) for finding in _examined(facts, steps))


def _examined(facts: Facts, steps: Sequence[Step]) -> Iterator[Finding]:
    passed: set[str] = set()
    failed: dict[str, str] = {}
    for step in steps:
        missing = next((failed[need.id] for need in step.needs if need.id in failed and need.id not in passed), None)
        if missing is not None:
            for check in step.checks:
                failed[check.id] = missing
                yield check.skipped(missing)
            continue
        seen: set[str] = set()
        try:
            for finding in step.run(facts):
                seen.add(finding.check.id)
                if finding.level in (Level.OK, Level.WARNING):
                    passed.add(finding.check.id)
                else:
                    failed[finding.check.id] = (
                        finding.text if finding.level is Level.SKIPPED else f"{finding.check.title} failed"
                    )
                yield finding
        except (NotPossibleError, TransientError) as error:
            for check in step.checks:
                if check.id not in seen:
                    failed[check.id] = f"{check.title} failed"
                    yield check.not_possible(str(error))
        except Kafka2ParquetError as error:
            rest = [check for check in step.checks if check.id not in seen] or list(step.checks[-1:])
            for check in rest:
                failed[check.id] = f"{check.title} failed"
            yield rest[0].refused(str(error))


def has_failed(findings: Iterable[Finding]) -> bool:
    """Return whether a check has failed."""
    return any(finding.level is Level.FAILED for finding in findings)
