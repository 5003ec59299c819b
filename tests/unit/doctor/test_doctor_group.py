"""What is said about a consumer group, by what a cluster answers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.delivery.commit_metadata import Breadcrumb, Identity
from kafka2parquet.doctor.broker.cluster import READ, Cluster, Committed, Configs, GroupInfo, TopicInfo
from kafka2parquet.doctor.broker.group import compare_broker_settings, look_group_up
from kafka2parquet.doctor.check import Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.records import TopicPartition
from tests.support.sink_properties import json_sink

PARTITION = TopicPartition("events", 0)
ALL_RIGHTS = frozenset({READ})
MEMBER = GroupInfo(0, "Stable", "consumer", "range", ("a (b)",))
OURS = Breadcrumb(Identity("cluster", "", "0" * 12, ""), True, 10, 5).format()


class Answers:
    """A cluster that answers what the test says."""

    cluster_id = "cluster"
    addresses = {1: "broker-1:9092", 2: "broker-2:9092"}  # noqa: RUF012

    def __init__(self, **answers: Any) -> None:
        self.connections = {-1: None, 1: None}
        self._answers: dict[str, Any] = {
            "coordinator": (0, 1),
            "group": GroupInfo(0, rights=ALL_RIGHTS),
            "committed": {},
            "broker_configs": Configs(0),
            **answers,
        }

    def coordinator(self, group: str) -> Any:
        return self._answers["coordinator"]

    def group(self, group: str, coordinator: int) -> Any:
        return self._answers["group"]

    def committed(self, group: str, coordinator: int, topics: Any) -> Any:
        return self._answers["committed"]

    def offsets(self, topics: Any, timestamp: int) -> Any:
        return {PARTITION: (10 if timestamp == -2 else 20, -1)}

    def broker_configs(self, broker: int, keys: Any) -> Any:
        return self._answers["broker_configs"]


def facts(answers: Answers, **changes: str) -> Facts:
    given = {name.replace("_", "."): text for name, text in changes.items()}
    config = load_connect_config(json_sink({"kafka2parquet.storage.url": "/lake", **given}))
    found = Facts.of(config, load_worker_config(bootstrap_servers="broker:9092"))
    found.cluster = cast(Cluster, answers)
    found.topics = (TopicInfo("events", 0, leaders={0: 1}),)
    return found


def causes(answers: Answers, **changes: str) -> list[str]:
    return [f"{each.check.id}/{each.cause}" for each in look_group_up(facts(answers, **changes)) if each.level is not Level.OK]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, []),
        ({"coordinator": (30, -1)}, ["group-right/no-read-right"]),
        ({"coordinator": (15, -1)}, ["group-right/no-coordinator"]),
        ({"coordinator": (0, 2)}, ["group-right/coordinator-not-reachable"]),
        ({"group": GroupInfo(30)}, ["group-right/no-read-right"]),
        ({"group": GroupInfo(15)}, ["group-right/no-coordinator"]),
        ({"group": GroupInfo(0, rights=frozenset({8}))}, ["group-right/no-read-right"]),
        ({"group": GroupInfo(0, rights=None)}, []),
        ({"group": GroupInfo(0, "Stable", "connect")}, ["group-members/not-consumers"]),
        ({"group": GroupInfo(0, "Stable", "consumer", "sticky", ("a (b)",))}, ["group-members/other-assignor"]),
        ({"group": GroupInfo(0, "Stable", "consumer", "range", ("a (b)",))}, ["group-members/unknown-members"]),
        ({"group": MEMBER, "committed": {PARTITION: Committed(15, "")}}, ["group-members/unknown-members"]),
        ({"group": MEMBER, "committed": {PARTITION: Committed(15, OURS)}}, []),
        ({"group": GroupInfo(0, "Empty", "consumer", "")}, []),
    ],
)
def test_group(answers: dict[str, Any], expected: list[str]) -> None:
    """Rights, coordinator and members each have their causes; a broker that doesn't say which rights there are is fine."""
    assert expected == causes(Answers(**answers))


def test_configured_assignors_count() -> None:
    """The sink offers what its settings name."""
    group = GroupInfo(0, "Stable", "consumer", "sticky", ("a (b)",))
    strategy = "org.apache.kafka.clients.consumer.StickyAssignor"
    expected = ["group-members/unknown-members"]
    assert expected == causes(Answers(group=group), consumer_override_partition_assignment_strategy=strategy)


def test_many_members_are_counted() -> None:
    """The first five members are named."""
    group = GroupInfo(0, "Stable", "consumer", "range", tuple(f"m{number}" for number in range(12)))
    (members,) = (each for each in look_group_up(facts(Answers(group=group))) if each.check.id == "group-members")
    assert "has members (m0, m1, m2, m3, m4, 7 more)" in members.text


@pytest.mark.parametrize(
    ("offset", "changes", "expected"),
    [
        (10, {}, []),
        (20, {}, []),
        (9, {}, ["group-offsets/below-log-start"]),
        (9, {"kafka2parquet_on_data_loss": "continue"}, []),
        (21, {}, ["group-offsets/beyond-log-end"]),
    ],
)
def test_committed_offsets(offset: int, changes: dict[str, str], expected: list[str]) -> None:
    """An offset from the start to the end of the log is fine; gaps may be allowed."""
    assert expected == causes(Answers(committed={PARTITION: Committed(offset, "")}), **changes)


def test_damaged_metadata() -> None:
    """Metadata of the sink that can't be read is quoted with what to do."""
    found = look_group_up(facts(Answers(committed={PARTITION: Committed(15, "k2p2 nonsense")})))
    (finding,) = (each for each in found if each.cause == "unknown-metadata")
    assert "'k2p2 nonsense', which is damaged" in finding.text


def settings(values: dict[str, str], **changes: str) -> list[str]:
    found = compare_broker_settings(facts(Answers(broker_configs=Configs(0, values)), **changes))
    return [f"{each.check.id}/{each.cause}" for each in found if each.level is not Level.OK]


@pytest.mark.parametrize(
    ("values", "changes", "expected"),
    [
        ({"offset.metadata.max.bytes": "300"}, {}, []),
        ({"offset.metadata.max.bytes": "299"}, {}, ["offset-metadata-size/too-small"]),
        ({"offsets.retention.minutes": "1440"}, {}, []),
        ({"offsets.retention.minutes": "1439"}, {}, ["offsets-retention/short"]),
        (
            {"offsets.retention.minutes": "2000"},
            {"rotate_schedule_interval_ms": "86400000", "timezone": "UTC"},
            ["offsets-retention/short"],
        ),
        ({"group.min.session.timeout.ms": "6000", "group.max.session.timeout.ms": "45000"}, {}, []),
        (
            {"group.min.session.timeout.ms": "46000", "group.max.session.timeout.ms": "90000"},
            {},
            ["session-timeout/out-of-range"],
        ),
        (
            {"group.min.session.timeout.ms": "6000", "group.max.session.timeout.ms": "90000"},
            {"consumer_override_session_timeout_ms": "3000"},
            ["session-timeout/out-of-range"],
        ),
        ({}, {}, []),
    ],
)
def test_settings_of_a_broker(values: dict[str, str], changes: dict[str, str], expected: list[str]) -> None:
    """Each limit is compared with the sink's own value; limits that the broker doesn't have are left out."""
    assert expected == settings(values, **changes)


def test_settings_that_may_not_be_read() -> None:
    """The right is a warning, because the sink works without it."""
    (finding,) = compare_broker_settings(facts(Answers(broker_configs=Configs(31))))
    assert ("broker-settings", "no-describe-configs-right", Level.WARNING) == (finding.check.id, finding.cause, finding.level)
