import json
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import ProblemKind
from tests.support.connect_story import STORY


def _config(**overrides: str) -> Any:
    return load_connect_config(
        {
            **read_properties(STORY).values,
            **{f"consumer.override.{name.replace('_', '.')}": text for name, text in overrides.items()},
        }
    )


def test_worker_file(tmp_path: Path) -> None:
    """A worker's properties file is read, and properties that only a worker needs are ignored."""
    path = tmp_path / "connect-distributed.properties"
    path.write_text(
        "bootstrap.servers=a:9092,b:9092\ngroup.id=connect-cluster\nconfig.storage.topic=x\n"
        "consumer.fetch.min.bytes=1\nkey.converter=K\nvalue.converter=V\nvalue.converter.schemas.enable=false\n"
    )
    worker = load_worker_config(path)
    assert "a:9092,b:9092" == worker.bootstrap_servers
    assert {"fetch.min.bytes": "1"} == worker.consumer
    assert {"key.converter": "K", "value.converter": "V", "value.converter.schemas.enable": "false"} == worker.converters


def test_group_is_the_connectors() -> None:
    """The group is `connect-<name>`, as in Connect."""
    settings = load_worker_config(bootstrap_servers="a:1").consumer_for(_config())
    assert ("connect-s3-sink-my-topic-parquet-hourly", ("a:1",)) == (settings.group_id, settings.bootstrap_servers)


def test_overrides_count_for_more() -> None:
    """Overrides of the connector precede consumer settings of the worker, which precede its plain settings."""
    worker = load_worker_config(
        {
            "bootstrap.servers": "a:1",
            "security.protocol": "SSL",
            "ssl.truststore.location": "/worker.pem",
            "consumer.ssl.truststore.location": "/consumer.pem",
            "consumer.fetch.min.bytes": "1",
            "consumer.fetch.max.wait.ms": "2",
        }
    )
    settings = worker.consumer_for(_config(fetch_min_bytes="3", group_id="mine"))
    assert "mine" == settings.group_id
    assert {
        "security_protocol": "SSL",
        "ssl_cafile": "/consumer.pem",
        "fetch_min_bytes": 3,
        "fetch_max_wait_ms": 2,
    } == settings.client_settings


def test_command_line_brokers_count_for_more() -> None:
    """The command line takes precedence over the file."""
    worker = load_worker_config({"bootstrap.servers": "a:1", "consumer.bootstrap.servers": "b:1"}, bootstrap_servers="c:1")
    assert ("c:1",) == worker.consumer_for(_config()).bootstrap_servers


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    """The problem names the missing worker file."""
    with pytest.raises(ConfigurationError, match=r"worker\.properties can't be read"):
        load_worker_config(tmp_path / "worker.properties")


def test_secrets_are_not_in_the_repr() -> None:
    """The repr doesn't contain secrets, so worker settings can be logged."""
    worker = load_worker_config({"consumer.sasl.jaas.config": 'x.Y required username="u" password="hunter2";'})
    assert "hunter2" not in repr(worker)


def test_clients_for_dead_letters_have_their_own_settings() -> None:
    """The clients share the worker's security, but not settings for consumers."""
    worker = load_worker_config(
        {
            "bootstrap.servers": "a:1",
            "security.protocol": "SSL",
            "ssl.truststore.location": "/worker.pem",
            "consumer.ssl.truststore.location": "/consumer.pem",
            "producer.linger.ms": "1",
            "admin.request.timeout.ms": "3",
        }
    )
    overrides = {"producer.override.linger.ms": "2", "admin.override.bootstrap.servers": "b:1"}
    config = load_connect_config({**read_properties(STORY).values, **overrides})
    producer, admin = worker.producer_for(config), worker.admin_for(config)
    tls = {"security_protocol": "SSL", "ssl_cafile": "/worker.pem"}
    assert (("a:1",), {**tls, "linger_ms": 2}) == (producer.bootstrap_servers, producer.client_settings)
    assert (("b:1",), {**tls, "request_timeout_ms": 3}) == (admin.bootstrap_servers, admin.client_settings)


_CLIENTS = {
    "bootstrap.servers": "a:1",
    "sasl.login.class": "x.Y",
    "consumer.fetch.foo": "1",
    "producer.acks": "1",
    "consumer.override.fetch.bar": "1",
    "admin.override.retries": "1",
}


def _with_dead_letters(given: dict[str, str]) -> tuple[ConnectConfig, WorkerConfig]:
    overrides = {name: text for name, text in given.items() if ".override." in name}
    topic = {"errors.deadletterqueue.topic.name": "dead"}
    worker = load_worker_config({name: text for name, text in given.items() if name not in overrides})
    return load_connect_config({**read_properties(STORY).values, **topic, **overrides}), worker


def test_notes_of_clients_name_settings_as_they_are_written() -> None:
    """A note has the name of the connector's or the worker's property, with the prefix, and only where the user wrote one."""
    config, worker = _with_dead_letters(_CLIENTS)
    notes = [note for make in (worker.consumer_for, worker.producer_for, worker.admin_for) for note in make(config).notes]
    assert [
        ("sasl.login.class",),
        ("consumer.fetch.foo",),
        ("consumer.override.fetch.bar",),
        ("sasl.login.class",),
        ("producer.acks",),
        ("sasl.login.class",),
        ("admin.override.retries",),
    ] == [note.properties for note in notes]
    assert {ProblemKind.NOTE} == {note.kind for note in notes}
    assert "Consumer setting consumer.override.fetch.bar is not known and has no effect." == str(notes[2])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"security.protocol": "TLS"}, "Invalid value TLS for configuration security.protocol: String must be one of: "),
        ({"consumer.auto.offset.reset": "x"}, "Invalid value x for configuration consumer.auto.offset.reset: String must be "),
        (
            {"consumer.override.fetch.min.byte": "1"},
            "Consumer setting consumer.override.fetch.min.byte is not known. Did you mean consumer.override.fetch.min.bytes?",
        ),
        (
            {"consumer.override.partition.assignment.strategy": "x.Y"},
            "Invalid value x.Y for configuration consumer.override.partition.assignment.strategy: Class must be one of: ",
        ),
        ({"consumer.interceptor.classes": "x.Y"}, "Consumer setting consumer.interceptor.classes is not supported. Remove it."),
        (
            {"sasl.mechanism": "PLAIN", "consumer.override.security.protocol": "SSL"},
            "sasl.* is set, but consumer.override.security.protocol is SSL. "
            "Set consumer.override.security.protocol to SASL_SSL or SASL_PLAINTEXT.",
        ),
        (
            {"security.protocol": "SASL_SSL", "consumer.sasl.mechanism": "x"},
            "Invalid value x for configuration consumer.sasl.mechanism: String must be one of: ",
        ),
        (
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "consumer.override.sasl.jaas.config": "x.Y required;",
            },
            "consumer.override.sasl.jaas.config has no username and password, which PLAIN needs. Write it as ",
        ),
        (
            {"security.protocol": "SSL", "consumer.ssl.truststore.location": "/ca.jks"},
            "consumer.ssl.truststore.location=/ca.jks is a JKS file, which Python can't read. Convert it with "
            "`keytool -list -rfc -keystore /ca.jks > /ca.pem`, set consumer.ssl.truststore.location to the new file, and "
            "consumer.ssl.truststore.type=PEM.",
        ),
    ],
)
def test_problems_of_clients_name_settings_as_they_are_written(given: dict[str, str], text: str) -> None:
    """A problem has the name of the connector's or the worker's property, with the prefix, in its text too."""
    config, worker = _with_dead_letters(given)
    with pytest.raises(ConfigurationError) as raised:
        worker.consumer_for(config)
    (problem,) = raised.value.details
    written = [name for name in given if name in text]
    assert (written, text) == ([name for name in problem.properties if name in given], str(problem)[: len(text)])


def test_problems_of_a_worker_name_properties(tmp_path: Path) -> None:
    """Problems of a worker's file have properties, and the file in their texts; missing variables are notes with properties."""
    given = {"bootstrap.servers": "<BROKERS>", "consumer.client.id": "${env:K2P_NOT_SET}"}
    path = tmp_path / "worker.json"
    path.write_text(json.dumps(given))
    with pytest.raises(ConfigurationError) as raised:
        load_worker_config(path)
    assert [("bootstrap.servers",), ("consumer.client.id",)] == [problem.properties for problem in raised.value.details]
    assert all(text.startswith(f"The worker's configuration in {path}: ") for text in raised.value.problems)
    worker = load_worker_config({"consumer.client.id": "${env:K2P_NOT_SET}"}, missing_allowed=True)
    assert [(("consumer.client.id",), ProblemKind.NOTE)] == [(note.properties, note.kind) for note in worker.notes]


def test_an_unreadable_file_of_a_worker_names_properties(tmp_path: Path) -> None:
    """Problems with the form of a worker's file keep their properties, and name the file."""
    path = tmp_path / "worker.json"
    path.write_text(json.dumps({"bootstrap.servers": {"a": 1}, "client.id": "x"}))
    with pytest.raises(ConfigurationError) as raised:
        load_worker_config(path)
    assert ("bootstrap.servers",) in [problem.properties for problem in raised.value.details]
    assert all(text.startswith(f"The worker's configuration in {path}: ") for text in raised.value.problems)
