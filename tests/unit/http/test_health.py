"""Health: live, ready and healthy are three questions with three answers."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kafka2parquet.http.health import healthy, live, ready
from kafka2parquet.status import KafkaStatus, StorageStatus
from tests.support.statuses import ago, partition_status, runner_status, task_status

LIMIT_S = 300.0
OUTAGE = StorageStatus("s3://bucket", up=False, cause="503 SlowDown", since=ago(7200))
NOT_JOINED = KafkaStatus(group_id="connect-sink", joined=False, up=True)


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        pytest.param({}, (True, True, True), id="in good order"),
        pytest.param({"storage": OUTAGE}, (True, True, True), id="the store is down and records are still fresh"),
        pytest.param({"state": "starting", "last_step_at": None, "started_at": ago(1)}, (True, False, True), id="just started"),
        pytest.param({"state": "starting", "storage": OUTAGE}, (True, False, True), id="the store is down at the start"),
        pytest.param({"kafka": NOT_JOINED}, (True, False, True), id="not in the group yet"),
        pytest.param({"last_step_at": ago(301)}, (False, True, True), id="a step hangs"),
        pytest.param({"last_step_at": ago(300)}, (True, True, True), id="a step takes long"),
        pytest.param(
            {"state": "starting", "last_step_at": None, "started_at": ago(301)}, (False, False, True), id="the first step hangs"
        ),
        pytest.param({"state": "stopping"}, (True, False, True), id="the flush at the end"),
        pytest.param({"state": "stopping", "last_step_at": ago(301)}, (False, False, True), id="the flush at the end hangs"),
        pytest.param({"state": "stopped", "last_step_at": ago(9999)}, (True, False, True), id="stopped in order"),
        pytest.param({"state": "failed", "error": "AccessError: no"}, (False, False, False), id="failed"),
    ],
)
def test_a_task(changes: dict[str, Any], answers: tuple[bool, bool, bool]) -> None:
    """Each state of a task has its own answers, and a store that is down makes no task unlive."""
    status = runner_status(task_status(partition_status(), **changes))
    assert answers == (bool(live(status, LIMIT_S)), bool(ready(status)), bool(healthy(status)))


def test_one_task_among_several() -> None:
    """One bad task is enough for a no, whichever it is, and only that task is named."""
    bad = task_status(name="task-1", state="failed", error="AccessError: no")
    status = runner_status(task_status(name="task-0"), bad, task_status(name="task-2"), error=bad.error)
    for verdict in (live(status, LIMIT_S), ready(status), healthy(status)):
        assert ("task-1 has failed: AccessError: no",) == verdict.problems


def test_no_task_yet() -> None:
    """A runner whose tasks are not made yet is live, but not ready."""
    status = runner_status()
    assert (True, False, True) == (bool(live(status, LIMIT_S)), bool(ready(status)), bool(healthy(status)))


def test_a_task_that_could_not_be_made() -> None:
    """An error before there is a task is a no to each question."""
    status = runner_status(error="ConfigurationError: no such class")
    for verdict in (live(status, LIMIT_S), ready(status), healthy(status)):
        assert ("The sink has failed: ConfigurationError: no such class",) == verdict.problems


@pytest.mark.parametrize(
    ("promised_s", "lag_s", "is_healthy"),
    [(3600.0, 7200.0, True), (3600.0, 7201.0, False), (None, 1e9, True), (3600.0, None, True)],
)
def test_freshness(promised_s: float | None, lag_s: float | None, is_healthy: bool) -> None:
    """A sink is healthy while no record is older than twice what the settings promise, if they promise anything.

    A lag that is not known yet doesn't count.
    """
    late = partition_status("orders", 7, durable_lag_records=1, durable_lag_s=lag_s)
    status = runner_status(task_status(partition_status(), late, expected_freshness_s=promised_s))
    assert is_healthy == bool(healthy(status))
    assert live(status, LIMIT_S)
    assert ready(status)


def test_a_late_partition_is_named() -> None:
    """The problem names the topic-partition, the age and the limit."""
    late = partition_status("orders", 7, durable_lag_records=1, durable_lag_s=9012.4)
    assert (
        "orders-7: the oldest record that is not durable is 9,012 s old; the limit is 7,200 s, twice what the rotation "
        "settings promise.",
    ) == healthy(runner_status(task_status(partition_status(), late))).problems


def test_each_task_has_its_own_promise() -> None:
    """A task without a promise doesn't hide the late records of a task that has one."""
    late = partition_status(durable_lag_records=1, durable_lag_s=9012.0)
    promising = task_status(late, name="task-0")
    status = runner_status(promising, attrs.evolve(promising, name="task-1", expected_freshness_s=None))
    assert 1 == len(healthy(status).problems)
