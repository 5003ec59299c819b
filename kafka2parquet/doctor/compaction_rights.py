"""The least rights that `kafka2parquet compact` needs: to merge, to move the partitions of a table, and to delete originals."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.policies import (
    acl_command,
    bucket_of,
    gcs_role,
    in_bucket,
    key_use,
    listing,
    objects,
    policy,
    publishing,
    quoted_topics,
    store_of,
)
from kafka2parquet.merged.reading import merged_naming

MERGE, SWITCH, DELETE = "compact", "compact --switch", "compact --delete-originals"
_PARTITIONS = ["glue:GetTable", "glue:GetPartition", "glue:BatchGetPartition", "glue:UpdatePartition"]


def paragraphs(facts: Facts) -> Iterator[str]:
    """Yield the rights as text with commands to paste."""
    acls = "\n".join(kafka_acls(facts))
    yield f"Kafka ACLs of `{MERGE}`, and of `{DELETE}`, if they don't run as the sink's user:\n{acls}"
    merged = _merged(facts)
    store = store_of(facts)
    if store == "s3":
        yield f"IAM policy of `{MERGE}` (--into puts the merged files elsewhere than {merged}):\n{_text(merge_policy(facts))}"
        yield f"IAM policy of `{SWITCH} glue:<database>.<table>`, in addition, also when deleting:\n{_text(switch_policy())}"
        yield f"IAM policy of `{DELETE}`:\n{_text(delete_policy(facts))}"
    elif store == "gcs":
        yield f"GCS role of `{MERGE}`:\n" + "\n".join(merge_commands(facts))
        yield f"GCS roles of `{DELETE}`:\n" + "\n".join(delete_commands(facts))
    else:
        yield (
            f"In {facts.storage.url}, the user of `{MERGE}` has to be able to read {facts.naming.base} and to write {merged}."
            f" The user of `{DELETE}` has to be able to read both and to write {facts.naming.base}."
        )


def as_json(facts: Facts) -> dict[str, Any]:
    """Return the rights as values that `json.dumps` takes, by command."""
    acls = {"kafka_acls": list(kafka_acls(facts))}
    store = store_of(facts)
    if store == "s3":
        return {
            MERGE: {**acls, "iam_policy": merge_policy(facts)},
            SWITCH: {"iam_policy": switch_policy()},
            DELETE: {**acls, "iam_policy": delete_policy(facts)},
        }
    if store == "gcs":
        return {MERGE: {**acls, "gcs": list(merge_commands(facts))}, DELETE: {**acls, "gcs": list(delete_commands(facts))}}
    return {MERGE: acls, DELETE: acls}


def kafka_acls(facts: Facts) -> Iterator[str]:
    """Yield the commands that grant the rights to see the log's offsets and the group's. No record is read."""
    command = acl_command(facts)
    yield from (f"{command} --operation Describe --topic {topic}" for topic in quoted_topics(facts))
    yield f"{command} --operation Describe --group {shlex.quote(facts.group_id)}"


def merge_policy(facts: Facts) -> dict[str, Any]:
    """Return the IAM policy that merging needs on S3: to read the sink's files, and to write merged files."""
    base, merged = facts.naming.base, _merged(facts)
    return policy(
        objects(facts, "ReadOriginals", ["s3:GetObject"], f"{base}*"),
        objects(facts, "WriteAndReadMergedFiles", publishing(facts), f"{merged}*"),
        listing(facts, base, merged),
        *key_use(facts, "kms:GenerateDataKey", "kms:Decrypt"),
    )


def switch_policy() -> dict[str, Any]:
    """Return the IAM policy that moving partitions needs in Glue."""
    place = "arn:aws:glue:<region>:<account>"
    resources = [f"{place}:catalog", f"{place}:database/<database>", f"{place}:table/<database>/<table>"]
    return policy({"Sid": "MovePartitions", "Effect": "Allow", "Action": _PARTITIONS, "Resource": resources})


def delete_policy(facts: Facts) -> dict[str, Any]:
    """Return the IAM policy that deleting originals needs on S3: to read everything, and to delete only originals."""
    base, merged = facts.naming.base, _merged(facts)
    return policy(
        objects(facts, "ReadFiles", ["s3:GetObject"], f"{base}*", f"{merged}*"),
        listing(facts, base, merged),
        objects(facts, "DeleteOriginals", ["s3:DeleteObject"], *(f"{prefix}*" for prefix in _originals(facts))),
        *key_use(facts, "kms:Decrypt"),
    )


def merge_commands(facts: Facts) -> Iterator[str]:
    """Yield the commands that make the role for merging on GCS."""
    permissions = ("storage.objects.create", "storage.objects.get", "storage.objects.list")
    yield from gcs_role(facts, "kafka2parquetCompact", "kafka2parquet compact", permissions)


def delete_commands(facts: Facts) -> Iterator[str]:
    """Yield the commands that make the roles for deleting originals on GCS. The right to delete counts for originals only."""
    permissions = ("storage.objects.get", "storage.objects.list")
    yield from gcs_role(facts, "kafka2parquetRead", "kafka2parquet reads files", permissions)
    place = f"projects/_/buckets/{bucket_of(facts)}/objects/"
    condition = " || ".join(f'resource.name.startsWith("{place}{in_bucket(facts, each)}")' for each in _originals(facts))
    title = "kafka2parquet deletes originals"
    yield from gcs_role(facts, "kafka2parquetDeleteOriginals", title, ["storage.objects.delete"], condition)
    yield "# Conditions need uniform bucket-level access."


def _merged(facts: Facts) -> str:
    return merged_naming(facts.naming).base


def _originals(facts: Facts) -> list[str]:
    """Return the prefixes of the topics' folders; for a pattern of topics, the prefix of all files."""
    return [facts.naming.prefix(name) for name in facts.topic_names] or [facts.naming.base]


def _text(found: dict[str, Any]) -> str:
    """Return a policy as JSON with a line for each statement, because there are several policies."""
    statements = ",\n".join(f"  {json.dumps(statement)}" for statement in found["Statement"])
    return f'{{"Version": "{found["Version"]}", "Statement": [\n{statements}\n]}}'
