"""Findings as lines and as JSON."""

from __future__ import annotations

from kafka2parquet.doctor.broker.listener import LOGIN, TCP
from kafka2parquet.doctor.broker.topics import RETENTION, TASKS, TOPICS
from kafka2parquet.doctor.report import as_json, lines, verdict
from kafka2parquet.doctor.staging import DISK

REFUSED = TCP.found("refused", "broker:9092", server="broker:9092", host="broker", port=9092)


def test_groups_have_headings() -> None:
    """Each group begins with its heading, and groups are separated by an empty line."""
    printed = "\n".join(lines([TCP.ok("broker:9092"), DISK.ok(text="ext4")]))
    assert (
        "Kafka: connection\n-----------------\n√ TCP connection (broker:9092)\n\nStaging\n-------\n√ Kind of disk - ext4"
        == printed
    )


def test_a_failure_has_cause_cure_and_page() -> None:
    """The cause is below the line, then the cure with the lines to paste, then where to read more."""
    assert [
        "× TCP connection (broker:9092)",
        "    Nothing listens at broker:9092: the connection was refused.",
        "    Correct the port in bootstrap.servers, or start the server. To see whether the port is open:",
        "        nc -vz broker 9092",
        "    See docs/doctor.md#kafka-tcp",
    ] == list(lines([REFUSED]))[1:]


def test_skipped_checks_of_one_reason_share_a_line() -> None:
    """Checks of a group that were skipped for one reason don't hide the failure among them."""
    why = "Login failed"
    printed = list(lines([TOPICS.skipped(why), TASKS.skipped(why), RETENTION.skipped(why), LOGIN.skipped("other")]))
    assert "- Not checked, because Login failed: Topic, Tasks, Retention" == printed[1]
    assert "- Not checked, because other: Login" == printed[-1]


def test_long_causes_are_wrapped_and_lines_to_paste_are_not() -> None:
    """A command stays on one line."""
    values = {"topic": "t" * 60, "bootstrap": "b" * 90, "retention": "1 hour", "open": "2 hours", "wanted_ms": "1"}
    printed = list(lines([RETENTION.found("shorter-than-flush", **values)]))
    texts = [line for line in printed[1:] if not line.startswith("        ")]
    assert max(map(len, texts)) <= 104
    assert [line for line in printed if line.startswith("        kafka-configs")] == [printed[-2]]
    assert len(printed[-2]) > 200


def test_verdict() -> None:
    """One sentence counts the findings; only a failure means that the sink is not ready."""
    assert "READY: 1 fine." == verdict([TCP.ok()])
    warning = TASKS.found("idle-tasks", tasks=2, partitions=1)
    assert "READY: 1 fine, 2 warnings." == verdict([TCP.ok(), warning, warning])
    assert "NOT READY: 0 fine, 1 failed, 1 not checked." == verdict([REFUSED, LOGIN.skipped("x")])


def test_json() -> None:
    """Programs get ids, texts and the lines to paste."""
    found = as_json("sink", [REFUSED], {"kafka_acls": []})
    assert (1, "sink", False, {"kafka_acls": []}) == (found["version"], found["name"], found["ready"], found["rights"])
    assert [
        {
            "check": "kafka-tcp",
            "group": "Kafka: connection",
            "title": "TCP connection",
            "subject": "broker:9092",
            "level": "failed",
            "cause": "refused",
            "text": "Nothing listens at broker:9092: the connection was refused.",
            "cure": "Correct the port in bootstrap.servers, or start the server. To see whether the port is open:",
            "paste": ["nc -vz broker 9092"],
            "page": "docs/doctor.md#kafka-tcp",
        }
    ] == found["findings"]
