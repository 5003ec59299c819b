"""Every case of the folder comes out as required, or differs on purpose, or is about what the library leaves to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.cases import Case, CaseFolder
from tests.acceptance.outcome import Verdict
from tests.acceptance.run import judge

FOLDER = CaseFolder(Path(os.environ.get("CASES") or Path(__file__).parent / "cases"))


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.file}-{case.id}") for case in FOLDER.cases()])
def test_case(case: Case) -> None:
    """The runner accepts the outcome of the case."""
    result = judge(case, FOLDER)
    assert result.verdict is not Verdict.FAILED, "\n".join((result.reason, *result.details))
