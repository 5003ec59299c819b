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
        "    See kafka-tcp on the page Doctor of the documentation",
    ] == list(lines([REFUSED]))[1:]


def test_skipped_checks_of_one_reason_share_a_line() -> None:
    """Checks of a group that were skipped for one reason don't hide the failure among them."""
    why = "Login failed"
    printed = list(lines([TOPICS.skipped(why), TASKS.skipped(why), RETENTION.skipped(why), LOGIN.skipped("other")]))
    assert "- Not checked, because Login failed: Topic, Tasks, Retention" == printed[1]
    assert "- Not checked, because other: Login" == printed[-1]


def test_many_subjects_that_passed_share_a_line() -> None:
    """Hundreds of topics don't hide the one that fails; a few have a line each."""
    few = [TOPICS.ok(f"topic-{number}", "1 partition") for number in range(4)]
    assert [f"√ Topic (topic-{number}) - 1 partition" for number in range(4)] == list(lines(few))[1:]
    many = [TOPICS.ok(f"topic-{number}", "1 partition") for number in range(1500)]
    broken = TOPICS.found("missing", "gone", topic="gone", bootstrap="broker:9092")
    printed = list(lines([*many, broken, TOPICS.ok("last")]))
    assert "√ Topic (topic-0, topic-1, topic-2 and 1,497 more)" == printed[1]
    assert ["× Topic (gone)", "√ Topic (last)"] == [printed[2], printed[-1]]


def test_many_subjects_with_one_cause_are_counted() -> None:
    """The first ones have cause and cure, and the others a line; another cause is shown in full again."""
    values = {"bootstrap": "broker:9092", "retention": "1 hour", "open": "2 hours", "wanted_ms": "1"}
    short = [RETENTION.found("short", f"topic-{number}", topic=f"topic-{number}", **values) for number in range(300)]
    other = RETENTION.found("by-size", "topic-0", topic="topic-0", size="1 GiB")
    titles = [line for line in lines([*short, other]) if line.startswith("‼")]
    assert [
        "‼ Retention (topic-0)",
        "‼ Retention (topic-1)",
        "‼ Retention (topic-2)",
        "‼ Retention (297 more with the same cause; --json lists them)",
        "‼ Retention (topic-0)",
    ] == titles


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
