"""The laws, on sinks and records that Hypothesis draws; and a short fuzz run, always of the same trials."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.laws.fuzz import Plan, fuzz
from tests.laws.laws import Delivered, breaches
from tests.laws.trial import Trial, trials

FUZZED = 150


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Disables the log, which would be filled by thousands of rejects."""
    logger = logging.getLogger("kafka2parquet")
    logger.propagate = False
    yield
    logger.propagate = True


@settings(max_examples=40, derandomize=True)
@given(trials())
def test_the_laws_hold(trial: Trial) -> None:
    """The six laws hold for any records and any sink."""
    assert [*breaches(Delivered(trial))] == []


@pytest.mark.timeout(1200)  # of a machine that is busy otherwise
def test_a_short_fuzz_run_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A short run finds no breach; `make fuzz MINUTES=…` runs longer, with another seed each time."""
    found = fuzz(Plan(seed=12, most_trials=FUZZED))
    assert found == 0, capsys.readouterr().out
