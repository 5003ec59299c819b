"""The doctor against broken set-ups on real servers: each names its cause and the cure, and nothing else is called broken."""

from __future__ import annotations

import contextlib
import json
import shlex
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.cli.main import main
from kafka2parquet.connect.parts.storage import make_storage
from tests.stack.kafka import Kafka, run_tool
from tests.stack.s3 import S3, s3
from tests.stack.secure_kafka import SecureKafka, secure_kafka
from tests.stack.server import HOST, free_port
from tests.support import broken_sinks as make
from tests.support.broken_sinks import DESCRIBE, HOUR_MS, READ, Broken, Servers, SetUp, dotted
from tests.support.gcs_objects import GcsBucket
from tests.support.http_proxy import HttpProxy
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import LIMIT_S, fill, unique
from tests.support.local_sink import numbered, run_until

pytestmark = pytest.mark.timeout(300)


NO_RULE = ("store-unfinished-uploads/not-supported",)
NO_BROKER_SETTINGS = ("broker-settings/no-describe-configs-right",)
FEW_RIGHTS = ("topic-settings/no-describe-configs-right", *NO_BROKER_SETTINGS)
WARNING = "warning"

SET_UPS = [
    Broken("unknown host", make.at("no-such-host.invalid:9092"), "kafka-tcp/dns", "no-such-host.invalid", "getent hosts"),
    Broken("nothing listens", make.at(f"{HOST}:1"), "kafka-tcp/refused", "refused", "nc -vz 127.0.0.1 1"),
    Broken("one server is gone", make.one_server_is_gone, "kafka-tcp/refused", "refused", "nc -vz", WARNING),
    Broken("a web server", make.web_server, "kafka-protocol/not-kafka", "web server", "bootstrap.servers"),
    Broken("plain to TLS", make.plain_client_at("TLS"), "kafka-protocol/wrong-protocol", "speaks SSL", "security.protocol=SSL"),
    Broken("plain to mutual TLS", make.plain_client_at("MTLS"), "kafka-protocol/wrong-protocol", "speaks SSL", "protocol=SSL"),
    Broken(
        "plain to SASL", make.plain_client_at("SASL"), "kafka-login/wrong-protocol", "SASL_PLAINTEXT", "protocol=SASL_PLAINTEXT"
    ),
    Broken(
        "TLS to plain", make.tls_client_at("INTERNAL"), "kafka-tls/wrong-protocol", "speaks PLAINTEXT", "protocol=PLAINTEXT"
    ),
    Broken(
        "TLS to SASL with TLS", make.tls_client_at("SASL_TLS"), "kafka-login/wrong-protocol", "SASL_SSL", "protocol=SASL_SSL"
    ),
    Broken("another authority", make.other_authority, "kafka-tls/unknown-ca", "not trusted", "ssl.truststore.location="),
    Broken(
        "another host's certificate", make.tls_client_at("OTHER_HOST"), "kafka-tls/host-name", "other names", "subjectAltName"
    ),
    Broken(
        "no client certificate",
        make.tls_client_at("MTLS"),
        "kafka-tls/client-certificate",
        "CERTIFICATE",
        "ssl.keystore.location=",
    ),
    Broken("a file that is missing", make.missing_file, "kafka-tls/bad-file", "none.pem", "PEM"),
    Broken("wrong password", make.wrong_password("SASL", "PLAIN"), "kafka-login/refused-login", "user bob", "sasl.jaas.config"),
    Broken(
        "wrong SCRAM password", make.wrong_password("SASL_TLS", "SCRAM-SHA-512"), "kafka-login/refused-login", "SCRAM", "users"
    ),
    Broken("wrong mechanism", make.wrong_mechanism, "kafka-login/mechanism", "GSSAPI", "SCRAM-SHA-512"),
    Broken(
        "advertised elsewhere",
        make.advertised_elsewhere,
        "kafka-advertised/not-reachable",
        "advertises",
        "advertised.listeners=",
    ),
    Broken("missing topic", make.missing_topic, "topics/missing", "no-such-topic", "kafka-topics --bootstrap-server"),
    Broken(
        "no matching topic",
        make.no_matching_topic,
        "topics/no-match",
        "no-such-topic-.*",
        "topics.regex",
        WARNING,
    ),
    Broken(
        "may not read the topic",
        make.rights(DESCRIBE, READ),
        "topics/no-read-right",
        "topic",
        "--operation Read --topic",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken(
        "may not see the topic",
        make.rights(None, READ),
        "topics/no-read-right",
        "topic",
        "--operation Read --topic",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken(
        "may not read the group",
        make.rights(READ, DESCRIBE),
        "group-right/no-read-right",
        "group",
        "--operation Read --group",
        warnings=FEW_RIGHTS,
    ),
    Broken(
        "may not see the group",
        make.rights(READ, None),
        "group-right/no-read-right",
        "group",
        "--operation Read --group",
        warnings=FEW_RIGHTS,
    ),
    Broken(
        "retention of minutes",
        make.topic_with(retention_ms="600000"),
        "topic-retention/shorter-than-flush",
        "10 minutes",
        "retention.ms=",
    ),
    Broken(
        "retention of two hours",
        make.topic_with(retention_ms="7200000"),
        "topic-retention/short",
        "2 hours",
        "retention.ms=",
        WARNING,
    ),
    Broken(
        "retention by size",
        make.topic_with(retention_bytes="1048576"),
        "topic-retention/by-size",
        "1.0 MiB",
        "retention.bytes",
        WARNING,
    ),
    Broken(
        "nothing closes files",
        make.nothing_closes_files,
        "topic-retention/nothing-closes-files",
        "1 day",
        "rotate.schedule",
        WARNING,
    ),
    Broken(
        "compacted",
        make.topic_with(cleanup_policy="compact"),
        "topic-cleanup-policy/compacted",
        "compact",
        "cleanup.policy",
        WARNING,
    ),
    Broken(
        "huge messages",
        make.topic_with(max_message_bytes="300000000"),
        "topic-message-size/larger-than-batch-limit",
        "300000000",
        "batch.max",
    ),
    Broken(
        "records of later", make.records_of_later, "topic-timestamps/from-the-future", "ahead", "timestamp.after.max", WARNING
    ),
    Broken("idle tasks", make.idle_tasks, "tasks/idle-tasks", "kafka2parquet.tasks is 5", "kafka2parquet.tasks=2", WARNING),
    Broken(
        "records were deleted",
        make.committed_at(2, deleted_before=5),
        "group-offsets/below-log-start",
        "offset 2",
        "on.data.loss=continue",
    ),
    Broken("the log is shorter", make.committed_at(99), "group-offsets/beyond-log-end", "offset 99", "--reset-offsets"),
    Broken(
        "the group of workers", make.group_of_workers, "group-members/not-consumers", "connect", "consumer.override.group.id="
    ),
    Broken(
        "rejects without right",
        make.dead_letters_without_right,
        "dead-letters/no-write-right",
        "may not write",
        "--operation Write",
        warnings=FEW_RIGHTS,
    ),
    Broken("another assignor", make.other_assignor, "group-members/other-assignor", "cooperative-sticky", "group.id"),
    Broken("a group that writes elsewhere", make.group_that_writes_elsewhere, "group-offsets/other-place", "lake", "take.over"),
    Broken("rejects without brokers", make.dead_letters, "dead-letters/too-few-brokers", "3 brokers", "replication.factor=1"),
    Broken(
        "rejects without login",
        make.dead_letters_without_login,
        "dead-letters/not-reachable",
        "speaks SASL_SSL",
        "producer.",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken("store is down", make.store_at(f"http://{HOST}:1"), "store-connection/refused", "refused", "nc -vz"),
    Broken("host of the store", make.store_at("http://no-such-host.invalid"), "store-connection/dns", "no-such-host", "getent"),
    Broken("https to http", make.https_to_http, "store-connection/plain-http", "doesn't speak TLS", "store.url=http://"),
    Broken(
        "unknown key", make.store_with(aws_access_key_id="nobody"), "store-credentials/unknown-key", "key", "aws.access.key.id="
    ),
    Broken(
        "wrong secret",
        make.store_with(aws_secret_access_key="not-the-secret"),
        "store-credentials/wrong-secret",
        "secret",
        "aws.secret.access.key=",
    ),
    Broken(
        "missing bucket",
        make.store_with(s3_bucket_name="no-such-bucket"),
        "store-bucket/missing",
        "no-such-bucket",
        "create-bucket",
    ),
    Broken("may not list", make.without("s3:ListBucket"), "store-list/missing", "s3:ListBucket", "--rights"),
    Broken("may not create", make.without("s3:PutObject"), "store-put/missing", "s3:PutObject", "--rights"),
    Broken("may not read", make.without("s3:GetObject"), "store-get/missing", "s3:GetObject", "--rights"),
    Broken(
        "may not tag",
        make.without("", s3_object_tagging="true"),
        "store-tag/missing",
        "s3:PutObjectTagging",
        "--rights",
    ),
    Broken("may not delete", make.without("s3:DeleteObject"), "store-delete/missing", "s3:DeleteObject", "lifecycle", WARNING),
    Broken(
        "store replaces objects",
        make.store_that_replaces,
        "store-create-only/replaces",
        "replace",
        "at_least_once",
    ),
    Broken("clock is slow", make.clock_of_the_store(20), "store-clock/far-off", "20 minutes behind", "timedatectl"),
    Broken("clock is a little fast", make.clock_of_the_store(-5), "store-clock/off", "5 minutes ahead", "timedatectl", WARNING),
    Broken(
        "no rule",
        make.lifecycle(404, make.NO_RULES),
        "store-unfinished-uploads/no-rule",
        "topics/",
        "put-bucket-lifecycle",
        WARNING,
    ),
    Broken(
        "rule for others",
        make.lifecycle(200, make.RULES % b"logs/"),
        "store-unfinished-uploads/no-rule",
        "topics/",
        "put-bucket",
        WARNING,
    ),
    Broken("two groups", make.two_groups, "store-files/other-group", "two groups", "take.over"),
    Broken("two layouts", make.two_layouts, "store-layout/several", "partition=…", "topics.dir=", WARNING),
    Broken("topic was created again", make.recreated_topic, "store-files/recreated-topic", "created again", "topics.dir="),
    Broken("staging in a file", make.staging_is_a_file, "staging-folder/not-a-folder", "is not a folder", "staging.dir="),
    Broken("staging in memory", make.staging_in("/dev/shm"), "staging-disk/in-memory", "tmpfs", "staging.dir=", WARNING),
    Broken("registry is down", make.registry_at(lambda _: f"http://{HOST}:1"), "registry/refused", "refused", "nc -vz"),
    Broken(
        "registry's path",
        make.registry_at(lambda servers: f"{servers.registry.url}/nowhere"),
        "registry/not-a-registry",
        "nowhere",
        "registry.url=",
    ),
    Broken(
        "https to the registry",
        make.registry_at(lambda servers: servers.registry.url.replace("http:", "https:")),
        "registry/plain-http",
        "TLS",
        "http://",
    ),
    Broken(
        "no subject",
        make.registry_at(lambda servers: servers.registry.url, schema_compatibility="BACKWARD"),
        "registry-subjects/missing",
        "-value",
        "RecordNameStrategy",
        WARNING,
    ),
    Broken("registry refuses", make.registry_that_refuses, "registry/credentials", "401", "basic.auth.user.info"),
]


@pytest.fixture(scope="module")
def kafka() -> Iterator[SecureKafka]:
    with secure_kafka() as broker:
        yield broker


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that advertises a port on which nothing listens at one listener, with odd settings for groups."""
    client = free_port()
    nowhere: Any = types.SimpleNamespace(port=free_port(), address=f"{HOST}:{client}")
    settings = "offset.metadata.max.bytes=100\noffsets.retention.minutes=30\ngroup.max.session.timeout.ms=20000"
    broker = Kafka(tmp_path_factory.mktemp("odd") / "kafka", settings, nowhere, client)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@pytest.fixture(scope="module")
def store() -> Iterator[S3]:
    with s3(users=True) as server:
        yield server


@pytest.fixture
def servers(kafka: SecureKafka, odd: Kafka, store: S3, registry_server: Any, tmp_path: Path) -> Iterator[Servers]:
    with HttpProxy(store.url) as proxy, contextlib.ExitStack() as stack:
        yield Servers(kafka, odd, store, proxy, registry_server, tmp_path, stack)


def doctor(servers: Servers, set_up: SetUp, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Runs the command, and returns its exit code and its JSON."""
    (servers.folder / "sink.json").write_text(json.dumps(set_up.sink))
    worker = {"bootstrap.servers": servers.kafka.bootstrap, **set_up.worker}
    (servers.folder / "worker.json").write_text(json.dumps(worker))
    capsys.readouterr()
    code = main(["doctor", str(servers.folder / "sink.json"), "--worker", str(servers.folder / "worker.json"), "--json"])
    printed = capsys.readouterr()
    assert printed.out, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return code, found


def named(found: Mapping[str, Any], level: str) -> list[str]:
    """Returns check and cause of each finding of a level."""
    return [f"{each['check']}/{each['cause']}" for each in found["findings"] if each["level"] == level]


@pytest.mark.parametrize("broken", SET_UPS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_a_broken_set_up(broken: Broken, servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """The doctor names the cause and the cure, and calls nothing else broken."""
    code, found = doctor(servers, broken.make(servers), capsys)
    failed, warnings = named(found, "failed"), named(found, "warning")
    expected_warnings = sorted({*broken.warnings, *([broken.cause] if broken.level == WARNING else [])})
    assert ([] if broken.level == WARNING else [broken.cause]) == sorted(set(failed))
    # The S3 server knows no lifecycle rules.
    assert expected_warnings == sorted(set(warnings) - set(NO_RULE))
    finding = next(each for each in found["findings"] if f"{each['check']}/{each['cause']}" == broken.cause)
    assert broken.said in finding["text"]
    assert broken.cure in "\n".join([finding["cure"], *finding["paste"]])
    assert (0 if broken.level == WARNING else 1) == code


def test_a_set_up_that_is_fine(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything as it should be, each check passes, nothing is left behind, and nothing is committed."""
    servers.proxy.fail(200, times=9, when=lambda request: request.query == "lifecycle", body=make.RULES % b"topics/")
    sink = servers.s3_sink(servers.proxy.url, s3_object_tagging="true")
    code, found = doctor(servers, SetUp(sink), capsys)
    assert ([], [], []) == (named(found, "failed"), named(found, "warning"), named(found, "skipped"))
    assert (0, True) == (code, found["ready"])
    client = servers.store.client()
    assert [] == client.list_objects_v2(Bucket=sink["s3.bucket.name"]).get("Contents", [])
    assert [] == client.list_multipart_uploads(Bucket=sink["s3.bucket.name"]).get("Uploads", [])
    client.close()
    assert {} == committed_offsets(servers.kafka.bootstrap, f"connect-{sink['name']}", sink["topics"])


def test_the_least_rights_are_enough(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """With exactly the printed ACLs and the printed policy all checks pass, and the sink runs."""
    sink = servers.s3_sink_with("s3:GetObjectTagging", s3_object_tagging="true", flush_size="10")
    bucket, user, topic = sink["s3.bucket.name"], sink["aws.access.key.id"], sink["topics"]
    worker = servers.user_who_may(topic, f"connect-{sink['name']}", None, None)
    _, before = doctor(servers, SetUp(sink, worker), capsys)
    assert {"topics/no-read-right", "group-right/no-read-right", "store-list/missing", "store-put/missing"} == set(
        named(before, "failed")
    )

    run_commands(servers, before["rights"]["kafka_acls"])
    servers.store.set_policy(user, bucket, before["rights"]["iam_policy"]["Statement"])

    code, found = doctor(servers, SetUp(sink, worker), capsys)
    assert (0, [], []) == (code, named(found, "failed"), named(found, "skipped"))
    assert {*FEW_RIGHTS, *NO_RULE} == set(named(found, "warning"))
    fill(servers.kafka.bootstrap, topic, numbered(10))
    run_until(sink, load_worker_config(worker), servers.kafka.bootstrap, {0: 10, 1: 0})

    run_commands(servers, before["rights"]["optional_kafka_acls"])
    _, found = doctor(servers, SetUp(sink, worker), capsys)
    assert list(NO_RULE) == named(found, "warning")
    servers.kafka.revoke("bob")


def test_the_least_rights_of_compaction(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """With exactly the printed ACLs and policies, files are merged, and then originals deleted; neither policy is enough for
    the other command."""
    sink = servers.s3_sink_with("s3:GetObjectTagging", flush_size="2")
    bucket, user, topic = sink["s3.bucket.name"], sink["aws.access.key.id"], sink["topics"]
    worker = servers.user_who_may(topic, f"connect-{sink['name']}", None, None)
    _, found = doctor(servers, SetUp(sink, worker), capsys)
    rights = found["rights"]
    run_commands(servers, rights["kafka_acls"])
    servers.store.set_policy(user, bucket, rights["iam_policy"]["Statement"])
    fill(servers.kafka.bootstrap, topic, numbered(12))
    run_until(sink, load_worker_config(worker), servers.kafka.bootstrap, {0: 12, 1: 0})
    servers.kafka.revoke("bob")

    def compact(*options: str) -> tuple[int, str]:
        paths = (str(servers.folder / "sink.json"), "--worker", str(servers.folder / "worker.json"))
        code = main(["compact", *paths, "--older-than", "0s", *options])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    deleting = ("--delete-originals", "--yes")
    merge, delete = (rights["compaction"][name] for name in ("compact", "compact --delete-originals"))
    run_commands(servers, merge["kafka_acls"])
    servers.store.set_policy(user, bucket, delete["iam_policy"]["Statement"])
    code, printed = compact()
    assert (3, True) == (code, "s3:PutObject" in printed)
    servers.store.set_policy(user, bucket, merge["iam_policy"]["Statement"])
    code, printed = compact()
    assert (0, True) == (code, "Merged 6 files" in printed)
    admin = AdminClient({"bootstrap.servers": servers.kafka.bootstrap, "log_level": 0})
    for future in admin.delete_records([TopicPartition(topic, 0, 12)]).values():
        future.result(LIMIT_S)
    code, printed = compact(*deleting)
    assert (3, True) == (code, "s3:DeleteObject" in printed)
    servers.store.set_policy(user, bucket, delete["iam_policy"]["Statement"])
    code, printed = compact(*deleting)
    assert (0, True) == (code, "deleted 5 files" in printed)
    servers.kafka.revoke("bob")


def run_commands(servers: Servers, commands: Sequence[str]) -> None:
    """Runs printed commands of Kafka's tools as an administrator."""
    for command in commands:
        tool, _, _, *arguments = shlex.split(command)  # without --bootstrap-server, where only bob may log in
        run_tool(tool, servers.kafka.bootstrap, *arguments)


def gcs_sink(servers: Servers, gcs: Any, **changes: str) -> dict[str, str]:
    """Returns the properties of a sink to a new bucket of an emulator."""
    bucket = unique("bucket")
    GcsBucket(gcs.url, bucket)
    return {
        "name": unique("sink"),
        "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
        "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
        "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
        "topics": servers.topic(),
        "flush.size": "1000",
        "rotate.schedule.interval.ms": str(HOUR_MS),
        "timezone": "UTC",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        "gcs.bucket.name": bucket,
        "store.url": gcs.url,
        **dotted(changes),
    }


def test_gcs(servers: Servers, gcs_server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A bucket of GCS passes all checks, and nothing is left behind."""
    sink = gcs_sink(servers, gcs_server)
    code, found = doctor(servers, SetUp(sink), capsys)
    assert ([], [], [], 0) == (*(named(found, level) for level in ("failed", "warning", "skipped")), code)
    assert "store-create-only" in [each["check"] for each in found["findings"] if each["level"] == "ok"]
    assert "store-unfinished-uploads" not in [each["check"] for each in found["findings"]]
    assert [] == list(make_storage(load_connect_config(sink)).list(""))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"gcs_bucket_name": "no-such-bucket"}, "store-bucket/missing"),
        ({"store_url": f"http://{HOST}:1"}, "store-connection/refused"),
    ],
)
def test_broken_gcs(
    servers: Servers, gcs_server: Any, capsys: pytest.CaptureFixture[str], changes: dict[str, str], cause: str
) -> None:
    """A missing bucket and a store that is down have different causes."""
    code, found = doctor(servers, SetUp(gcs_sink(servers, gcs_server, **changes)), capsys)
    assert ([cause], 1) == (named(found, "failed"), code)


def test_settings_of_brokers(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """All settings of a broker that don't fit the sink are named at once."""
    code, found = doctor(servers, make.group_settings(servers), capsys)
    assert ["offset-metadata-size/too-small", "session-timeout/out-of-range"] == named(found, "failed")
    assert ["offsets-retention/short"] == named(found, "warning")
    assert 1 == code
