"""The net under a step of the record chain: a record for which the step breaks becomes a reject, the others go on.

Converters, transforms and partitioners make rejects of the records that they refuse. The net is for what they did not foresee:
an exception of any other kind, from the code of this library, of a user, or of a native decoder that panics.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from kafka2parquet.errors import is_unexpected
from kafka2parquet.records import DATA_EXCEPTION, ConsumedBatch, Reject, Stage
from kafka2parquet.rows import Rows
from kafka2parquet.util.bisection import bisect_failures
from kafka2parquet.util.printable import printable
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
    """Do a step for all records at once, and where that breaks for parts of them, down to the records that break it.

    Args:
        stage: what the rejects say about where they failed.
        batch: holds the records with these offsets.
        records: one or more of them.
        step: called with all records, or with some; must leave no trace of records for which it breaks.

    Returns:
        What the step made of the parts, in their order, and a reject for each record that is in none of them.

    Raises:
        Kafka2ParquetError: the step raised it; the net lets these through.
        MemoryError: as above.
    """
    try:
        return [step(records)], []
    except BaseException as error:
        if not is_unexpected(error):
            raise
        _LOG.warning(
            "%s, offsets %s to %s: the stage %r broke, and goes on record by record (%s). Please report this as a bug, unless"
            " the code is yours.",
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
