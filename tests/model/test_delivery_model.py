"""Random troubles against the delivery engine, in memory and by a manual clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import SCENARIOS, STEPS, DeliveryMachine

LEAST_TRACES = 500


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_record_is_in_exactly_one_file(scenario: str) -> None:
    """No record is lost, repeated or overwritten in any order of events, and lag reaches zero."""

    class Machine(DeliveryMachine):
        scenario_names = (scenario,)

    share = math.ceil(max(LEAST_TRACES, settings().max_examples) / len(SCENARIOS))
    run_state_machine_as_test(Machine, settings=settings(max_examples=share, stateful_step_count=STEPS, deadline=None))
