"""The table of checks and the page of the documentation that is generated from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kafka2parquet.doctor.check import Cause, Level
from kafka2parquet.doctor.reference import doctor_markdown
from kafka2parquet.doctor.table import GROUPS, STEPS, all_checks

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"


def test_page_of_the_documentation_is_up_to_date() -> None:
    """`docs/doctor.md` agrees with the checks; `doctor_markdown()` writes the page."""
    assert PAGE.read_text(encoding="utf-8") == doctor_markdown()


def test_page_has_an_anchor_for_each_check() -> None:
    """The address that a finding shows leads to its check."""
    page = doctor_markdown()
    assert [] == [check.id for check in all_checks() if f"({check.id})=" not in page]


def test_ids_are_unique_and_plain() -> None:
    """Ids of checks are unique, and all ids are words with hyphens, because they are anchors and keys of JSON."""
    ids = [check.id for check in all_checks()]
    causes = [cause.id for check in all_checks() for cause in check.causes]
    assert len(ids) == len(set(ids))
    assert [] == [each for each in (*ids, *causes) if not re.fullmatch(r"[a-z]+(-[a-z]+)*", each)]


def test_each_check_belongs_to_one_group_and_to_one_step() -> None:
    """No check is left out of the page or never run."""
    of_groups = [check.id for group in GROUPS for check in group.checks]
    of_steps = [check.id for step in STEPS for check in step.checks]
    assert sorted(of_groups) == sorted(of_steps)


def test_a_step_needs_only_checks_of_earlier_steps() -> None:
    """A check that is needed has run before."""
    known: set[str] = set()
    for step in STEPS:
        assert [] == [need.id for need in step.needs if need.id not in known]
        known |= {check.id for check in step.checks}


def test_each_cause_has_a_cure() -> None:
    """A cause says what is wrong and what to do, and uses each of its fields."""
    for check in all_checks():
        for cause in check.causes:
            assert cause.level in (Level.FAILED, Level.WARNING)
            assert len(cause.cure) > 10
            assert "  " not in cause.text + cause.cure + cause.paste


def test_a_text_with_an_undeclared_field_is_refused() -> None:
    """A cause can't mention a value that it doesn't declare."""
    with pytest.raises(ValueError, match="'topic'"):
        Cause("id", {}, "The topic {topic}.", "Correct the topic.")
