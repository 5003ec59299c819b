"""The order of steps: what is skipped, what is tried, and what errors of a step become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest

from kafka2parquet.doctor.check import Cause, Check, Finding, Level, NotPossibleError
from kafka2parquet.doctor.examination import Step, examine, has_failed
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.util.secrets import Secrets


class Nothing:
    """Facts of no sink."""

    secrets = Secrets({"hunter22": "[hidden]"})


FACTS = cast(Facts, Nothing())


def check(name: str) -> Check:
    fatal = Cause("broken", {"what": "door"}, "The {what} is broken.", "Repair the {what}.", paste="glue {what}")
    slight = Cause("loose", {}, "It is loose.", "Look after it.", Level.WARNING)
    return Check(name, name.title(), "Looks at it.", (fatal, slight))


A, B, C = check("a"), check("b"), check("c")


def step(*findings: Finding, checks: Iterable[Check], needs: tuple[Check, ...] = ()) -> Step:
    return Step(lambda _: findings, tuple(checks), needs)


def outcomes(*steps: Step) -> list[tuple[str, Level]]:
    return [(finding.check.id, finding.level) for finding in examine(FACTS, steps)]


def test_a_finding_has_the_texts_of_its_cause() -> None:
    """The values of a finding are put into text, cure and the lines to paste."""
    finding = A.found("broken", "house", what="window")
    assert ("The window is broken.", "Repair the window.", "glue window") == (finding.text, finding.cure, finding.paste)
    assert ("house", "broken", Level.FAILED) == (finding.subject, finding.cause, finding.level)


def test_values_with_braces_stay_as_they_are() -> None:
    """A value from outside is never taken for a template."""
    assert "The {0} is broken." == A.found("broken", what="{0}").text


def test_what_needs_a_failed_check_is_skipped_with_the_reason() -> None:
    """The reason is the check that failed first, also for a check that needs a skipped one."""
    found = list(
        examine(
            FACTS,
            [
                step(A.found("broken", what="door"), checks=[A]),
                step(B.ok(), checks=[B], needs=(A,)),
                step(C.ok(), checks=[C], needs=(B,)),
            ],
        )
    )
    assert [Level.FAILED, Level.SKIPPED, Level.SKIPPED] == [finding.level for finding in found]
    assert ["A failed", "A failed"] == [finding.text for finding in found[1:]]


def test_one_subject_that_passes_is_enough() -> None:
    """A check that failed for one topic and passed for another doesn't stop what needs it."""
    steps = (
        step(A.found("broken", "x", what="door"), A.ok("y"), checks=[A]),
        step(B.ok(), checks=[B], needs=(A,)),
    )
    assert [("a", Level.FAILED), ("a", Level.OK), ("b", Level.OK)] == outcomes(*steps)


def test_a_warning_does_not_stop_what_needs_it() -> None:
    """What works with a warning is there for the next steps."""
    steps = (step(A.found("loose"), checks=[A]), step(B.ok(), checks=[B], needs=(A,)))
    assert [("a", Level.WARNING), ("b", Level.OK)] == outcomes(*steps)


def test_a_check_that_does_not_apply_stops_nothing() -> None:
    """A step without findings, such as TLS without TLS, lets the others run."""
    assert [("b", Level.OK)] == outcomes(step(checks=[A]), step(B.ok(), checks=[B], needs=(A,)))


def raising(error: Exception, *before: Finding) -> Callable[[Facts], Iterator[Finding]]:
    def run(facts: Facts) -> Iterator[Finding]:
        yield from before
        raise error

    return run


@pytest.mark.parametrize("error", [NotPossibleError("no answer"), StorageUnavailableError("no answer")])
def test_a_step_that_gets_no_answer(error: Exception) -> None:
    """Checks without an outcome are warnings that say why, and what needs them is skipped."""
    found = list(examine(FACTS, [Step(raising(error, A.ok()), (A, B)), step(C.ok(), checks=[C], needs=(B,))]))
    assert [("a", Level.OK), ("b", Level.WARNING), ("c", Level.SKIPPED)] == [(each.check.id, each.level) for each in found]
    assert "This could not be checked: no answer." == found[1].text


def test_a_step_that_is_refused() -> None:
    """An error of the settings fails the first check without an outcome."""
    assert [("a", Level.OK), ("b", Level.FAILED)] == outcomes(Step(raising(ConfigurationError("wrong"), A.ok()), (A, B, C)))


def test_findings_have_no_secrets() -> None:
    """Secrets are hidden in the texts, and ids stay as they are."""
    (finding,) = examine(FACTS, [step(A.found("broken", "hunter22", what="hunter22"), checks=[A])])
    assert ("[hidden]", "The [hidden] is broken.", "glue [hidden]") == (finding.subject, finding.text, finding.paste)


def test_only_failures_fail() -> None:
    """Warnings and skipped checks don't fail an examination."""
    assert not has_failed([A.ok(), A.found("loose"), A.skipped("why")])
    assert has_failed([A.ok(), A.found("broken", what="door")])
