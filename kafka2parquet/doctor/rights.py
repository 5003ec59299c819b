"""The least rights that a configuration needs: Kafka's ACLs, an IAM policy for S3, a role for GCS."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from kafka2parquet.connect.parts.records import make_tags
from kafka2parquet.connect.properties.names import TOPICS_REGEX
from kafka2parquet.doctor.facts import Facts


def text(facts: Facts) -> str:
    """Return the least rights as text with commands to paste. Nothing is connected."""
    paragraphs = [
        "Kafka ACLs:\n" + "\n".join(kafka_acls(facts)),
        "Kafka ACLs without which the sink works, but neither its status nor the doctor knows the retention:\n"
        + "\n".join(optional_acls(facts)),
    ]
    scheme = urlsplit(facts.storage.url).scheme
    if scheme in ("s3", "s3a"):
        paragraphs.append("IAM policy:\n" + json.dumps(iam_policy(facts), indent=2))
    elif scheme in ("gs", "gcs"):
        paragraphs.append("GCS role:\n" + "\n".join(gcs_commands(facts)))
    else:
        paragraphs.append(f"The user of the process has to be able to read, write and search {facts.storage.url}.")
    return "\n\n".join(paragraphs)


def as_json(facts: Facts) -> dict[str, Any]:
    """Return the least rights as values that `json.dumps` takes; the store's are left out if it is neither S3 nor GCS."""
    scheme = urlsplit(facts.storage.url).scheme
    found: dict[str, Any] = {"kafka_acls": list(kafka_acls(facts)), "optional_kafka_acls": list(optional_acls(facts))}
    if scheme in ("s3", "s3a"):
        found["iam_policy"] = iam_policy(facts)
    if scheme in ("gs", "gcs"):
        found["gcs"] = list(gcs_commands(facts))
    return found


def kafka_acls(facts: Facts) -> Iterator[str]:
    """Yield the commands that grant the rights on topics and group. READ includes DESCRIBE."""
    command = _command(facts)
    yield from (f"{command} --operation Read --topic {topic}" for topic in _topics(facts))
    yield f"{command} --operation Read --group {shlex.quote(facts.group_id)}"
    if facts.dead_letters is not None:
        topic = shlex.quote(facts.dead_letters.topic)
        yield f"{command} --operation Write --operation Describe --operation Create --topic {topic}"


def optional_acls(facts: Facts) -> Iterator[str]:
    """Yield the commands that grant the rights to read settings: the topics' for the status, the brokers' for the doctor."""
    command = _command(facts)
    yield from (f"{command} --operation DescribeConfigs --topic {topic}" for topic in _topics(facts))
    yield f"{command} --operation DescribeConfigs --cluster"


def _command(facts: Facts) -> str:
    return f"kafka-acls --bootstrap-server {facts.bootstrap} --add --allow-principal {shlex.quote(facts.principal)}"


def _topics(facts: Facts) -> list[str]:
    """Return the topics for a shell; a placeholder for those of a pattern that were not looked up."""
    names = facts.named_topics or tuple(topic.name for topic in facts.topics)
    return [shlex.quote(name) for name in names] or [f"'<each topic that matches {facts.config.text(TOPICS_REGEX)}>'"]


def iam_policy(facts: Facts) -> dict[str, Any]:
    """Return the IAM policy that the sink needs on S3."""
    parts = urlsplit(facts.storage.url)
    bucket, root = parts.netloc, parts.path.strip("/")
    prefix = f"{root}/{facts.naming.base}".lstrip("/")
    objects = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
    if make_tags(facts.config) is not None:
        objects.append("s3:PutObjectTagging")
    if facts.config.provider == "s3" and facts.config.text("s3.acl.canned"):
        objects.append("s3:PutObjectAcl")
    own = facts.naming.own_prefix()
    statements: list[dict[str, Any]] = [
        {
            "Sid": "WriteAndReadFiles",
            "Effect": "Allow",
            "Action": objects,
            "Resource": f"arn:aws:s3:::{bucket}/{prefix}*",
        },
        {
            "Sid": "FindFiles",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringLike": {"s3:prefix": f"{prefix}*"}},
        },
        {
            "Sid": "DeleteOnlyTheProbe",
            "Effect": "Allow",
            "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{bucket}/{f'{root}/{own}'.lstrip('/')}probe-*",
        },
    ]
    key = facts.config.text("s3.sse.kms.key.id") if facts.config.provider == "s3" else ""
    if key:
        resource = key if key.startswith("arn:") else f"arn:aws:kms:*:*:key/{key}"
        actions = ["kms:GenerateDataKey", "kms:Decrypt"]
        statements.append({"Sid": "UseTheKey", "Effect": "Allow", "Action": actions, "Resource": resource})
    return {"Version": "2012-10-17", "Statement": statements}


def gcs_commands(facts: Facts) -> Iterator[str]:
    """Yield the commands that make a role for GCS and grant it on the bucket."""
    rights = "storage.objects.create,storage.objects.get,storage.objects.list,storage.objects.delete"
    yield (f"gcloud iam roles create kafka2parquetSink --project=<project> --title='kafka2parquet sink' --permissions={rights}")
    yield (
        f"gcloud storage buckets add-iam-policy-binding gs://{urlsplit(facts.storage.url).netloc}"
        " --member='serviceAccount:<account>' --role='projects/<project>/roles/kafka2parquetSink'"
    )
    yield "# storage.objects.delete is only for the probe object of each start; without it, probes stay behind."
