from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError
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
