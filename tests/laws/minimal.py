"""The smallest trial that still breaks a law in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from kafka2parquet.testing import MemoryRecord
from tests.laws.records import NOW_MS
from tests.laws.setups import Setup
from tests.laws.trial import Trial

#: Trials that are run for it; each takes a tenth of a second.
MOST_ATTEMPTS = 100


def minimal(trial: Trial, still_breaks: Callable[[Trial], bool]) -> Trial:
    """Removes from a trial whatever it doesn't need, step by step."""
    attempts = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(trial):
            attempts += 1
            if attempts > MOST_ATTEMPTS:
                return trial
            if still_breaks(candidate):
                trial, smaller = candidate, True
                break
    return trial


def _smaller(trial: Trial) -> Iterator[Trial]:
    count = len(trial.records)
    for length in (count // 2, 1):
        for start in range(0, count if length and count > 1 else 0, length or 1):
            yield attrs.evolve(trial, records=trial.records[:start] + trial.records[start + length :])
    if trial.polls:
        yield attrs.evolve(trial, polls=())
    for setup in _simpler(trial.setup):
        if setup.is_possible:
            yield attrs.evolve(trial, setup=setup)
    for number, record in enumerate(trial.records):
        for shorter in _shorter(record):
            yield attrs.evolve(trial, records=(*trial.records[:number], shorter, *trial.records[number + 1 :]))


def _simpler(setup: Setup) -> Iterator[Setup]:
    for field in attrs.fields(Setup):
        if field.name == "transforms":
            for number in range(len(setup.transforms)):
                yield attrs.evolve(setup, transforms=setup.transforms[:number] + setup.transforms[number + 1 :])
        elif field.name != "format" and getattr(setup, field.name) != field.default:
            usual: dict[str, Any] = {field.name: field.default}
            yield attrs.evolve(setup, **usual)


def _shorter(record: MemoryRecord) -> Iterator[MemoryRecord]:
    plain = MemoryRecord(record.value, b"k", NOW_MS)
    for name in ("key", "headers", "timestamp_ms"):
        usual = {name: getattr(plain, name)}
        if getattr(record, name) != usual[name]:
            yield attrs.evolve(record, **usual)
    value = record.value or b""
    for length in (len(value) // 2, len(value) // 4, len(value) // 10):
        for start in range(0, len(value) if length > 1 else 0, length or 1):
            yield attrs.evolve(record, value=value[:start] + value[start + length :])
