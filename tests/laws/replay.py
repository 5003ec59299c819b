"""Runs one trial again: what the scripts that the fuzz run prints begin with."""

from __future__ import annotations

from kafka2parquet.testing import MemoryRecord
from tests.laws.laws import Delivered, breaches
from tests.laws.setups import Setup
from tests.laws.trial import Trial

__all__ = ["MemoryRecord", "Setup", "Trial", "replay"]


def replay(trial: Trial) -> None:
    """Prints the outcome of each record, and the broken laws."""
    delivered = Delivered(trial)
    for reject in delivered.run.rejects:
        print(f"reject {reject.offset} at {reject.stage.value}: {reject.reason}")
    for offset, (file, row) in delivered.rows.items() if delivered.run.error is None else ():
        print(f"row {offset} in {file.folder}: {row}")
    for kind in delivered.run.caught:
        print(f"net caught {kind}")
    for breach in breaches(delivered):
        print(f"LAW {breach.law}: {breach.kind} | {breach.detail}")
