"""Health of followers of tables, as the three questions that `health.py` asks of a sink.

A follower that isn't live has to be restarted. A follower that isn't ready has not begun to work. A follower that isn't healthy
needs a person: rows don't get into the table, and a restart would not help.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from kafka2parquet.http.health import Verdict
from kafka2parquet.status import TableStatus

#: How late a round may be, besides two pauses between rounds, before the follower counts as unhealthy, in seconds.
_ROUND_LIMIT_S = 300.0


def live(statuses: Iterable[TableStatus], limit_s: float) -> Verdict:
    """Return whether each follower still works.

    A follower is not live if it has failed, or if its loop has ended no step for longer than its pause between rounds and
    `limit_s` seconds. A failed attempt is a step, so a follower that waits for the end of an outage is live. So is one that was
    stopped.
    """
    return Verdict(tuple(problem for status in statuses for problem in _not_live(status, limit_s)))


def ready(statuses: Iterable[TableStatus]) -> Verdict:
    """Return whether each follower has read its table's positions: Kafka, the store and the catalogue have answered once.

    Later outages don't change the answer.
    """
    return Verdict(tuple(problem for status in statuses for problem in _not_ready(status)))


def healthy(statuses: Iterable[TableStatus]) -> Verdict:
    """Return whether no follower has failed, no topic-partition stands still, and rounds are completed in time.

    A round is late if the last complete one ended more than two pauses between rounds and five minutes ago. Without a loop,
    time is not judged.
    """
    return Verdict(tuple(problem for status in statuses for problem in _not_healthy(status)))


def _failure(status: TableStatus) -> Iterator[str]:
    if status.state == "failed":
        yield f"{status.table} has failed: {status.error}"


def _silent_s(status: TableStatus, since: datetime.datetime | None) -> float:
    """Return the seconds since a time or since the start of the loop, whichever is later."""
    return (status.at - max(since or status.started_at, status.started_at)).total_seconds()


def _loops(status: TableStatus) -> bool:
    return status.interval_s is not None and status.state in ("starting", "running")


def _not_live(status: TableStatus, limit_s: float) -> Iterator[str]:
    yield from _failure(status)
    if _loops(status):
        silent_s = _silent_s(status, status.last_step_at)
        limit_s += status.interval_s or 0.0
        if silent_s > limit_s:
            yield f"{status.table} has not ended a step for {silent_s:,.0f} s; the limit is {limit_s:,.0f} s."


def _not_ready(status: TableStatus) -> Iterator[str]:
    yield from _failure(status)
    if status.state == "starting":
        yield f"The positions of {status.table} have not been read yet{f': {status.error}' if status.error else '.'}"
    elif status.state == "stopped":
        yield f"The follower of {status.table} is stopped."


def _not_healthy(status: TableStatus) -> Iterator[str]:
    yield from _failure(status)
    for partition in status.partitions:
        if partition.problem:
            yield f"{status.table} takes no more of {partition.topic_partition}: {partition.problem}"
    if _loops(status):
        silent_s = _silent_s(status, status.last_round_at)
        limit_s = 2.0 * (status.interval_s or 0.0) + _ROUND_LIMIT_S
        if silent_s > limit_s:
            why = f": {status.error}" if status.error else "."
            yield f"{status.table} has completed no round for {silent_s:,.0f} s; the limit is {limit_s:,.0f} s{why}"
