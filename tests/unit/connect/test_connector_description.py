"""What consoles for Kafka Connect see of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafka2parquet.connect import describe_connector, load_connect_config, load_worker_config
from tests.support.sink_properties import json_sink

SECRET = "tops3cret"


def shown(changes: dict[str, str], worker: dict[str, str] | None = None) -> dict[str, str]:
    config = load_connect_config(json_sink(changes))
    return dict(describe_connector(config, load_worker_config(worker or {})).config)


def test_plain_properties_are_shown_as_they_are() -> None:
    """A configuration without secrets is shown word for word, as Kafka Connect shows it."""
    assert json_sink({}) == shown({})


def test_the_name_is_a_property() -> None:
    """A name that stands beside the properties is shown among them, as in Kafka Connect."""
    properties = {name: text for name, text in json_sink({}).items() if name != "name"}
    config = load_connect_config({"name": "beside", "config": properties})
    description = describe_connector(config, load_worker_config({}), worker_id="10.0.0.1:8083")
    assert ("beside", "beside", "10.0.0.1:8083") == (description.name, description.config["name"], description.worker_id)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("aws.secret.access.key", SECRET, "[hidden]"),
        ("aws.access.key.id", "AKIA1234567890123456", "[hidden]"),
        (
            "consumer.override.sasl.jaas.config",
            f'org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="{SECRET}";',
            "[hidden]",
        ),
        ("s3.proxy.url", f"https://me:{SECRET}@proxy:3128", "https://[hidden]@proxy:3128"),
        ("my.own.password", "abc", "[hidden]"),
        ("my.own.property", "something", "[hidden]"),
    ],
)
def test_secrets_are_masked(name: str, text: str, expected: str) -> None:
    """Secret properties, logins in URLs, and values of unknown properties, which may be secret, are not shown."""
    login = {"aws.access.key.id": "AKIA1234567890123456", "aws.secret.access.key": SECRET} if name.startswith("aws.") else {}
    config = shown({**login, name: text})
    assert expected == config[name]
    assert SECRET not in str(config)


def test_variables_are_shown_as_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A value that was looked up is shown as its variable, secret or not, as in Kafka Connect."""
    monkeypatch.setenv("SINK_TOPIC", "events")
    monkeypatch.setenv("SINK_FLUSH", "7")
    (tmp_path / "aws.properties").write_text(f"id=AKIA1234567890123456\nsecret={SECRET}\n")
    variables = {
        "topics": "${env:SINK_TOPIC}",
        "flush.size": "${env:SINK_FLUSH}",
        "aws.access.key.id": f"${{file:{tmp_path}/aws.properties:id}}",
        "aws.secret.access.key": f"${{file:{tmp_path}/aws.properties:secret}}",
    }
    config = shown(variables)
    assert variables == {name: config[name] for name in variables}


def test_a_variable_within_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is only partly a variable is masked as a whole."""
    monkeypatch.setenv("SINK_PASSWORD", "xy")
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="${env:SINK_PASSWORD}";'
    assert "[hidden]" == shown({"consumer.override.sasl.jaas.config": jaas})["consumer.override.sasl.jaas.config"]


def test_a_variable_within_another_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """In any other text, the variable stands in place of its value."""
    monkeypatch.setenv("SINK_PREFIX", "landing")
    assert "raw/${env:SINK_PREFIX}" == shown({"topics.dir": "raw/${env:SINK_PREFIX}"})["topics.dir"]


def test_errors_show_no_secret_of_the_worker() -> None:
    """The description hides secrets of connector and worker in errors that quote them."""
    worker = load_worker_config({"bootstrap.servers": "localhost:9092", "ssl.keystore.password": SECRET})
    description = describe_connector(load_connect_config(json_sink({})), worker)
    assert "wrong: [hidden]" == description.hide(f"wrong: {SECRET}")
