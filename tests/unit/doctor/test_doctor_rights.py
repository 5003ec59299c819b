"""The least rights that a configuration needs, as commands and policies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.doctor import rights
from kafka2parquet.doctor.facts import Facts
from tests.support.sink_properties import json_sink

JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="secret-of-alice";'
LOGIN = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", "sasl.jaas.config": JAAS}


def facts(given: dict[str, str], worker: dict[str, str] | None = None) -> Facts:
    return Facts.of(load_connect_config(given), load_worker_config({"bootstrap.servers": "broker:9092", **(worker or {})}))


def s3_sink(**changes: str) -> dict[str, str]:
    given = {name.replace("_", "."): text for name, text in changes.items()}
    return json_sink({"name": "sink", "s3.bucket.name": "lake", "s3.region": "eu-central-1", **given})


def statements(of: Facts) -> dict[str, Any]:
    return {each["Sid"]: each for each in rights.iam_policy(of)["Statement"]}


def test_acls_of_topics_and_group() -> None:
    """Each topic and the group get a command, with the user of the login."""
    commands = list(rights.kafka_acls(facts(s3_sink(topics="orders,returns"), LOGIN)))
    assert [
        f"kafka-acls --bootstrap-server broker:9092 --add --allow-principal User:alice --operation Read --topic {topic}"
        for topic in ("orders", "returns")
    ] == commands[:2]
    assert [
        "kafka-acls --bootstrap-server broker:9092 --add --allow-principal User:alice --operation Read --group connect-sink"
    ] == (commands[2:])


def test_acls_that_are_optional() -> None:
    """The right to read settings is apart from what the sink can't do without."""
    commands = list(rights.optional_acls(facts(s3_sink(topics="orders"), LOGIN)))
    command = "kafka-acls --bootstrap-server broker:9092 --add --allow-principal User:alice --operation DescribeConfigs"
    assert [f"{command} --topic orders", f"{command} --cluster"] == commands


def test_acls_of_a_pattern_and_of_dead_letters() -> None:
    """A pattern has a placeholder for topics, and the topic for rejects has its own rights."""
    sink = s3_sink(errors_tolerance="all", errors_deadletterqueue_topic_name="rejected", topics_regex="orders-.*")
    del sink["topics"]
    commands = list(rights.kafka_acls(facts(sink)))
    assert "<each topic that matches orders-.*>" in commands[0]
    assert commands[-1].endswith("--operation Write --operation Describe --operation Create --topic rejected")


def test_names_are_quoted() -> None:
    """A name of a group with blanks or quotes is one word of the command."""
    (command,) = (each for each in rights.kafka_acls(facts(s3_sink(name="my 'sink'"))) if "--group" in each)
    assert """--group 'connect-my '"'"'sink'"'"''""" in command


def test_iam_policy() -> None:
    """Objects may be written and read, only the sink's prefix may be listed, and only the probe may be deleted."""
    found = statements(facts(s3_sink()))
    assert ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"] == found["WriteAndReadFiles"]["Action"]
    assert "arn:aws:s3:::lake/topics/*" == found["WriteAndReadFiles"]["Resource"]
    assert ("s3:ListBucket", "arn:aws:s3:::lake") == (found["FindFiles"]["Action"], found["FindFiles"]["Resource"])
    assert {"StringLike": {"s3:prefix": "topics/*"}} == found["FindFiles"]["Condition"]
    assert "arn:aws:s3:::lake/topics/_kafka2parquet/probe-*" == found["DeleteOnlyTheProbe"]["Resource"]


def test_iam_policy_with_everything() -> None:
    """Tags, a canned ACL and a key need rights, and a root in the bucket is part of all names."""
    key = "arn:aws:kms:eu-central-1:123456789012:key/abc"
    sink = s3_sink(
        s3_object_tagging="true",
        s3_acl_canned="bucket-owner-full-control",
        s3_ssea_name="aws:kms",
        s3_sse_kms_key_id=key,
        topics_dir="out",
        kafka2parquet_storage_url="s3://lake/raw/",
    )
    found = statements(facts(sink))
    assert ["s3:PutObjectAcl", "s3:PutObjectTagging"] == found["WriteAndReadFiles"]["Action"][3:]
    assert "arn:aws:s3:::lake/raw/out/*" == found["WriteAndReadFiles"]["Resource"]
    assert "arn:aws:s3:::lake/raw/out/_kafka2parquet/probe-*" == found["DeleteOnlyTheProbe"]["Resource"]
    assert (["kms:GenerateDataKey", "kms:Decrypt"], key) == (found["UseTheKey"]["Action"], found["UseTheKey"]["Resource"])


@pytest.mark.parametrize(
    ("url", "title", "name"),
    [("s3://lake", "IAM policy:", "iam_policy"), ("gs://lake", "GCS role:", "gcs"), ("/lake", "The user of the process", None)],
)
def test_text_and_json_by_store(url: str, title: str, name: str | None) -> None:
    """Each kind of store has its own form; a folder needs rights of the operating system."""
    of = facts(s3_sink(kafka2parquet_storage_url=url))
    assert title in rights.text(of)
    found = rights.as_json(of)
    assert {"kafka_acls", "optional_kafka_acls", "compaction", *([name] if name else [])} == set(found)
    assert "secret-of-alice" not in json.dumps(found)


def test_gcs_role() -> None:
    """The role has four rights, and is granted on the bucket."""
    make, grant, _ = rights.gcs_commands(facts(s3_sink(kafka2parquet_storage_url="gs://lake/raw")))
    assert make.endswith("--permissions=storage.objects.create,storage.objects.get,storage.objects.list,storage.objects.delete")
    assert "add-iam-policy-binding gs://lake " in grant
