"""`python -m tests.model.hunt SCENARIO ...`: look for a failure; exit code 1 when one is found."""

from __future__ import annotations

import logging
import sys

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import STEPS, DeliveryMachine

EXAMPLES = 600


def main(scenarios: tuple[str, ...]) -> int:
    """Hunts in these scenarios."""
    logging.disable(logging.CRITICAL)

    class Machine(DeliveryMachine):
        scenario_names = scenarios

    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
            ),
        )
    except Exception as error:
        print(f"{type(error).__name__}: {str(error)[:300]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
