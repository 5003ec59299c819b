"""FollowerApp: what is answered about followers of tables."""

from __future__ import annotations

import json
from typing import Any

import attrs
import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from kafka2parquet.http import FollowerApp, Response, StatusServer
from kafka2parquet.status import TableStatus
from kafka2parquet.util.secrets import Secrets
from tests.support.statuses import ago, table_partition, table_status

GOOD = table_status(table_partition())
QUESTIONS = ("live", "ready", "healthy")
TABLE = GOOD.table


def app(*statuses: TableStatus) -> FollowerApp:
    return FollowerApp(*(lambda status=status: status for status in statuses))


def found(response: Response) -> tuple[int, Any]:
    return response.status, json.loads(response.body)


def verdicts(status: TableStatus) -> dict[str, list[str]]:
    """Returns the problems of each question, whose code has to agree with them."""
    answers = {question: found(app(status).respond("GET", f"/{question}")) for question in QUESTIONS}
    for question, (code, document) in answers.items():
        assert (code == 200) is document[question] is (not document["problems"])
    return {question: document["problems"] for question, (_, document) in answers.items()}


def test_in_good_order() -> None:
    """A follower that completes its rounds is live, ready and healthy."""
    assert {"live": [], "ready": [], "healthy": []} == verdicts(GOOD)


def test_before_the_first_round() -> None:
    """A new follower is live and healthy, and not ready until it has read the table's positions."""
    new = table_status(state="starting", started_at=ago(5), last_step_at=None, last_round_at=None, up=None)
    waits = f"The positions of {TABLE} have not been read yet"
    assert {"live": [], "ready": [f"{waits}."], "healthy": []} == verdicts(new)
    down = attrs.evolve(new, last_step_at=ago(1), up=False, error="The catalogue is down.")
    assert [f"{waits}: The catalogue is down."] == verdicts(down)["ready"]


def test_an_outage() -> None:
    """An outage changes nothing at first; a follower that completes no round in two pauses and five minutes isn't healthy."""
    down = attrs.evolve(GOOD, up=False, error="It is down.", last_step_at=ago(1), last_round_at=ago(900))
    assert {"live": [], "ready": [], "healthy": []} == verdicts(down)
    late = attrs.evolve(down, last_round_at=ago(901))
    problem = f"{TABLE} has completed no round for 901 s; the limit is 900 s: It is down."
    assert {"live": [], "ready": [], "healthy": [problem]} == verdicts(late)
    assert [] == verdicts(attrs.evolve(late, started_at=ago(10)))["healthy"], "the loop has just begun"


def test_a_partition_that_stands_still() -> None:
    """A follower with a topic-partition that stands still is not healthy; a restart would not help."""
    still = table_status(table_partition(), table_partition(4, problem="gap: [50, 60) is in no file"))
    problem = f"{TABLE} takes no more of events-4: gap: [50, 60) is in no file"
    assert {"live": [], "ready": [], "healthy": [problem]} == verdicts(still)


def test_a_follower_that_has_failed() -> None:
    """After an error that waiting doesn't cure, each answer is no."""
    failed = attrs.evolve(GOOD, state="failed", up=False, error="AccessError: no")
    problem = f"{TABLE} has failed: AccessError: no"
    assert {question: [problem] for question in QUESTIONS} == verdicts(failed)


def test_a_follower_that_was_stopped() -> None:
    """A follower that was stopped is live, and not ready; time is not judged."""
    stopped = attrs.evolve(GOOD, state="stopped", last_step_at=ago(10_000), last_round_at=ago(10_000), started_at=ago(20_000))
    assert {"live": [], "ready": [f"The follower of {TABLE} is stopped."], "healthy": []} == verdicts(stopped)


def test_a_follower_that_hangs() -> None:
    """A follower is live for as long as its pause and the limit; the limit is a parameter."""
    hung = attrs.evolve(GOOD, last_step_at=ago(2101))
    assert [f"{TABLE} has not ended a step for 2,101 s; the limit is 2,100 s."] == verdicts(hung)["live"]
    assert [] == verdicts(attrs.evolve(GOOD, last_step_at=ago(2100)))["live"]
    assert 503 == FollowerApp(lambda: hung, live_limit_s=1800).respond("GET", "/live").status
    assert 200 == FollowerApp(lambda: hung, live_limit_s=1801).respond("GET", "/live").status


def test_rounds_that_the_application_starts() -> None:
    """Without a loop, time is not judged: only the application knows when the next round is due."""
    alone = attrs.evolve(GOOD, interval_s=None, last_step_at=ago(90_000), last_round_at=ago(90_000), started_at=ago(99_000))
    assert {"live": [], "ready": [], "healthy": []} == verdicts(alone)


def test_several_followers() -> None:
    """An answer is yes if it is for each follower, and the status shows all of them."""
    other = attrs.evolve(GOOD, table="Glue table raw.events", state="failed", error="AccessError: no")
    both = app(GOOD, other)
    assert 503 == both.respond("GET", "/live").status
    code, document = found(both.respond("GET", "/status"))
    assert (200, 1, [TABLE, "Glue table raw.events"]) == (
        code,
        document["version"],
        [each["table"] for each in document["tables"]],
    )


def test_the_status() -> None:
    """Each table is shown with times as texts, and each topic-partition with its topic and number."""
    (table,) = found(app(GOOD).respond("GET", "/status"))[1]["tables"]
    assert ("2026-05-17T10:00:00.000Z", "2026-05-17T09:59:00.000Z") == (table["at"], table["last_round_at"])
    partition = {"topic": "events", "partition": 0, "position": 100, "committed": 100, "lag_offsets": 0, "problem": ""}
    assert [partition] == table["partitions"]


def test_the_metrics() -> None:
    """The metrics are those of the followers, or what the given registry has."""
    families = text_string_to_metric_families(app(GOOD).respond("GET", "/metrics").body.decode())
    samples = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    assert ({"table": TABLE, "topic": "events"}, 1.0) == samples["kafka2parquet_table_up"]
    registry = CollectorRegistry()
    Gauge("answers", "Answers.", registry=registry).set(42)
    response = FollowerApp(registry=registry).respond("GET", "/metrics")
    (family,) = text_string_to_metric_families(response.body.decode())
    assert "answers" == family.name


@pytest.mark.parametrize("path", ["/", "/connectors", "/health", "/nothing"])
def test_other_paths(path: str) -> None:
    """Kafka Connect's paths don't exist: a follower is not a connector."""
    assert 404 == app(GOOD).respond("GET", path).status


def test_other_methods() -> None:
    """Nothing can be changed."""
    assert 405 == app(GOOD).respond("POST", "/status").status


def test_secrets_are_hidden() -> None:
    """No answer shows credentials in a URL, nor a secret of the configuration that an error quotes."""
    failed = attrs.evolve(GOOD, state="failed", error="403 for AKIA-tops3cret at https://me:hunter22@catalogue/")
    hide = Secrets({"AKIA-tops3cret": "[hidden]"}).hide
    text = FollowerApp(lambda: failed, hide=hide).respond("GET", "/live").body.decode()
    assert "403 for [hidden] at https://[hidden]@catalogue/" in text
    assert "hunter22" not in app(failed).respond("GET", "/status").body.decode()


def test_the_server() -> None:
    """The server of sinks serves followers, too."""
    with StatusServer(app(GOOD), "127.0.0.1:0") as server, httpx.Client(trust_env=False) as client:
        assert {"ready": True, "problems": []} == client.get(f"{server.url}/ready").json()
