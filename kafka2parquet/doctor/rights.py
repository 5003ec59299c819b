"""The least rights that a configuration needs: Kafka's ACLs, an IAM policy for S3, a role for GCS."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import read_connect_config
from kafka2parquet.connect.parts.records import make_tags
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.doctor import compaction_rights
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.policies import (
    acl_command,
    gcs_role,
    key_use,
    listing,
    objects,
    policy,
    publishing,
    quoted_topics,
    store_of,
)
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem

#: The properties that decide which rights a sink needs.
_DECIDED_BY = (
    "connector.class",
    "consumer.override.group.id",
    "errors.deadletterqueue.topic.name",
    "gcs.bucket.name",
    "kafka2parquet.storage.url",
    "name",
    "s3.acl.canned",
    "s3.bucket.name",
    "s3.object.tagging",
    "s3.sse.kms.key.id",
    "topics",
    "topics.dir",
    "topics.regex",
)


def read_leniently(path: str, worker: WorkerConfig, *, name: str | None = None) -> tuple[ConnectConfig, tuple[Problem, ...]]:
    """Read a configuration, and return it with the problems that the rights don't depend on. Nothing is connected.

    Variables that can't be looked up here stay in the rights.

    Args:
        path: path of the connector's configuration; `-` is standard input.
        worker: the worker, with the providers of variables.
        name: name of the connector; required if the file has several connectors or doesn't name its connector.

    Raises:
        ConfigurationError: the rights depend on a property that is wrong; all problems.
    """
    validation = read_connect_config(path, worker.providers, name=name, missing_allowed=True)
    if any(not problem.properties or set(problem.properties) & set(_DECIDED_BY) for problem in validation.fatal):
        raise ConfigurationError(validation.fatal)
    return validation.config, validation.fatal


def text(facts: Facts) -> str:
    """Return the least rights as text with commands to paste. Nothing is connected."""
    paragraphs = [
        "Kafka ACLs:\n" + "\n".join(kafka_acls(facts)),
        "Kafka ACLs without which the sink works, but neither its status nor the doctor knows the retention:\n"
        + "\n".join(optional_acls(facts)),
    ]
    store = store_of(facts)
    if store == "s3":
        paragraphs.append("IAM policy:\n" + json.dumps(iam_policy(facts), indent=2))
    elif store == "gcs":
        paragraphs.append("GCS role:\n" + "\n".join(gcs_commands(facts)))
    else:
        paragraphs.append(f"The user of the process has to be able to read, write and search {facts.storage.url}.")
    return "\n\n".join([*paragraphs, *compaction_rights.paragraphs(facts)])


def as_json(facts: Facts) -> dict[str, Any]:
    """Return the least rights as values that `json.dumps` takes; the store's are left out if it is neither S3 nor GCS."""
    store = store_of(facts)
    found: dict[str, Any] = {"kafka_acls": list(kafka_acls(facts)), "optional_kafka_acls": list(optional_acls(facts))}
    if store == "s3":
        found["iam_policy"] = iam_policy(facts)
    if store == "gcs":
        found["gcs"] = list(gcs_commands(facts))
    found["compaction"] = compaction_rights.as_json(facts)
    return found


def kafka_acls(facts: Facts) -> Iterator[str]:
    """Yield the commands that grant the rights on topics and group. READ includes DESCRIBE."""
    command = acl_command(facts)
    yield from (f"{command} --operation Read --topic {topic}" for topic in quoted_topics(facts))
    yield f"{command} --operation Read --group {shlex.quote(facts.group_id)}"
    if facts.dead_letters is not None:
        topic = shlex.quote(facts.dead_letters.topic)
        yield f"{command} --operation Write --operation Describe --operation Create --topic {topic}"


def optional_acls(facts: Facts) -> Iterator[str]:
    """Yield the commands that grant the rights to read settings: the topics' for the status, the brokers' for the doctor."""
    command = acl_command(facts)
    yield from (f"{command} --operation DescribeConfigs --topic {topic}" for topic in quoted_topics(facts))
    yield f"{command} --operation DescribeConfigs --cluster"


def iam_policy(facts: Facts) -> dict[str, Any]:
    """Return the IAM policy that the sink needs on S3."""
    tagging = ["s3:PutObjectTagging"] if make_tags(facts.config) is not None else []
    return policy(
        objects(facts, "WriteAndReadFiles", [*publishing(facts), *tagging], f"{facts.naming.base}*"),
        listing(facts, facts.naming.base),
        objects(facts, "DeleteOnlyTheProbe", ["s3:DeleteObject"], f"{facts.naming.own_prefix()}probe-*"),
        *key_use(facts, "kms:GenerateDataKey", "kms:Decrypt"),
    )


def gcs_commands(facts: Facts) -> Iterator[str]:
    """Yield the commands that make a role for GCS and grant it on the bucket."""
    permissions = ("storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.objects.delete")
    yield from gcs_role(facts, "kafka2parquetSink", "kafka2parquet sink", permissions)
    yield "# storage.objects.delete is only for the probe object of each start; without it, probes stay behind."
