"""Calls rotation policies and checks their answers, so that a mistake raises an error instead of looping forever."""

from __future__ import annotations

import datetime
import operator

import numpy as np

from kafka2parquet.errors import UsageError
from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy
from kafka2parquet.rows import PartitionedRows
from kafka2parquet.util.user_parts import ask


def cut_of(policy: RotationPolicy, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
    """Call `RotationPolicy.cut` and check the answer.

    Raises:
        BrokenPartError: the policy raised an unexpected exception.
        UsageError: the answer is not allowed. The message names topic, partition and offsets.
    """
    cut = ask(policy.cut, stats, batch)
    if cut is None:
        return None
    least = 0 if stats.rows else 1
    rows = _integer(cut.rows) if isinstance(cut, Cut) else None
    if rows is not None and least <= rows <= len(batch) and isinstance(cut.reason, str):
        return Cut(rows, cut.reason)
    offsets = batch.rows.offsets
    topic_partition = batch.rows.groups[0].batch.topic_partition
    why = ", and the flush has no rows, so it would never end" if rows == 0 < least else ""
    raise UsageError(
        f"{topic_partition}, offsets {offsets[0]} to {offsets[-1]}: {type(policy).__name__}.cut returned {cut!r}{why}."
        " Return None, or Cut(rows, reason): how many leading rows still belong to the flush, from"
        f" {least} to {len(batch)}, and the reason as a str."
    )


def due_of(policy: RotationPolicy, stats: FlushStats) -> Due | None:
    """Call `RotationPolicy.due_at` and check the answer.

    Raises:
        BrokenPartError: the policy raised an unexpected exception.
        UsageError: the answer is not allowed, for example a time without a time zone.
    """
    due = ask(policy.due_at, stats)
    if due is None or (isinstance(due, Due) and _has_time_zone(due.at) and isinstance(due.reason, str)):
        return due
    raise UsageError(
        f"{type(policy).__name__}.due_at returned {due!r}. Return None, or Due(at, reason): a datetime.datetime with a time"
        " zone, and the reason as a str."
    )


def _integer(value: object) -> int | None:
    """Return an integer, which may be NumPy's, as an int; None for anything else, booleans included."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        return None
    return operator.index(value)


def _has_time_zone(value: object) -> bool:
    return isinstance(value, datetime.datetime) and value.tzinfo is not None
