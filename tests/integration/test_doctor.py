"""The doctor against broken set-ups on real servers: each names its cause and the cure, and nothing else is called broken."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import json
import shlex
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from confluent_kafka.admin import AclOperation, ResourceType
from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.cli.main import main
from kafka2parquet.connect.parts.storage import make_storage
from tests.stack.certificates import Authority
from tests.stack.kafka import Kafka, run_tool
from tests.stack.s3 import S3, s3
from tests.stack.secure_kafka import USERS, SecureKafka, secure_kafka
from tests.stack.server import HOST, free_port
from tests.support.gcs_objects import GcsBucket
from tests.support.http_proxy import HttpProxy
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import admin_client, fill, python_consumer, python_producer, unique, wait_until
from tests.support.local_sink import local_sink, numbered, run_until
from tests.support.sink_properties import json_sink

pytestmark = pytest.mark.timeout(300)

READ, DESCRIBE, DESCRIBE_CONFIGS = AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS
ALL_ACTIONS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject")
HOUR_MS = 3_600_000
RULES = b"""<?xml version="1.0" encoding="UTF-8"?><LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>
<Filter><Prefix>%s</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>
</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"""
NO_RULES = b"<Error><Code>NoSuchLifecycleConfiguration</Code><Message>none</Message></Error>"


class Servers:
    """The servers, and what set-ups need of them.

    Attributes:
        kafka: a broker with TLS, SASL and ACLs; everybody may do everything at `kafka.bootstrap`.
        odd: a broker with settings that don't fit a sink.
        store: an S3 server.
        proxy: in front of the S3 server.
        registry: a schema registry.
        folder: for files of one set-up.
    """

    def __init__(
        self,
        kafka: SecureKafka,
        odd: Kafka,
        store: S3,
        proxy: HttpProxy,
        registry: Any,
        folder: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self.kafka = kafka
        self.odd = odd
        self.store = store
        self.proxy = proxy
        self.registry = registry
        self.folder = folder
        self.stack = stack

    def topic(self, bootstrap: str | None = None, **configs: str) -> str:
        """Makes a topic with two partitions and a record."""
        name = unique("topic")
        bootstrap = bootstrap or self.kafka.bootstrap
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        with admin_client(bootstrap) as admin:
            admin.create_topics([NewTopic(name=name, num_partitions=2, replication_factor=1, topic_configs=settings)])
            wait_until(lambda: len(admin.describe_topics([name])[0]["partitions"]) == 2, "the new topic")
        return name

    def sink(self, topic: str, **changes: str) -> dict[str, str]:
        """Returns the properties of a sink to a folder, which closes files each hour."""
        every_hour = {"rotate.schedule.interval.ms": str(HOUR_MS), "flush.size": "1000000"}
        return local_sink(topic, self.folder / "lake", {**every_hour, **_dotted(changes)})

    def s3_sink(self, url: str | None = None, **changes: str) -> dict[str, str]:
        """Returns the properties of a sink to a new bucket."""
        bucket = unique("bucket")
        self.store.create_bucket(bucket)
        return json_sink(
            {
                "name": unique("sink"),
                "topics": self.topic(),
                "store.url": url or self.store.url,
                "s3.bucket.name": bucket,
                "s3.region": self.store.region,
                "aws.access.key.id": self.store.key,
                "aws.secret.access.key": self.store.secret,
                "s3.object.tagging": "false",
                "rotate.schedule.interval.ms": str(HOUR_MS),
                "timezone": "UTC",
                **_dotted(changes),
            }
        )

    def s3_sink_with(self, *actions: str, **changes: str) -> dict[str, str]:
        """Returns the properties of a sink whose user may only do this in its bucket."""
        user = unique("user")
        self.store.add_user(user, "secret-of-user")
        sink = self.s3_sink(aws_access_key_id=user, aws_secret_access_key="secret-of-user", **changes)
        self.store.grant(user, sink["s3.bucket.name"], *actions)
        return sink

    def user_who_may(
        self, topic: str, group: str, on_topic: AclOperation | None, on_group: AclOperation | None
    ) -> Mapping[str, str]:
        """Gives bob these rights only, and returns his settings."""
        self.kafka.revoke("bob")
        for kind, name, operation in ((ResourceType.TOPIC, topic, on_topic), (ResourceType.GROUP, group, on_group)):
            if operation is not None:
                self.kafka.grant("bob", kind, name, operation)
        return self.login("SASL_TLS", "SCRAM-SHA-512", "bob")

    def tls(self, **changes: str) -> dict[str, str]:
        """Returns settings that trust the brokers' authority."""
        pem = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.kafka.authority.pem)}
        return {"security.protocol": "SSL", **pem, **_dotted(changes)}

    def login(self, listener: str, mechanism: str, user: str = "bob", password: str = "") -> dict[str, str]:
        """Returns settings for a listener with a login, and its address."""
        module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        settings = {
            "bootstrap.servers": self.kafka.address(listener),
            "sasl.mechanism": mechanism,
            "sasl.jaas.config": f"org.apache.kafka.common.security.{module} required"
            f' username="{user}" password="{password or USERS[user]}";',
        }
        if listener == "SASL_TLS":
            return {**self.tls(), **settings, "security.protocol": "SASL_SSL"}
        return {**settings, "security.protocol": "SASL_PLAINTEXT"}


def _dotted(changes: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in changes.items()}


@attrs.frozen
class SetUp:
    """A sink and its worker. The worker has the brokers without TLS and SASL, unless it says otherwise."""

    sink: Mapping[str, str]
    worker: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Broken:
    """A broken set-up.

    Attributes:
        name: for people.
        make: breaks something, and returns the set-up.
        cause: check and cause that the doctor has to name.
        said: a part of the text.
        cure: a part of the cure, or of the lines to paste.
        warnings: further warnings that come with it.
        level: `failed` or `warning`.
    """

    name: str
    make: Callable[[Servers], SetUp]
    cause: str
    said: str
    cure: str
    level: str = "failed"
    warnings: tuple[str, ...] = ()


# ---- Kafka's connection


def at(server: str, **settings: str) -> Callable[[Servers], SetUp]:
    """A set-up at another address."""
    return lambda servers: SetUp(servers.sink("orders"), {"bootstrap.servers": server, **_dotted(settings)})


def plain_client_at(listener: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.sink("orders"), {"bootstrap.servers": servers.kafka.address(listener)})


def tls_client_at(listener: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(
        servers.sink("orders"), {**servers.tls(), "bootstrap.servers": servers.kafka.address(listener)}
    )


def other_authority(servers: Servers) -> SetUp:
    other = Authority(servers.folder, "other")
    worker = servers.tls(ssl_truststore_location=str(other.pem))
    return SetUp(servers.sink("orders"), {**worker, "bootstrap.servers": servers.kafka.address("TLS")})


def missing_file(servers: Servers) -> SetUp:
    worker = servers.tls(ssl_truststore_location=str(servers.folder / "none.pem"))
    return SetUp(servers.sink("orders"), {**worker, "bootstrap.servers": servers.kafka.address("TLS")})


def wrong_password(listener: str, mechanism: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.sink("orders"), servers.login(listener, mechanism, "bob", "not-the-password"))


def wrong_mechanism(servers: Servers) -> SetUp:
    settings = {**servers.login("SASL_TLS", "PLAIN"), "sasl.mechanism": "GSSAPI"}
    return SetUp(servers.sink("orders"), settings)


def web_server(servers: Servers) -> SetUp:
    return SetUp(servers.sink("orders"), {"bootstrap.servers": servers.store.url.removeprefix("http://")})


def one_server_is_gone(servers: Servers) -> SetUp:
    return SetUp(servers.sink(servers.topic()), {"bootstrap.servers": f"{HOST}:{free_port()},{servers.kafka.bootstrap}"})


def advertised_elsewhere(servers: Servers) -> SetUp:
    return SetUp(servers.sink(servers.topic(servers.odd.direct)), {"bootstrap.servers": servers.odd.bootstrap})


# ---- topics and group


def missing_topic(servers: Servers) -> SetUp:
    return SetUp(servers.sink("no-such-topic"))


def no_matching_topic(servers: Servers) -> SetUp:
    sink = servers.sink("")
    del sink["topics"]
    return SetUp({**sink, "topics.regex": "no-such-topic-.*"})


def rights(on_topic: AclOperation | None, on_group: AclOperation | None) -> Callable[[Servers], SetUp]:
    def make(servers: Servers) -> SetUp:
        sink = servers.sink(servers.topic())
        return SetUp(sink, servers.user_who_may(sink["topics"], f"connect-{sink['name']}", on_topic, on_group))

    return make


def topic_with(**configs: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.sink(servers.topic(**configs)))


def nothing_closes_files(servers: Servers) -> SetUp:
    return SetUp(servers.sink(servers.topic(retention_ms=str(24 * HOUR_MS)), rotate_schedule_interval_ms="-1"))


def records_of_later(servers: Servers) -> SetUp:
    topic = servers.topic()
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=30)
    with python_producer(servers.kafka.bootstrap) as producer:
        producer.send(topic, b"{}", partition=0, timestamp_ms=round(later.timestamp() * 1000)).get(timeout=30)
    return SetUp(servers.sink(topic))


def idle_tasks(servers: Servers) -> SetUp:
    return SetUp(servers.sink(servers.topic(), tasks_max="5"))


def committed_at(offset: int, *, deleted_before: int = 0) -> Callable[[Servers], SetUp]:
    """The group has committed an offset in a log of ten records, some of which are deleted."""

    def make(servers: Servers) -> SetUp:
        topic, bootstrap = servers.topic(), servers.kafka.bootstrap
        fill(bootstrap, topic, numbered(10))
        sink = servers.sink(topic)
        partition = TopicPartition(topic, 0)
        with python_consumer(bootstrap, group_id=f"connect-{sink['name']}") as consumer:
            consumer.assign([partition])
            consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})
        if deleted_before:
            with admin_client(bootstrap) as admin:
                admin.delete_records({partition: deleted_before})
        return SetUp(sink)

    return make


def other_assignor(servers: Servers) -> SetUp:
    topic = servers.topic()
    sink = servers.sink(topic)
    consumer = servers.stack.enter_context(
        python_consumer(
            servers.kafka.bootstrap,
            topic,
            group_id=f"connect-{sink['name']}",
            partition_assignment_strategy=[CooperativeStickyAssignor],
        )
    )
    wait_until(lambda: consumer.poll(timeout_ms=500) is not None and consumer.assignment(), "the assignment")
    return SetUp(sink)


def group_settings(servers: Servers) -> SetUp:
    """The settings of the odd broker, through a listener that advertises itself."""
    return SetUp(servers.sink(servers.topic(servers.odd.direct)), {"bootstrap.servers": servers.odd.direct})


def run_before(servers: Servers, **changes: str) -> dict[str, str]:
    """Runs a sink of a new topic with one partition, and returns its properties."""
    topic = unique("topic")
    create_topic(servers.kafka.bootstrap, topic, 1)
    fill(servers.kafka.bootstrap, topic, numbered(10))
    sink = servers.sink(topic, flush_size="10", **changes)
    worker = load_worker_config(bootstrap_servers=servers.kafka.bootstrap)
    run_until(sink, worker, servers.kafka.bootstrap, {0: 10})
    return {**sink, "flush.size": "1000000"}


def group_that_writes_elsewhere(servers: Servers) -> SetUp:
    sink = run_before(servers)
    return SetUp({**sink, "kafka2parquet.storage.url": (servers.folder / "other-lake").as_uri()})


def two_groups(servers: Servers) -> SetUp:
    return SetUp({**run_before(servers), "name": unique("sink")})


def two_layouts(servers: Servers) -> SetUp:
    hourly = {"partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner", "locale": "en"}
    return SetUp({**run_before(servers), **hourly})


def recreated_topic(servers: Servers) -> SetUp:
    sink = run_before(servers)
    with admin_client(servers.kafka.bootstrap) as admin:
        admin.delete_topics([sink["topics"]])
        wait_until(lambda: sink["topics"] not in admin.list_topics(), "the end of the topic")
    create_topic(servers.kafka.bootstrap, sink["topics"], 2)
    return SetUp(sink)


def dead_letters(servers: Servers) -> SetUp:
    return SetUp(servers.sink(servers.topic(), errors_tolerance="all", errors_deadletterqueue_topic_name=unique("rejected")))


def dead_letters_without_login(servers: Servers) -> SetUp:
    """The consumer logs in, and the producer doesn't."""
    sink = servers.sink(servers.topic(), errors_tolerance="all", errors_deadletterqueue_topic_name=unique("rejected"))
    worker = servers.user_who_may(sink["topics"], f"connect-{sink['name']}", READ, READ)
    servers.kafka.grant("bob", ResourceType.TOPIC, sink["topics"], DESCRIBE_CONFIGS)
    of_consumer = {f"consumer.{name}": text for name, text in worker.items() if name != "bootstrap.servers"}
    return SetUp(sink, {**of_consumer, "bootstrap.servers": worker["bootstrap.servers"]})


# ---- the store


def store_at(url: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.s3_sink(url))


def store_with(**changes: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.s3_sink(**changes))


def without(action: str, **changes: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.s3_sink_with(*(each for each in ALL_ACTIONS if each != action), **changes))


def https_to_http(servers: Servers) -> SetUp:
    return SetUp(servers.s3_sink(servers.store.url.replace("http:", "https:")))


def store_that_replaces(servers: Servers) -> SetUp:
    servers.proxy.answer(when=lambda request: request.method == "PUT", headers={"ETag": '"0"'})
    return SetUp(servers.s3_sink(servers.proxy.url))


def clock_of_the_store(minutes: int) -> Callable[[Servers], SetUp]:
    def make(servers: Servers) -> SetUp:
        time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        date = {"Date": email.utils.format_datetime(time, usegmt=True)}
        servers.proxy.answer(when=lambda request: request.method == "HEAD", headers=date)
        servers.proxy.answer(when=lambda request: request.query == "lifecycle", body=RULES % b"")
        return SetUp(servers.s3_sink(servers.proxy.url))

    return make


def lifecycle(status: int, body: bytes) -> Callable[[Servers], SetUp]:
    def make(servers: Servers) -> SetUp:
        servers.proxy.fail(status, times=9, when=lambda request: request.query == "lifecycle", body=body)
        return SetUp(servers.s3_sink(servers.proxy.url))

    return make


# ---- this machine, and the registry


def staging_in(folder: str) -> Callable[[Servers], SetUp]:
    return lambda servers: SetUp(servers.sink(servers.topic(), kafka2parquet_staging_dir=folder))


def staging_is_a_file(servers: Servers) -> SetUp:
    path = servers.folder / "file"
    path.touch()
    return staging_in(str(path))(servers)


def registry_at(url: Callable[[Servers], str], **settings: str) -> Callable[[Servers], SetUp]:
    def make(servers: Servers) -> SetUp:
        sink = servers.sink(servers.topic(), value_converter_schema_registry_url=url(servers), **settings)
        del sink["value.converter.schemas.enable"]
        return SetUp({**sink, "value.converter": "io.confluent.connect.avro.AvroConverter"})

    return make


def registry_that_refuses(servers: Servers) -> SetUp:
    servers.proxy.fail(401, times=9, body=b'{"error_code": 401, "message": "Unauthorized"}')
    return registry_at(lambda servers: servers.proxy.url)(servers)


NO_RULE = ("store-unfinished-uploads/not-supported",)
NO_BROKER_SETTINGS = ("broker-settings/no-describe-configs-right",)
FEW_RIGHTS = ("topic-settings/no-describe-configs-right", *NO_BROKER_SETTINGS)
WARNING = "warning"

SET_UPS = [
    Broken("unknown host", at("no-such-host.invalid:9092"), "kafka-tcp/dns", "no-such-host.invalid", "getent hosts"),
    Broken("nothing listens", at(f"{HOST}:1"), "kafka-tcp/refused", "refused", "nc -vz 127.0.0.1 1"),
    Broken("one server is gone", one_server_is_gone, "kafka-tcp/refused", "refused", "nc -vz", WARNING),
    Broken("a web server", web_server, "kafka-protocol/not-kafka", "web server", "bootstrap.servers"),
    Broken("plain to TLS", plain_client_at("TLS"), "kafka-protocol/wrong-protocol", "speaks SSL", "security.protocol=SSL"),
    Broken("plain to mutual TLS", plain_client_at("MTLS"), "kafka-protocol/wrong-protocol", "speaks SSL", "protocol=SSL"),
    Broken("plain to SASL", plain_client_at("SASL"), "kafka-login/wrong-protocol", "SASL_PLAINTEXT", "protocol=SASL_PLAINTEXT"),
    Broken("TLS to plain", tls_client_at("INTERNAL"), "kafka-tls/wrong-protocol", "speaks PLAINTEXT", "protocol=PLAINTEXT"),
    Broken("TLS to SASL with TLS", tls_client_at("SASL_TLS"), "kafka-login/wrong-protocol", "SASL_SSL", "protocol=SASL_SSL"),
    Broken("another authority", other_authority, "kafka-tls/unknown-ca", "not trusted", "ssl.truststore.location="),
    Broken("another host's certificate", tls_client_at("OTHER_HOST"), "kafka-tls/host-name", "other names", "subjectAltName"),
    Broken(
        "no client certificate", tls_client_at("MTLS"), "kafka-tls/client-certificate", "CERTIFICATE", "ssl.keystore.location="
    ),
    Broken("a file that is missing", missing_file, "kafka-tls/bad-file", "none.pem", "PEM"),
    Broken("wrong password", wrong_password("SASL", "PLAIN"), "kafka-login/refused-login", "user bob", "sasl.jaas.config"),
    Broken("wrong SCRAM password", wrong_password("SASL_TLS", "SCRAM-SHA-512"), "kafka-login/refused-login", "SCRAM", "users"),
    Broken("wrong mechanism", wrong_mechanism, "kafka-login/mechanism", "GSSAPI", "SCRAM-SHA-512"),
    Broken(
        "advertised elsewhere", advertised_elsewhere, "kafka-advertised/not-reachable", "advertises", "advertised.listeners="
    ),
    Broken("missing topic", missing_topic, "topics/missing", "no-such-topic", "kafka-topics --bootstrap-server"),
    Broken(
        "no matching topic",
        no_matching_topic,
        "topics/no-match",
        "no-such-topic-.*",
        "topics.regex",
        WARNING,
        ("tasks/idle-tasks",),
    ),
    Broken(
        "may not read the topic",
        rights(DESCRIBE, READ),
        "topics/no-read-right",
        "topic",
        "--operation Read --topic",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken(
        "may not see the topic",
        rights(None, READ),
        "topics/no-read-right",
        "topic",
        "--operation Read --topic",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken(
        "may not read the group",
        rights(READ, DESCRIBE),
        "group-right/no-read-right",
        "group",
        "--operation Read --group",
        warnings=FEW_RIGHTS,
    ),
    Broken(
        "may not see the group",
        rights(READ, None),
        "group-right/no-read-right",
        "group",
        "--operation Read --group",
        warnings=FEW_RIGHTS,
    ),
    Broken(
        "retention of minutes",
        topic_with(retention_ms="600000"),
        "topic-retention/shorter-than-flush",
        "10 minutes",
        "retention.ms=",
    ),
    Broken(
        "retention of two hours",
        topic_with(retention_ms="7200000"),
        "topic-retention/short",
        "2 hours",
        "retention.ms=",
        WARNING,
    ),
    Broken(
        "retention by size",
        topic_with(retention_bytes="1048576"),
        "topic-retention/by-size",
        "1 MiB",
        "retention.bytes",
        WARNING,
    ),
    Broken(
        "nothing closes files",
        nothing_closes_files,
        "topic-retention/nothing-closes-files",
        "1 day",
        "rotate.schedule",
        WARNING,
    ),
    Broken(
        "compacted",
        topic_with(cleanup_policy="compact"),
        "topic-cleanup-policy/compacted",
        "compact",
        "cleanup.policy",
        WARNING,
    ),
    Broken(
        "huge messages",
        topic_with(max_message_bytes="300000000"),
        "topic-message-size/larger-than-batch-limit",
        "300000000",
        "batch.max",
    ),
    Broken("records of later", records_of_later, "topic-timestamps/from-the-future", "ahead", "timestamp.after.max", WARNING),
    Broken("idle tasks", idle_tasks, "tasks/idle-tasks", "tasks.max is 5", "tasks.max=2", WARNING),
    Broken(
        "records were deleted",
        committed_at(2, deleted_before=5),
        "group-offsets/below-log-start",
        "offset 2",
        "on.data.loss=continue",
    ),
    Broken("the log is shorter", committed_at(99), "group-offsets/beyond-log-end", "offset 99", "--reset-offsets"),
    Broken("another assignor", other_assignor, "group-members/other-assignor", "cooperative-sticky", "group.id"),
    Broken("a group that writes elsewhere", group_that_writes_elsewhere, "group-offsets/other-place", "lake", "take.over"),
    Broken("rejects without brokers", dead_letters, "dead-letters/too-few-brokers", "3 replicas", "replication.factor=1"),
    Broken(
        "rejects without login",
        dead_letters_without_login,
        "dead-letters/not-reachable",
        "speaks SASL_SSL",
        "producer.",
        warnings=NO_BROKER_SETTINGS,
    ),
    Broken("store is down", store_at(f"http://{HOST}:1"), "store-connection/refused", "refused", "nc -vz"),
    Broken("host of the store", store_at("http://no-such-host.invalid"), "store-connection/dns", "no-such-host", "getent"),
    Broken("https to http", https_to_http, "store-connection/plain-http", "doesn't speak TLS", "store.url=http://"),
    Broken("unknown key", store_with(aws_access_key_id="nobody"), "store-credentials/unknown-key", "key", "aws.access.key.id="),
    Broken(
        "wrong secret",
        store_with(aws_secret_access_key="not-the-secret"),
        "store-credentials/wrong-secret",
        "secret",
        "aws.secret.access.key=",
    ),
    Broken(
        "missing bucket", store_with(s3_bucket_name="no-such-bucket"), "store-bucket/missing", "no-such-bucket", "create-bucket"
    ),
    Broken("may not list", without("s3:ListBucket"), "store-list/missing", "s3:ListBucket", "--rights"),
    Broken("may not create", without("s3:PutObject"), "store-put/missing", "s3:PutObject", "--rights"),
    Broken("may not read", without("s3:GetObject"), "store-get/missing", "s3:GetObject", "--rights"),
    Broken(
        "may not tag",
        without("", s3_object_tagging="true"),
        "store-tag/missing",
        "s3:PutObjectTagging",
        "--rights",
    ),
    Broken("may not delete", without("s3:DeleteObject"), "store-delete/missing", "s3:DeleteObject", "lifecycle", WARNING),
    Broken(
        "store replaces objects",
        store_that_replaces,
        "store-create-only/replaces",
        "replace",
        "at_least_once",
    ),
    Broken("clock is slow", clock_of_the_store(20), "store-clock/far-off", "20 minutes behind", "timedatectl"),
    Broken("clock is a little fast", clock_of_the_store(-5), "store-clock/off", "5 minutes ahead", "timedatectl", WARNING),
    Broken("no rule", lifecycle(404, NO_RULES), "store-unfinished-uploads/no-rule", "topics/", "put-bucket-lifecycle", WARNING),
    Broken(
        "rule for others",
        lifecycle(200, RULES % b"logs/"),
        "store-unfinished-uploads/no-rule",
        "topics/",
        "put-bucket",
        WARNING,
    ),
    Broken("two groups", two_groups, "store-files/other-group", "two groups", "take.over"),
    Broken("two layouts", two_layouts, "store-layout/several", "partition=…", "topics.dir=", WARNING),
    Broken("topic was created again", recreated_topic, "store-files/recreated-topic", "created again", "topics.dir="),
    Broken("staging in a file", staging_is_a_file, "staging-folder/not-a-folder", "is not a folder", "staging.dir="),
    Broken("staging in memory", staging_in("/dev/shm"), "staging-disk/in-memory", "tmpfs", "staging.dir=", WARNING),
    Broken("registry is down", registry_at(lambda _: f"http://{HOST}:1"), "registry/refused", "refused", "nc -vz"),
    Broken(
        "registry's path",
        registry_at(lambda servers: f"{servers.registry.url}/nowhere"),
        "registry/not-a-registry",
        "nowhere",
        "registry.url=",
    ),
    Broken(
        "https to the registry",
        registry_at(lambda servers: servers.registry.url.replace("http:", "https:")),
        "registry/plain-http",
        "TLS",
        "http://",
    ),
    Broken("registry refuses", registry_that_refuses, "registry/credentials", "401", "basic.auth.user.info"),
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
    servers.proxy.fail(200, times=9, when=lambda request: request.query == "lifecycle", body=RULES % b"topics/")
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

    for command in before["rights"]["kafka_acls"]:
        tool, _, _, *arguments = shlex.split(command)  # without --bootstrap-server, where only bob may log in
        run_tool(tool, servers.kafka.bootstrap, *arguments)
    servers.store.set_policy(user, bucket, before["rights"]["iam_policy"]["Statement"])

    code, found = doctor(servers, SetUp(sink, worker), capsys)
    assert (0, [], []) == (code, named(found, "failed"), named(found, "skipped"))
    assert {*NO_BROKER_SETTINGS, *NO_RULE} == set(named(found, "warning"))
    fill(servers.kafka.bootstrap, topic, numbered(10))
    run_until(sink, load_worker_config(worker), servers.kafka.bootstrap, {0: 10, 1: 0})


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
        **_dotted(changes),
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
    """A missing bucket and a store that is down are told apart."""
    code, found = doctor(servers, SetUp(gcs_sink(servers, gcs_server, **changes)), capsys)
    assert ([cause], 1) == (named(found, "failed"), code)


def test_settings_of_brokers(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """All settings of a broker that don't fit the sink are named at once."""
    code, found = doctor(servers, group_settings(servers), capsys)
    assert ["offset-metadata-size/too-small", "session-timeout/out-of-range"] == named(found, "failed")
    assert ["offsets-retention/short"] == named(found, "warning")
    assert 1 == code
