"""The forms in which people keep a Connect worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kafka2parquet.connect.forms.container import property_name
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError

CASES = Path(__file__).parent / "cases"
JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p\\\\w$1";'
VARIABLES = {
    "CONNECT_BOOTSTRAP_SERVERS": "broker:9092",
    "CONNECT_GROUP_ID": "compose-connect-group",
    "CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR": "1",
    "CONNECT_CONSUMER_FETCH_MIN_BYTES": "10",
    "CONNECT_VALUE_CONVERTER": "io.confluent.connect.avro.AvroConverter",
    "CONNECT_VALUE_CONVERTER_SCHEMA_REGISTRY_URL": "http://schema-registry:8081",
    "CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE": "false",
    "CONNECT_LOG4J_LOGGERS": "org.reflections=ERROR",
}


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("CONNECT_BOOTSTRAP_SERVERS", "bootstrap.servers"),
        ("CONNECT_A__B_C", "a_b.c"),
        ("CONNECT_A___B_C", "a-b.c"),
        ("CONNECT_A____B", "a-.b"),
        ("CONNECT_CONSUMER_SASL_JAAS_CONFIG", "consumer.sasl.jaas.config"),
    ],
)
def test_names_of_variables(variable: str, name: str) -> None:
    """One underscore is a dot, two are an underscore, and three are a hyphen, as in Confluent's images."""
    assert name == property_name(variable)


def test_env_file() -> None:
    """The env file of a container is read."""
    worker = load_worker_config(CASES / "worker.env")

    assert "broker:9092" == worker.bootstrap_servers
    assert "http://schema-registry:8081" == worker.converters["value.converter.schema.registry.url"]


def _compose(environment: object) -> Any:
    return yaml.safe_dump(
        {
            "version": "3",
            "services": {
                "broker": {"image": "kafka", "environment": {"KAFKA_BROKER_ID": 1}},
                "connect": {"environment": environment, "command": ["bash", "-c", "curl -X PUT http://x\n"]},
            },
        }
    )


def _deployment() -> Any:
    env = [{"name": name, "value": text} for name, text in VARIABLES.items()]
    container = {"name": "connect", "env": [{"name": "JAVA_HOME", "value": "/x"}, *env]}
    return yaml.safe_dump({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("connect.env", "# worker\n" + "\n".join(f"{name}={text}" for name, text in VARIABLES.items())),
        (".env", "\n".join(f'{name}="{text}"' for name, text in VARIABLES.items())),
        ("worker.properties", "KAFKA_HEAP_OPTS=-Xmx1g\n" + "\n".join(f"{name}={text}" for name, text in VARIABLES.items())),
        ("env.sh", "\n".join(f"export {name}='{text}'" for name, text in VARIABLES.items())),
        ("docker-compose.yml", _compose(VARIABLES)),
        ("compose.yaml", _compose([f"{name}={text}" for name, text in VARIABLES.items()])),
        ("deployment.yaml", _deployment()),
        ("env.yaml", yaml.safe_dump(VARIABLES)),
        ("env.json", json.dumps(VARIABLES)),
    ],
)
def test_variables_of_containers(tmp_path: Path, name: str, text: str) -> None:
    """The variables of containers are found wherever a manifest sets them."""
    path = tmp_path / name
    path.write_text(text)
    worker = load_worker_config(path)

    assert ("broker:9092", {"fetch.min.bytes": "10"}) == (worker.bootstrap_servers, worker.consumer)
    assert {
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": "http://schema-registry:8081",
        "value.converter.schemas.enable": "false",
    } == worker.converters


def test_variables_of_debezium(tmp_path: Path) -> None:
    """Variables that Debezium's image reads without the prefix are read."""
    path = tmp_path / "compose.yaml"
    path.write_text(_compose({"BOOTSTRAP_SERVERS": "kafka:9092", "VALUE_CONVERTER": "C", "CONNECT_CONSUMER_CLIENT_ID": "x"}))
    worker = load_worker_config(path)

    assert ("kafka:9092", {"client.id": "x"}, {"value.converter": "C"}) == (
        worker.bootstrap_servers,
        worker.consumer,
        worker.converters,
    )


def test_mapping_of_variables() -> None:
    """A mapping of variables, such as the environment of a process, is read."""
    assert "broker:9092" == load_worker_config({"HOME": "/root", **VARIABLES}).bootstrap_servers


def test_backslashes_and_dollars_of_env_files(tmp_path: Path) -> None:
    """Backslashes in an env file are not escapes."""
    path = tmp_path / "connect.env"
    path.write_text(f"CONNECT_CONSUMER_CLIENT_RACK=\nCONNECT_BOOTSTRAP_SERVERS=a:1\nCONNECT_CONSUMER_SASL_JAAS_CONFIG={JAAS}\n")
    worker = load_worker_config(path)

    assert ("a:1", {"client.rack": "", "sasl.jaas.config": JAAS}) == (worker.bootstrap_servers, worker.consumer)


def test_interpolation_of_compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are looked up with their defaults, and two dollars are one."""
    monkeypatch.setenv("K2P_BROKER", "b:1")
    (tmp_path / "secret.properties").write_text("id=x\n")
    environment = {
        "CONNECT_BOOTSTRAP_SERVERS": "${K2P_BROKER}",
        "CONNECT_CONSUMER_CLIENT_ID": f"$${{file:{tmp_path}/secret.properties:id}}",
        "CONNECT_CONSUMER_FETCH_MIN_BYTES": "${K2P_NOT_SET:-7}",
        "CONNECT_CONSUMER_CLIENT_RACK": "r-$K2P_BROKER",
    }
    path = tmp_path / "compose.yaml"
    path.write_text(_compose(environment))
    worker = load_worker_config(path)

    assert "b:1" == worker.bootstrap_servers
    assert {"client.id": "x", "fetch.min.bytes": "7", "client.rack": "r-b:1"} == worker.consumer


def test_variable_that_compose_takes_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without a value is taken from the environment."""
    monkeypatch.setenv("CONNECT_BOOTSTRAP_SERVERS", "outside:1")
    path = tmp_path / "compose.yaml"
    path.write_text(_compose(["CONNECT_BOOTSTRAP_SERVERS"]))

    assert "outside:1" == load_worker_config(path).bootstrap_servers


def test_services_that_share_their_variables(tmp_path: Path) -> None:
    """Two services with the same variables are one worker."""
    path = tmp_path / "compose.yaml"
    path.write_text(
        "x-connect: &connect\n  environment: &env\n    CONNECT_BOOTSTRAP_SERVERS: a:1\n"
        "services:\n  one:\n    <<: *connect\n  two:\n    environment: *env\n"
    )

    assert "a:1" == load_worker_config(path).bootstrap_servers


def test_config_map(tmp_path: Path) -> None:
    """Dollars in a config map are text, as in Kubernetes."""
    path = tmp_path / "map.yaml"
    path.write_text(yaml.safe_dump({"kind": "ConfigMap", "data": {**VARIABLES, "CONNECT_CONSUMER_CLIENT_RACK": "a$b$$c"}}))

    assert {"fetch.min.bytes": "10", "client.rack": "a$b$$c"} == load_worker_config(path).consumer


def test_several_workers_in_a_compose_file(tmp_path: Path) -> None:
    """The error names the workers."""
    services = {name: {"environment": {**VARIABLES, "CONNECT_GROUP_ID": name}} for name in ("connect-1", "connect-2")}
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump({"services": services}))
    with pytest.raises(ConfigurationError, match=r"compose\.yaml: Several containers .*: connect-1, connect-2\."):
        load_worker_config(path)


def test_worker_of_strimzi(tmp_path: Path) -> None:
    """Properties come from `config`, and brokers from the field for brokers."""
    spec = {"bootstrapServers": "b:9092", "config": {"group.id": "g", "consumer.fetch.min.bytes": 3}}
    path = tmp_path / "connect.yaml"
    path.write_text(yaml.safe_dump({"kind": "KafkaConnect", "metadata": {"name": "w"}, "spec": spec}))
    worker = load_worker_config(path)
    assert ("b:9092", {"fetch.min.bytes": "3"}) == (worker.bootstrap_servers, worker.consumer)


@pytest.mark.parametrize("what", ["tls", "authentication"])
def test_login_of_strimzi(tmp_path: Path, what: str) -> None:
    """A login is refused, because its secrets can't be read and the sink would connect without it."""
    spec = {"bootstrapServers": "b:9092", what: {"type": "scram-sha-512"}}
    path = tmp_path / "connect.yaml"
    path.write_text(yaml.safe_dump({"kind": "KafkaConnect", "spec": spec}))
    with pytest.raises(ConfigurationError, match=rf"spec\.{what} of a KafkaConnect refers to secrets in Kubernetes"):
        load_worker_config(path)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".yaml", "bootstrap.servers: a:1,b:1\nconsumer.fetch.min.bytes: 1\n"),
        (".toml", '"bootstrap.servers" = "a:1,b:1"\n"consumer.fetch.min.bytes" = 1\n'),
        (".json", '{"bootstrap.servers": "a:1,b:1", "consumer.fetch.min.bytes": 1}'),
        (".properties", "bootstrap.servers: a:1,b:1\n"),
    ],
)
def test_notations(tmp_path: Path, suffix: str, text: str) -> None:
    """Workers may have the notations of connectors."""
    path = tmp_path / f"worker{suffix}"
    path.write_text(text)

    assert "a:1,b:1" == load_worker_config(path).bootstrap_servers


def test_empty_worker(tmp_path: Path) -> None:
    """An empty worker file doesn't name brokers."""
    path = tmp_path / "worker.properties"
    path.write_text("# bootstrap.servers=\n")

    assert "" == load_worker_config(path).bootstrap_servers


@pytest.mark.parametrize("text", ["$BROKERS", "${BROKERS}", "<your-broker>:9092", "CHANGE_ME", "{{ brokers }}"])
def test_placeholders(tmp_path: Path, text: str) -> None:
    """Each placeholder is a problem, before a host with its name is looked up."""
    path = tmp_path / "worker.properties"
    path.write_text(f"bootstrap.servers={text}\n")
    with pytest.raises(ConfigurationError, match=r"bootstrap\.servers: .* is a placeholder that is not filled in\."):
        load_worker_config(path)
    assert "b:1" == load_worker_config(path, bootstrap_servers="b:1").bootstrap_servers


def test_placeholders_of_secrets(tmp_path: Path) -> None:
    """A placeholder that may be a secret isn't shown."""
    path = tmp_path / "worker.properties"
    path.write_text("bootstrap.servers=a:1\nssl.key.password=<the password>\n")
    with pytest.raises(ConfigurationError, match=r"properties: ssl\.key\.password is a placeholder") as caught:
        load_worker_config(path)
    assert "<the password>" not in str(caught.value)


def test_errors_name_the_file(tmp_path: Path) -> None:
    """The error names the file, because the command line has two."""
    path = tmp_path / "worker.tf"
    path.write_text('resource "x" "y" {\n}\n')
    with pytest.raises(ConfigurationError, match=r"^The worker's configuration in .*worker\.tf: This is Terraform"):
        load_worker_config(path)


SECURE = {
    "bootstrap.servers": "a:1",
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config": "${file:/nowhere/kafka.properties:jaas}",
    "consumer.fetch.min.bytes": "${env:K2P_NOT_SET}",
    "ssl.truststore.location": "${env:K2P_NOT_SET}",
}


@pytest.mark.parametrize("change", [{}, {"security.protocol": "${env:K2P_NOT_SET}"}, {"sasl.mechanism": "${env:K2P_NOT_SET}"}])
def test_secrets_that_are_elsewhere(change: dict[str, str]) -> None:
    """A check doesn't need secrets that are stored elsewhere, and still reads the other settings."""
    with pytest.raises(ConfigurationError, match="can't be read: No such file or directory"):
        load_worker_config({**SECURE, **change})
    worker = load_worker_config({**SECURE, **change}, missing_allowed=True)

    assert 3 + len(change) == len(worker.notes)
    assert "a:1" == worker.bootstrap_servers
