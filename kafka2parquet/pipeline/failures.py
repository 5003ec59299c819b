"""Catches unexpected exceptions of a pipeline step: records for which the step breaks become rejects.

Converters, transforms and partitioners reject bad records themselves. `catch` handles the exceptions that they did not expect,
from the code of this library, from a user's code, or from a native decoder that panics.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from kafka2parquet.errors import is_unexpected
from kafka2parquet.records import DATA_EXCEPTION, ConsumedBatch, Reject, Stage
from kafka2parquet.rows import Rows
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.display import printable
from kafka2parquet.util.user_parts import BrokenPartError

_LOG = logging.getLogger(__name__)
_MAX_REASON_CHARACTERS = 300

_Records = TypeVar("_Records", ConsumedBatch, Rows)
_Result = TypeVar("_Result")


class _BrokenError(Exception):
    """A step broke; the cause is what it raised."""


def catch(
    stage: Stage, batch: ConsumedBatch, records: _Records, step: Callable[[_Records], _Result]
) -> tuple[list[_Result], list[Reject]]:
    """Runs a step on all records at once. If the step breaks, bisects the records to find those for which it breaks.

    Args:
        stage: the stage that the rejects name.
        batch: the batch that holds the records.
        records: one or more records of the batch.
        step: called with all records or with some of them. Must not keep anything of records for which it breaks.

    Returns:
        The results of the step for parts of the records, in their order, and a reject for each record that breaks the step.

    Raises:
        Kafka2ParquetError: the step raised it. Such errors, and MemoryError, are not caught.
    """
    try:
        return [step(records)], []
    except BaseException as error:
        if not is_unexpected(error):
            raise
        _LOG.warning(
            "%s, offsets %s to %s: the stage %r raised an exception, and the records are bisected (%s). Please report this as a"
            " bug, unless the code is yours.",
            batch.topic_partition,
            records.offsets[0],
            records.offsets[-1],
            stage.value,
            printable(_reason(error)),
            exc_info=error.error if isinstance(error, BrokenPartError) else error,
        )

    def attempt(start: int, length: int) -> _Result:
        try:
            return step(records.slice(start, length))
        except BaseException as error:
            if not is_unexpected(error):
                raise
            raise _BrokenError from error

    results: list[_Result] = []
    rejects: list[Reject] = []
    for start, _, outcome in bisect_failures(len(records), attempt, _BrokenError):
        if isinstance(outcome, _BrokenError):
            offset = records.offsets[start].as_py()
            rejects.append(batch.reject_offset(offset, stage, _reason(outcome.__cause__), DATA_EXCEPTION))
        else:
            results.append(outcome)
    return results, rejects


def _reason(error: BaseException | None) -> str:
    reason = str(error) if isinstance(error, BrokenPartError) else f"{type(error).__name__}: {error}"
    return reason[:_MAX_REASON_CHARACTERS]
