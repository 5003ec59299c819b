"""Health of a sink, as three questions that are kept apart: is it live, is it ready, is it healthy.

Each answer calls for another action. A process that isn't live has to be restarted. A process that isn't ready has not begun to
work. A sink that isn't healthy needs a person to look at it, and a restart would not help: while the store is down, a restarted
process would only read all open records again.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from kafka2parquet.status.model import RunnerStatus

#: A record may become this many times as old as the rotation settings promise before the sink counts as unhealthy.
_FRESHNESS_FACTOR = 2.0


@attrs.frozen
class Verdict:
    """The answer to one question about a sink's health.

    Attributes:
        problems: what is wrong, as sentences; empty if the answer is yes.
    """

    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.problems


def live(status: RunnerStatus, limit_s: float) -> Verdict:
    """Return whether each task's driver thread still works.

    A task is not live if it has failed, because nothing in the process starts it again, or if no step of it has ended for
    `limit_s` seconds. A task that waits for the store or for Kafka makes steps, and is live. So is one that was stopped.
    """
    return Verdict(tuple(_not_live(status, limit_s)))


def ready(status: RunnerStatus) -> Verdict:
    """Return whether each task has passed its checks at the start and has joined the consumer group.

    The checks at the start call the store, so the store has answered once. Later outages don't change the answer.
    """
    return Verdict(tuple(_not_ready(status)))


def healthy(status: RunnerStatus) -> Verdict:
    """Return whether no task has failed, and each record becomes durable within twice the time that the settings promise.

    Where the rotation settings promise nothing, for instance because only a number of rows ends a file, age is not judged.
    """
    return Verdict(tuple(_not_healthy(status)))


def _failures(status: RunnerStatus) -> Iterator[str]:
    failed = [task for task in status.tasks if task.state == "failed"]
    yield from (f"{task.name} has failed: {task.error}" for task in failed)
    if status.error and not failed:
        yield f"The sink has failed: {status.error}"


def _not_live(status: RunnerStatus, limit_s: float) -> Iterator[str]:
    yield from _failures(status)
    for task in status.tasks:
        if task.state not in ("failed", "stopped"):
            silent_s = (task.at - (task.last_step_at or task.started_at)).total_seconds()
            if silent_s > limit_s:
                yield f"{task.name} has not ended a step for {silent_s:,.0f} s; the limit is {limit_s:,.0f} s."


def _not_ready(status: RunnerStatus) -> Iterator[str]:
    yield from _failures(status)
    if not status.tasks and not status.error:
        yield "No task has started yet."
    for task in status.tasks:
        if task.state == "starting":
            waits = f": {task.storage.cause}" if task.storage.cause else "."
            yield f"{task.name} has not passed its checks at the start yet{waits}"
        elif task.state in ("stopping", "stopped"):
            yield f"{task.name} is {task.state}."
        elif task.state == "running" and not task.kafka.joined:
            yield f"{task.name} has not joined the consumer group yet."


def _not_healthy(status: RunnerStatus) -> Iterator[str]:
    yield from _failures(status)
    for task in status.tasks:
        if task.expected_freshness_s is None:
            continue
        limit_s = _FRESHNESS_FACTOR * task.expected_freshness_s
        for partition in task.partitions:
            if partition.durable_lag_s is not None and partition.durable_lag_s > limit_s:
                yield (
                    f"{partition.topic_partition}: the oldest record that is not durable is {partition.durable_lag_s:,.0f} s "
                    f"old; the limit is {limit_s:,.0f} s, twice what the rotation settings promise."
                )
