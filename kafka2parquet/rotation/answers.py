"""Checks what rotation policies return: a senseless answer is an error, not an endless loop or a wrong file."""

from __future__ import annotations

import datetime
import operator

import numpy as np

from kafka2parquet.errors import UsageError
from kafka2parquet.rotation.base import FlushStats, RotationPolicy
from kafka2parquet.rows import PartitionedRows
from kafka2parquet.util.user_parts import ask


def cut_of(policy: RotationPolicy, stats: FlushStats, batch: PartitionedRows) -> int | None:
    """Call `RotationPolicy.cut`, and check the answer.

    Raises:
        BrokenPartError: the policy is broken.
        UsageError: the policy returned what it may not return. The message names topic, partition and offsets.
    """
    cut = ask(policy.cut, stats, batch)
    if cut is None:
        return None
    least = 0 if stats.rows else 1
    is_number = hasattr(cut, "__index__") and not isinstance(cut, bool | np.bool_)
    if is_number and least <= operator.index(cut) <= len(batch):
        return operator.index(cut)
    offsets = batch.rows.offsets
    topic_partition = batch.rows.groups[0].batch.topic_partition
    stays = is_number and least > operator.index(cut) == 0
    why = ", and the flush has no rows, so that it would never end" if stays else ""
    raise UsageError(
        f"{topic_partition}, offsets {offsets[0]} to {offsets[-1]}: {type(policy).__name__}.cut returned {cut!r}{why}. It has"
        f" to return None, or how many leading rows still belong to the flush, from {least} to {len(batch)}."
    )


def due_at_of(policy: RotationPolicy, stats: FlushStats) -> datetime.datetime | None:
    """Call `RotationPolicy.due_at`, and check the answer.

    Raises:
        BrokenPartError: the policy is broken.
        UsageError: the policy returned something else than a time with a time zone.
    """
    due_at = ask(policy.due_at, stats)
    if due_at is None or (isinstance(due_at, datetime.datetime) and due_at.tzinfo is not None):
        return due_at
    raise UsageError(
        f"{type(policy).__name__}.due_at returned {due_at!r}. It has to return None or a datetime.datetime with a time zone."
    )
