"""TLS, SASL and ACLs on Apache Kafka: clients get in as configured, or an error says what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from confluent_kafka.admin import AclOperation, ResourceType
from kafka.net.sasl.oauth import AbstractTokenProvider

from kafka2parquet import load_worker_config
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.base import CommitSucceeded
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer
from kafka2parquet.errors import (
    AccessError,
    ConfigurationError,
    KafkaAuthenticationError,
    KafkaAuthorizationError,
    KafkaUnavailableError,
)
from kafka2parquet.testing.contracts.consumer import Reader
from tests.stack.secure_kafka import USERS, SecureKafka, secure_kafka, token
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import fill, read, unique, wait_until
from tests.support.local_sink import local_sink, numbered, run_until, written

RECORDS = 300
FLUSH = {"flush.size": str(RECORDS)}
_JAAS = 'org.apache.kafka.common.security.{module} required username="{user}" password="{password}";'


@pytest.fixture(scope="module")
def broker() -> Iterator[SecureKafka]:
    with secure_kafka() as broker:
        yield broker


@attrs.frozen
class Login:
    """A way to log in, in the terms of the Java clients."""

    listener: str
    mechanism: str = ""

    def worker(self, broker: SecureKafka, user: str = "alice") -> WorkerConfig:
        """Returns the worker's properties for consumers, producers and admin clients alike."""
        return load_worker_config({"bootstrap.servers": broker.address(self.listener), **self.settings(broker, user)})

    def settings(self, broker: SecureKafka, user: str = "alice") -> dict[str, str]:
        """Returns security settings."""
        protocols = {"TLS": "SSL", "MTLS": "SSL", "SASL": "SASL_PLAINTEXT", "SASL_TLS": "SASL_SSL"}
        settings = {"security.protocol": protocols[self.listener]}
        if self.listener.endswith("TLS"):
            settings |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(broker.authority.pem)}
        if self.listener == "MTLS":
            key_store = broker.authority.issue(user, password="of the key")
            settings |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(key_store),
                "ssl.key.password": "of the key",
            }
        if self.mechanism:
            module = "plain.PlainLoginModule" if self.mechanism == "PLAIN" else "scram.ScramLoginModule"
            password = USERS[user].replace("\\", "\\\\").replace('"', '\\"')
            settings |= {
                "sasl.mechanism": self.mechanism,
                "sasl.jaas.config": _JAAS.format(module=module, user=user, password=password),
            }
        return settings

    def __str__(self) -> str:
        return f"{self.listener} {self.mechanism}".strip()


SCRAM_TLS = Login("SASL_TLS", "SCRAM-SHA-512")
LOGINS = [
    pytest.param(Login("TLS"), marks=pytest.mark.heavy),
    Login("MTLS"),
    pytest.param(Login("SASL", "PLAIN"), marks=pytest.mark.heavy),
    Login("SASL", "SCRAM-SHA-256"),
    pytest.param(Login("SASL", "SCRAM-SHA-512"), marks=pytest.mark.heavy),
    Login("SASL_TLS", "PLAIN"),
    SCRAM_TLS,
]


def make_topic(broker: SecureKafka, values: Sequence[bytes]) -> str:
    topic = unique("secured")
    create_topic(broker.bootstrap, topic, 1)
    fill(broker.bootstrap, topic, values)
    return topic


def let_read(broker: SecureKafka, user: str, topic: str, group: str) -> None:
    """Grants the rights that a sink needs."""
    broker.grant(user, ResourceType.TOPIC, topic, AclOperation.READ)
    broker.grant(user, ResourceType.GROUP, group, AclOperation.READ)


@contextlib.contextmanager
def reader_of(broker: SecureKafka, listener: str, topic: str, group: str, **settings: Any) -> Iterator[Reader]:
    consumer = KafkaPythonConsumer(
        bootstrap_servers=broker.address(listener),
        group_id=group,
        topics=[topic],
        client_settings=settings,
        connect_timeout_s=4.0,
        gather_max_wait_s=0.05,
    )
    try:
        yield Reader(consumer)
    finally:
        consumer.close(5.0)


# ---- those who are let in


@pytest.mark.parametrize("login", LOGINS, ids=str)
def test_a_sink_drains_exactly(broker: SecureKafka, login: Login, tmp_path: Path) -> None:
    """The sink works with the settings of a Connect worker, and rights on only its topic and its group."""
    topic = make_topic(broker, numbered(RECORDS))
    given = local_sink(topic, tmp_path, FLUSH)
    let_read(broker, "alice", topic, f"connect-{given['name']}")
    run_until(given, login.worker(broker), broker.bootstrap, {0: RECORDS})
    assert list(range(RECORDS)) == written(tmp_path, topic)


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """A provider of one user's tokens, which makes each token on request."""

    def __init__(self, user: str, seconds: int = 3600) -> None:
        self._user, self._seconds = user, seconds

    def token(self) -> str:
        return token(self._user, self._seconds)


@pytest.mark.parametrize("listener", ["SASL", "SASL_TLS"])
def test_oauth_tokens(broker: SecureKafka, listener: str) -> None:
    """OAUTHBEARER needs a token provider, which only Python can express."""
    topic, group = make_topic(broker, numbered(RECORDS)), unique("group")
    let_read(broker, "alice", topic, group)
    security: dict[str, Any] = {"security_protocol": "SASL_PLAINTEXT"}
    if listener == "SASL_TLS":
        security = {"security_protocol": "SASL_SSL", "ssl_cafile": str(broker.authority.pem)}
    security |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Tokens("alice")}
    with reader_of(broker, listener, topic, group, **security) as reader:
        reader.poll_until(lambda: len(reader.offsets()) == RECORDS)
        reader.consumer.commit(reader.assignment, RECORDS, "all")
        reader.poll_until(lambda: reader.events_of(CommitSucceeded))
    assert list(range(RECORDS)) == reader.offsets()
    assert {0: RECORDS} == committed_offsets(broker.bootstrap, group, topic)


def test_oauth_is_refused_in_a_configuration(broker: SecureKafka, tmp_path: Path) -> None:
    """The error names the supported way."""
    worker = load_worker_config({"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"})
    with pytest.raises(ConfigurationError, match="sasl_oauth_token_provider"):
        run_until(local_sink("any", tmp_path), worker, broker.bootstrap, {})


# ---- those who are not


@pytest.mark.heavy
def test_a_failed_login_is_reported_with_its_cause(broker: SecureKafka, tmp_path: Path) -> None:
    """The error gives the cause as far as the broker, or TLS, reports it."""
    tls = {"security_protocol": "SSL", "ssl_cafile": str(broker.authority.pem)}
    encrypted = str(broker.authority.issue("alice", password="right"))
    plain = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "alice"}
    oauth = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}
    # kafka-python loses a refusal that comes together with the end of the connection
    refused = (KafkaAuthenticationError, KafkaUnavailableError)
    cases: list[tuple[str, Mapping[str, Any], type[Exception] | tuple[type[Exception], ...], str]] = [
        ("SASL", {**plain, "sasl_plain_password": "wrong"}, refused, "user name and password"),
        ("SASL", {**oauth, "sasl_oauth_token_provider": Tokens("alice", -60)}, refused, "user name and password"),
        ("TLS", {"security_protocol": "SSL"}, KafkaAuthenticationError, "CERTIFICATE_VERIFY_FAILED"),
        ("TLS", {**tls, "ssl_cafile": str(tmp_path / "none.pem")}, KafkaAuthenticationError, r"none\.pem.*No such file"),
        ("TLS", {**tls, "ssl_cafile": encrypted, "ssl_certfile": encrypted}, KafkaAuthenticationError, "no password is set"),
        (
            "MTLS",
            {**tls, "ssl_certfile": encrypted, "ssl_password": "wrong"},
            KafkaAuthenticationError,
            r"alice-encrypted.*can't be loaded",
        ),
        ("OTHER_HOST", tls, KafkaAuthenticationError, "certificate is not valid for '127.0.0.1'"),
        ("MTLS", tls, KafkaAuthenticationError, "certificate required"),
        ("TLS", {}, KafkaUnavailableError, "security protocol matches the listener"),
    ]
    for listener, settings, error, text in cases:
        with reader_of(broker, listener, "any", "any", **settings) as reader, pytest.raises(error, match=text):
            reader.poll_until(lambda: False)


READ, DESCRIBE = AclOperation.READ, AclOperation.DESCRIBE


@pytest.mark.parametrize(
    ("on_topic", "on_group", "missing"),
    [
        (None, None, r"READ on the (group connect-|topic secured-)"),
        (None, READ, r"READ on the topic secured-"),
        (DESCRIBE, READ, r"READ on the topic secured-"),
        (READ, None, r"READ on the group connect-"),
        (READ, DESCRIBE, r"READ on the group connect-"),
    ],
)
def test_a_missing_right_is_named(
    broker: SecureKafka, tmp_path: Path, on_topic: AclOperation | None, on_group: AclOperation | None, missing: str
) -> None:
    """The error names topic or group, and nothing is committed. With the right, the sink drains exactly once."""
    topic = make_topic(broker, numbered(RECORDS))
    given = local_sink(topic, tmp_path, FLUSH)
    group = f"connect-{given['name']}"
    broker.revoke("bob")
    for kind, name, operation in ((ResourceType.TOPIC, topic, on_topic), (ResourceType.GROUP, group, on_group)):
        if operation is not None:
            broker.grant("bob", kind, name, operation)
    worker = SCRAM_TLS.worker(broker, "bob")
    with pytest.raises(KafkaAuthorizationError, match=missing):
        run_until(given, worker, broker.bootstrap, {0: RECORDS})
    assert {} == committed_offsets(broker.bootstrap, group, topic)
    let_read(broker, "bob", topic, group)
    run_until(given, worker, broker.bootstrap, {0: RECORDS})
    assert list(range(RECORDS)) == written(tmp_path, topic)


@pytest.mark.parametrize("left", [ResourceType.TOPIC, ResourceType.GROUP])
def test_a_right_that_is_taken_away(broker: SecureKafka, tmp_path: Path, left: ResourceType) -> None:
    """Losing the right ends the sink. Once the right is back, the next sink loses and repeats nothing."""
    topic = make_topic(broker, numbered(RECORDS))
    given = local_sink(topic, tmp_path, {"consumer.override.heartbeat.interval.ms": "200", **FLUSH})
    group = f"connect-{given['name']}"
    worker = SCRAM_TLS.worker(broker, "bob")
    let_read(broker, "bob", topic, group)
    run_until(given, worker, broker.bootstrap, {0: RECORDS})
    broker.revoke("bob")
    broker.grant("bob", left, topic if left == ResourceType.TOPIC else group, READ)
    fill(broker.bootstrap, topic, numbered(RECORDS, RECORDS))
    with pytest.raises(AccessError, match=f"READ on the {'group' if left == ResourceType.TOPIC else 'topic'}"):
        run_until(given, worker, broker.bootstrap, {0: 2 * RECORDS})
    let_read(broker, "bob", topic, group)
    run_until(given, worker, broker.bootstrap, {0: 2 * RECORDS})
    assert list(range(2 * RECORDS)) == written(tmp_path, topic)


# ---- dead letters


def test_dead_letters_over_a_secure_listener(broker: SecureKafka, tmp_path: Path) -> None:
    """Producer and admin client use the worker's login, the error names a missing right, and with it no letter is lost."""
    topic, dead_letters = make_topic(broker, [*numbered(RECORDS), b"{broken", *numbered(1, RECORDS)]), unique("dead")
    given = local_sink(
        topic,
        tmp_path,
        {
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": dead_letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
        },
    )
    group = f"connect-{given['name']}"
    let_read(broker, "alice", topic, group)
    worker = SCRAM_TLS.worker(broker)
    with pytest.raises(KafkaAuthorizationError, match=f"DESCRIBE and WRITE on the dead-letter topic {dead_letters}"):
        run_until(given, worker, broker.bootstrap, {0: RECORDS + 2})
    assert committed_offsets(broker.bootstrap, group, topic).get(0, 0) <= RECORDS
    broker.grant("alice", ResourceType.TOPIC, dead_letters, AclOperation.WRITE, AclOperation.CREATE)
    run_until(given, worker, broker.bootstrap, {0: RECORDS + 2})
    assert list(range(RECORDS + 1)) == written(tmp_path, topic)
    wait_until(lambda: read(broker.bootstrap, dead_letters, 1)[0].value == b"{broken", "the letter")
