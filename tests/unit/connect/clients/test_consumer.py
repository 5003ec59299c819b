import pytest

from kafka2parquet.connect.clients.consumer import consumer_settings
from kafka2parquet.errors import ConfigurationError


def _problems(**given: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        consumer_settings({name.replace("_", "."): text for name, text in given.items()})
    return caught.value.problems


def test_settings_become_kafka_pythons() -> None:
    """Names of settings get underscores, and numbers become numbers."""
    settings = consumer_settings({"fetch.min.bytes": "1", "session.timeout.ms": "10000", "client.id": "me"})
    assert {"fetch_min_bytes": 1, "session_timeout_ms": 10000, "client_id": "me"} == settings.client_settings


def test_group_and_first_start() -> None:
    """Group, static member and starting point aren't client settings, and have their own fields."""
    settings = consumer_settings(
        {"bootstrap.servers": "a:1, b:2", "group.id": "g", "group.instance.id": "i", "auto.offset.reset": "latest"}
    )
    assert (("a:1", "b:2"), "g", "i", "latest", {}) == (
        settings.bootstrap_servers,
        settings.group_id,
        settings.group_instance_id,
        settings.first_start,
        settings.client_settings,
    )


def test_first_start_is_earliest_as_in_connect() -> None:
    """A sink starts at the beginning of its topics by default."""
    assert "earliest" == consumer_settings({}).first_start


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_user_and_password_from_jaas(mechanism: str) -> None:
    """User and password are taken from sasl.jaas.config, with quotes and escapes."""
    settings = consumer_settings(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "sasl.jaas.config": r"org.apache.kafka.common.security.plain.PlainLoginModule required "
            r'username="alice" password="a\"b=c;";',
        }
    )
    assert {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "alice",
        "sasl_plain_password": 'a"b=c;',
    } == settings.client_settings


def test_missing_password() -> None:
    """The problem shows the line to write, without the current value."""
    problems = _problems(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_jaas_config="Plain required username=x;")
    assert (
        "sasl.jaas.config has no username and password, which PLAIN needs. Write it as "
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";',
    ) == problems


def test_sasl_without_its_protocol() -> None:
    """Credentials that would not be used are a problem."""
    assert (
        "sasl.* is set, but security.protocol is PLAINTEXT. Set security.protocol to SASL_SSL or SASL_PLAINTEXT.",
    ) == _problems(sasl_mechanism="PLAIN")


def test_pem_stores() -> None:
    """PEM files are passed on, and an empty identification algorithm turns off the check of host names."""
    settings = consumer_settings(
        {
            "security.protocol": "SSL",
            "ssl.truststore.location": "/ca.pem",
            "ssl.keystore.location": "/me.key",
            "ssl.keystore.type": "PEM",
            "ssl.key.password": "secret",
            "ssl.endpoint.identification.algorithm": "",
        }
    )
    assert {
        "security_protocol": "SSL",
        "ssl_cafile": "/ca.pem",
        "ssl_certfile": "/me.key",
        "ssl_password": "secret",
        "ssl_check_hostname": False,
    } == settings.client_settings


def test_java_key_store() -> None:
    """A store that Python can't read is a problem, and the text says how to convert the store."""
    assert (
        "ssl.truststore.location=/ca.jks is a JKS file, which Python can't read. Convert it with "
        "`keytool -list -rfc -keystore /ca.jks > /ca.pem`, set ssl.truststore.location to the new file, and "
        "ssl.truststore.type=PEM.",
    ) == _problems(security_protocol="SSL", ssl_truststore_location="/ca.jks")


def test_all_problems_at_once() -> None:
    """Every setting is checked, whatever the problems of the others."""
    assert (
        "Invalid value x for configuration fetch.min.bytes: Not a number of type INT.",
        "Consumer setting fetch.max.byte is not known. Did you mean fetch.max.bytes?",
        "Consumer setting interceptor.classes is not supported. Remove it. Nothing is lost if the interceptor only observes, "
        "as for metrics or traces. What changes records belongs in a transform.",
        "Invalid value never for configuration auto.offset.reset: String must be one of: earliest, latest.",
    ) == _problems(fetch_min_bytes="x", fetch_max_byte="1", interceptor_classes="a.B", auto_offset_reset="never")


def test_settings_without_effect_are_noted() -> None:
    """Settings that are fixed here are accepted with a note that gives the reason."""
    settings = consumer_settings({"enable.auto.commit": "true", "max.poll.records": "10", "some.thing": "1"})
    assert (
        "Consumer setting enable.auto.commit has no effect: offsets are committed when their rows are durable.",
        "Consumer setting max.poll.records has no effect: whole batches are read; `kafka2parquet.memory.bytes` bounds them.",
        "Consumer setting some.thing is not known and has no effect.",
    ) == tuple(map(str, settings.notes))


def test_secrets_are_not_in_the_repr() -> None:
    """The repr of settings doesn't contain secrets, so settings can be logged."""
    settings = consumer_settings(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": 'x.Y required username="u" password="hunter2";',
        }
    )
    assert "hunter2" not in repr(settings)


_JAVA = "org.apache.kafka.clients.consumer."


def test_assignors_become_kafka_pythons() -> None:
    """Assignors keep their order, and the names by which group members know them."""
    settings = consumer_settings(
        {"partition.assignment.strategy": f"{_JAVA}StickyAssignor, {_JAVA}RangeAssignor,{_JAVA}RoundRobinAssignor"}
    )
    assert {"partition_assignment_strategy": ["sticky", "range", "roundrobin"]} == settings.client_settings
    settings = consumer_settings({"partition.assignment.strategy": f"{_JAVA}CooperativeStickyAssignor"})
    assert {"partition_assignment_strategy": ["cooperative-sticky"]} == settings.client_settings


def test_assignors_that_can_not_be_offered() -> None:
    """Unsupported assignors are refused by name, and none is dropped silently."""
    (unknown,) = _problems(partition_assignment_strategy="org.example.Mine")
    assert unknown.startswith("Invalid value org.example.Mine for configuration partition.assignment.strategy: ")
    assert f"{_JAVA}RangeAssignor" in unknown
    (mixed,) = _problems(partition_assignment_strategy=f"{_JAVA}RangeAssignor,{_JAVA}CooperativeStickyAssignor")
    assert mixed.startswith("Consumer setting partition.assignment.strategy has CooperativeStickyAssignor beside others")


@pytest.mark.parametrize("text", ["consumer", "CONSUMER", "streams"])
def test_the_new_group_protocol_is_refused(text: str) -> None:
    """The new protocol is refused, because kafka-python supports only the classic one, which may be named."""
    assert (
        "Consumer setting group.protocol is not supported. kafka-python only supports the classic protocol, not KIP-848: "
        "remove it.",
    ) == _problems(group_protocol=text)
    assert {} == consumer_settings({"group.protocol": "Classic"}).client_settings
    assert 1 == len(_problems(group_remote_assignor="uniform"))


_MONITORING = "io.confluent.monitoring.clients.interceptor.MonitoringConsumerInterceptor"
_TRACING = "io.opentelemetry.instrumentation.kafkaclients.v2_6.TracingConsumerInterceptor"


@pytest.mark.parametrize(
    ("interceptors", "effect"),
    [
        (_MONITORING, "it only reports metrics to Confluent Control Center"),
        (f"{_TRACING}, {_MONITORING}", "it only records traces; it only reports metrics to Confluent Control Center"),
    ],
)
def test_interceptors_that_only_observe(interceptors: str, effect: str) -> None:
    """Known interceptors that only observe are a note, because the rows are the same without them."""
    (note,) = consumer_settings({"interceptor.classes": interceptors}).notes
    assert f"Consumer setting interceptor.classes has no effect: {effect}." == str(note)


def test_interceptor_beside_one_that_only_observes() -> None:
    """An interceptor that may change records is refused, whatever stands beside it."""
    (problem,) = _problems(interceptor_classes=f"{_MONITORING},com.example.Masking")
    assert problem.startswith("Consumer setting interceptor.classes is not supported. Remove it. ")
