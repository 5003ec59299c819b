"""Sinks that are set up in a broken way, on real servers, for the tests of the doctor."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from confluent_kafka.admin import AclOperation, ResourceType
from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer import JoinGroupResponse

from kafka2parquet import load_worker_config
from tests.stack.certificates import Authority
from tests.stack.kafka import Kafka
from tests.stack.s3 import S3
from tests.stack.secure_kafka import USERS, SecureKafka
from tests.stack.server import HOST, free_port
from tests.support.http_proxy import HttpProxy
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import admin_client, fill, python_consumer, python_producer, unique, wait_until
from tests.support.local_sink import local_sink, numbered, run_until
from tests.support.raw_kafka_client import RawKafkaClient
from tests.support.raw_requests import join_request
from tests.support.sink_properties import json_sink

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
        stack: closed at the end of the set-up.
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
        """Makes a topic with two partitions."""
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
        return local_sink(topic, self.folder / "lake", {**every_hour, **dotted(changes)})

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
                **dotted(changes),
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
        return {"security.protocol": "SSL", **pem, **dotted(changes)}

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


def dotted(changes: Mapping[str, str]) -> dict[str, str]:
    """Returns properties whose names were written with underscores."""
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
    return lambda servers: SetUp(servers.sink("orders"), {"bootstrap.servers": server, **dotted(settings)})


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
    return SetUp(servers.sink(servers.topic(), tasks_max="5", kafka2parquet_tasks="5"))


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


def group_of_workers(servers: Servers) -> SetUp:
    """The group belongs to workers of Kafka Connect."""
    sink = servers.sink(servers.topic())
    client = servers.stack.enter_context(RawKafkaClient(servers.kafka.bootstrap))
    group, member = f"connect-{sink['name']}", ""
    for _ in range(2):  # the first answer has the member's id
        request = join_request(group, member)
        request.protocol_type = "connect"
        member = client.ask_coordinator(request, JoinGroupResponse, 9).member_id
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


def dead_letters_without_right(servers: Servers) -> SetUp:
    """The client may read, and may not write to the topic for rejects."""
    rejected = servers.topic()
    sink = servers.sink(servers.topic(), errors_tolerance="all", errors_deadletterqueue_topic_name=rejected)
    worker = servers.user_who_may(sink["topics"], f"connect-{sink['name']}", READ, READ)
    servers.kafka.grant("bob", ResourceType.TOPIC, rejected, DESCRIBE)
    return SetUp(sink, worker)


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
