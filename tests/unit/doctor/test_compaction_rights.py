"""The least rights of `kafka2parquet compact`, as commands and policies."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kafka2parquet.doctor import compaction_rights, rights
from tests.unit.doctor.test_doctor_rights import LOGIN, facts, s3_sink


def statements(policy: dict[str, Any]) -> dict[str, Any]:
    return {each["Sid"]: each for each in policy["Statement"]}


def test_acls() -> None:
    """No record is read and nothing is committed, so the log and the group are only described."""
    commands = list(compaction_rights.kafka_acls(facts(s3_sink(topics="orders,returns"), LOGIN)))
    command = "kafka-acls --bootstrap-server broker:9092 --add --allow-principal User:alice --operation Describe"
    assert [f"{command} --topic orders", f"{command} --topic returns", f"{command} --group connect-sink"] == commands


def test_policy_of_merging() -> None:
    """Originals may be read, merged files written and read, both listed, and nothing deleted."""
    found = statements(compaction_rights.merge_policy(facts(s3_sink())))
    assert ["ReadOriginals", "WriteAndReadMergedFiles", "FindFiles"] == [*found]
    assert ("s3:GetObject", "arn:aws:s3:::lake/topics/*") == (
        found["ReadOriginals"]["Action"],
        found["ReadOriginals"]["Resource"],
    )
    assert ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"] == found["WriteAndReadMergedFiles"]["Action"]
    assert "arn:aws:s3:::lake/topics-merged/*" == found["WriteAndReadMergedFiles"]["Resource"]
    assert {"StringLike": {"s3:prefix": ["topics/*", "topics-merged/*"]}} == found["FindFiles"]["Condition"]


def test_policy_of_deleting() -> None:
    """Only files in the topics' folders may be deleted: neither merged files, nor schemas and rejects."""
    found = statements(compaction_rights.delete_policy(facts(s3_sink(topics="orders,returns"))))
    assert ["ReadFiles", "FindFiles", "DeleteOriginals"] == [*found]
    assert ["arn:aws:s3:::lake/topics/*", "arn:aws:s3:::lake/topics-merged/*"] == found["ReadFiles"]["Resource"]
    assert ("s3:DeleteObject", ["arn:aws:s3:::lake/topics/orders/*", "arn:aws:s3:::lake/topics/returns/*"]) == (
        found["DeleteOriginals"]["Action"],
        found["DeleteOriginals"]["Resource"],
    )


def test_policies_with_everything() -> None:
    """A canned ACL and a key need rights, a root in the bucket is part of all names, and a pattern means all topics."""
    key = "arn:aws:kms:eu-central-1:123456789012:key/abc"
    sink = s3_sink(
        topics_regex="orders-.*",
        s3_acl_canned="bucket-owner-full-control",
        s3_object_tagging="true",
        s3_ssea_name="aws:kms",
        s3_sse_kms_key_id=key,
        topics_dir="out",
        kafka2parquet_storage_url="s3://lake/raw/",
    )
    del sink["topics"]
    of = facts(sink)
    merging, deleting = statements(compaction_rights.merge_policy(of)), statements(compaction_rights.delete_policy(of))
    assert ["s3:PutObjectAcl"] == merging["WriteAndReadMergedFiles"]["Action"][3:]
    assert "arn:aws:s3:::lake/raw/out-merged/*" == merging["WriteAndReadMergedFiles"]["Resource"]
    assert (["kms:GenerateDataKey", "kms:Decrypt"], key) == (merging["UseTheKey"]["Action"], merging["UseTheKey"]["Resource"])
    assert "kms:Decrypt" == deleting["UseTheKey"]["Action"]
    assert "arn:aws:s3:::lake/raw/out/*" == deleting["DeleteOriginals"]["Resource"]


def test_policy_of_switching() -> None:
    """Partitions are read and updated, and neither created nor deleted."""
    (statement,) = compaction_rights.switch_policy()["Statement"]
    assert ["glue:GetTable", "glue:GetPartition", "glue:BatchGetPartition", "glue:UpdatePartition"] == statement["Action"]


def test_gcs_roles() -> None:
    """Merging may not delete, and the right to delete counts for the topics' folders only."""
    of = facts(s3_sink(topics="orders,returns", kafka2parquet_storage_url="gs://lake/raw"))
    make, grant = compaction_rights.merge_commands(of)
    assert make.endswith("--permissions=storage.objects.create,storage.objects.get,storage.objects.list")
    assert "--condition" not in grant
    read, may_read, make, grant, _ = compaction_rights.delete_commands(of)
    assert read.endswith("--permissions=storage.objects.get,storage.objects.list")
    assert "--condition" not in may_read
    assert make.endswith("--permissions=storage.objects.delete")
    assert grant.endswith(
        " --condition='title=kafka2parquetDeleteOriginals,expression="
        'resource.name.startsWith("projects/_/buckets/lake/objects/raw/topics/orders/") || '
        'resource.name.startsWith("projects/_/buckets/lake/objects/raw/topics/returns/")\''
    )


@pytest.mark.parametrize(
    ("url", "title", "names"),
    [
        (
            "s3://lake",
            "IAM policy of `compact --delete-originals`:",
            {"compact", "compact --switch", "compact --delete-originals"},
        ),
        ("gs://lake", "GCS roles of `compact --delete-originals`:", {"compact", "compact --delete-originals"}),
        ("/lake", "the user of `compact` has to be able", {"compact", "compact --delete-originals"}),
    ],
)
def test_text_and_json_by_store(url: str, title: str, names: set[str]) -> None:
    """The rights of each command are printed after the sink's, in the form of the store."""
    of = facts(s3_sink(kafka2parquet_storage_url=url))
    text = rights.text(of)
    assert title in text
    found = rights.as_json(of)["compaction"]
    assert names == set(found)
    printed = [json.loads("{" + part + "]}") for part in re.findall(r"`[^`]*`[^`\n]*:\n\{(.*?)\n\]\}", text, re.DOTALL)]
    assert [each["iam_policy"] for each in found.values() if "iam_policy" in each] == printed
