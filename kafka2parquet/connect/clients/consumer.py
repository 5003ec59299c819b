"""Translates the settings of the Java consumer to kafka-python's."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kafka2parquet.connect.clients.translation import (
    INTERCEPTORS,
    NO_PREFIXED,
    ClientSettings,
    ClientTable,
    PrefixedSettings,
    Translation,
)
from kafka2parquet.connect.properties.option import ValueType
from kafka2parquet.problems import Problem

_JAVA_ASSIGNORS = "org.apache.kafka.clients.consumer."
_ASSIGNORS = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": "sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}

CONSUMER_TABLE = ClientTable(
    client="Consumer",
    in_python="Build the KafkaPythonConsumer in Python, with client_settings",
    own_same_name={
        "client.rack": ValueType.STRING,
        "exclude.internal.topics": ValueType.BOOLEAN,
        "fetch.max.bytes": ValueType.INT,
        "fetch.max.wait.ms": ValueType.INT,
        "fetch.min.bytes": ValueType.INT,
        "heartbeat.interval.ms": ValueType.INT,
        "max.partition.fetch.bytes": ValueType.INT,
        "max.poll.interval.ms": ValueType.INT,
        "session.timeout.ms": ValueType.INT,
    },
    own_without_effect={
        "allow.auto.create.topics": "topics are never created",
        "auto.commit.interval.ms": "offsets are committed when their rows are durable",
        "check.crcs": "checksums are always verified",
        "enable.auto.commit": "offsets are committed when their rows are durable",
        "isolation.level": "only committed records are ever read",
        "key.deserializer": "the converter reads keys",
        "max.poll.records": "whole batches are read; `kafka2parquet.memory.bytes` bounds them",
        "value.deserializer": "the converter reads values",
    },
    own_unsupported={
        "group.protocol": "kafka-python only supports the classic protocol, not KIP-848: remove it",
        "group.remote.assignor": "kafka-python only supports the classic protocol: remove it",
        "interceptor.classes": INTERCEPTORS,
    },
    own_special=("group.id", "group.instance.id", "partition.assignment.strategy"),
    own_choices={"auto.offset.reset": ("earliest", "latest")},
)


@attrs.frozen(kw_only=True)
class ConsumerSettings(ClientSettings):
    """The settings that a consumer is made with.

    Attributes:
        group_id: consumer group; "" if none is set.
        group_instance_id: static member id; None for a dynamic member.
        first_start: where a partition without a committed offset begins, `earliest` or `latest`.
    """

    group_id: str
    group_instance_id: str | None
    first_start: str


def consumer_settings(given: Mapping[str, str], prefixed: PrefixedSettings = NO_PREFIXED) -> ConsumerSettings:
    """Translate settings with the names of the Java consumer.

    Args:
        given: settings without a prefix.
        prefixed: settings that take precedence over `given`; problems and notes name them with their prefixes.

    Raises:
        ConfigurationError: settings are wrong; all problems, without passwords.
    """
    translation = Translation(CONSUMER_TABLE, given, prefixed)
    _translate_assignors(translation)
    settings = translation.given
    client = translation.finish()
    return ConsumerSettings(
        client.bootstrap_servers,
        client.client_settings,
        client.notes,
        client.files,
        group_id=settings.get("group.id", ""),
        group_instance_id=settings.get("group.instance.id") or None,
        first_start=settings.get("auto.offset.reset", "earliest"),
    )


def _translate_assignors(translation: Translation) -> None:
    name = "partition.assignment.strategy"
    written = translation.written(name)
    assignors = [each.strip() for each in translation.given.get(name, "").split(",") if each.strip()]
    known = {f"{_JAVA_ASSIGNORS}{java_name}": assignor for java_name, assignor in _ASSIGNORS.items()}
    rule = f"Class must be one of: {', '.join(known)}"
    for assignor in assignors:
        if assignor not in known:
            translation.invalid(name, assignor, rule)
    if f"{_JAVA_ASSIGNORS}CooperativeStickyAssignor" in assignors and len(set(assignors)) > 1:
        message = (
            f"Consumer setting {written} has CooperativeStickyAssignor beside others, which kafka-python can't offer together"
        )
        advice = (
            "Name CooperativeStickyAssignor alone, or leave it out. All members of the group have to offer a common assignor."
        )
        translation.problems.append(Problem(written, message, advice))
    if assignors:
        translation.settings["partition_assignment_strategy"] = [known.get(assignor, assignor) for assignor in assignors]
