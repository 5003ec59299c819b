"""Pieces of ACLs, IAM policies and roles that the rights of several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from kafka2parquet.connect.properties.names import TOPICS_REGEX
from kafka2parquet.doctor.facts import Facts

Statement = dict[str, Any]


def acl_command(facts: Facts) -> str:
    """Return the beginning of a command that grants this client a right in Kafka."""
    return f"kafka-acls --bootstrap-server {facts.bootstrap} --add --allow-principal {shlex.quote(facts.principal)}"


def quoted_topics(facts: Facts) -> list[str]:
    """Return the topics for a shell; a placeholder for those of a pattern that were not looked up."""
    return [shlex.quote(name) for name in facts.topic_names] or [
        f"'<each topic that matches {facts.config.text(TOPICS_REGEX)}>'"
    ]


def store_of(facts: Facts) -> str:
    """Return `s3`, `gcs`, or "" for another kind of store."""
    scheme = urlsplit(facts.storage.url).scheme
    return {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}.get(scheme, "")


def bucket_of(facts: Facts) -> str:
    """Return the name of the bucket."""
    return urlsplit(facts.storage.url).netloc


def in_bucket(facts: Facts, key: str) -> str:
    """Return the name of an object in the bucket, which may have the sink's files below a root."""
    return f"{urlsplit(facts.storage.url).path.strip('/')}/{key}".lstrip("/")


def policy(*statements: Statement) -> dict[str, Any]:
    """Return an IAM policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def objects(facts: Facts, sid: str, actions: Sequence[str], *keys: str) -> Statement:
    """Return the statement that allows actions on objects. A key may end with a star."""
    resources = [f"arn:aws:s3:::{bucket_of(facts)}/{in_bucket(facts, key)}" for key in keys]
    return {"Sid": sid, "Effect": "Allow", "Action": _one_or_all(actions), "Resource": _one_or_all(resources)}


def listing(facts: Facts, *prefixes: str) -> Statement:
    """Return the statement that allows listing what is under prefixes."""
    patterns = [f"{in_bucket(facts, prefix)}*" for prefix in prefixes]
    return {
        "Sid": "FindFiles",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket_of(facts)}",
        "Condition": {"StringLike": {"s3:prefix": _one_or_all(patterns)}},
    }


def key_use(facts: Facts, *actions: str) -> Iterable[Statement]:
    """Yield the statement that allows the use of the key that the files are encrypted with, if the sink names one."""
    key = facts.config.text("s3.sse.kms.key.id") if facts.config.provider == "s3" else ""
    if key:
        resource = key if key.startswith("arn:") else f"arn:aws:kms:*:*:key/{key}"
        yield {"Sid": "UseTheKey", "Effect": "Allow", "Action": _one_or_all(actions), "Resource": resource}


def publishing(facts: Facts) -> list[str]:
    """Return the actions that publishing a file needs on its object."""
    has_acl = facts.config.provider == "s3" and bool(facts.config.text("s3.acl.canned"))
    return ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", *(["s3:PutObjectAcl"] if has_acl else [])]


def gcs_role(facts: Facts, name: str, title: str, permissions: Sequence[str], condition: str = "") -> Iterable[str]:
    """Yield the commands that make a role for GCS and grant it on the bucket.

    Args:
        facts: the configuration.
        name: id of the role.
        title: title of the role.
        permissions: the role's permissions.
        condition: an expression for which objects the grant counts; "" for all.
    """
    yield f"gcloud iam roles create {name} --project=<project> --title='{title}' --permissions={','.join(permissions)}"
    binding = f"gcloud storage buckets add-iam-policy-binding gs://{bucket_of(facts)} --member='serviceAccount:<account>'"
    limit = f" --condition={shlex.quote(f'title={name},expression={condition}')}" if condition else ""
    yield f"{binding} --role='projects/<project>/roles/{name}'{limit}"


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)
