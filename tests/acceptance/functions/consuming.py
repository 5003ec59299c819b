"""The side of the consumer."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from kafka2parquet.partitioners.timestamps import RecordTimestamp
from tests.acceptance.cases import CaseFolder
from tests.acceptance.functions.reading import rows_of_value
from tests.acceptance.outcome import NotApplicableError

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def record_timestamp(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the timestamp of a record as the sink sees it; Kafka's -1 means that the record has none."""
    number = next(value for name, value in given.items() if "timestamp" in name and isinstance(value, int))
    rows = rows_of_value({"field": "A"}, "field-string", folder, timestamp_ms=None if number == -1 else number)
    return {"value": RecordTimestamp().extract(rows, _EPOCH)[0].as_py()}


def commit_cycle(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Connect's worker asks its task which offsets may be committed; this engine commits without being asked."""
    raise NotApplicableError("the engine commits by itself; no worker asks a task for offsets")


def poll_cycle(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Connect's worker passes the records of a poll to its task; this engine polls."""
    raise NotApplicableError("the engine polls by itself; no worker puts records into a task")
