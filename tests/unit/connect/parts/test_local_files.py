"""Files of keys, certificates and credentials that a configuration names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafka2parquet.connect.build import TaskPlan, load_for_worker
from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config
from kafka2parquet.errors import ConfigurationError
from tests.support.sink_properties import json_sink

_REGISTRY_CA = "value.converter.schema.registry.ssl.truststore.location"
_AVRO = {
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "https://registry:8081",
    _REGISTRY_CA: "/nowhere/ca.pem",
}
_DEAD_LETTERS = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "bad"}
_WORKER = {
    "bootstrap.servers": "kafka:9093",
    "security.protocol": "SSL",
    "ssl.truststore.location": "/nowhere/kafka.pem",
    "producer.ssl.keystore.location": "/nowhere/producer.pem",
}


def _worker(**changes: str) -> WorkerConfig:
    return load_worker_config(_WORKER | {name.replace("_", "."): text for name, text in changes.items()})


def _unreadable(name: str, file: str) -> str:
    return f"{name}={file} can't be read on this machine: No such file or directory."


def test_check_notes_files_of_other_machines() -> None:
    """A check names each file that this machine can't read, once, and the configuration is good."""
    description = describe(load_connect_config(json_sink({**_AVRO, **_DEAD_LETTERS})), _worker())
    files = (
        ("ssl.truststore.location", "/nowhere/kafka.pem"),
        ("producer.ssl.keystore.location", "/nowhere/producer.pem"),
        (_REGISTRY_CA, "/nowhere/ca.pem"),
    )
    assert [f"{_unreadable(*file)} `run` needs the file." for file in files] == [
        str(note) for note in description.notes if "can't be read" in str(note)
    ]


def test_run_needs_the_files() -> None:
    """A plan that connects to brokers refuses missing files, each with its property, before anything is connected."""
    with pytest.raises(ConfigurationError) as raised:
        TaskPlan.of(load_connect_config(json_sink(_AVRO)), _worker())
    assert (
        _unreadable("ssl.truststore.location", "/nowhere/kafka.pem"),
        _unreadable(_REGISTRY_CA, "/nowhere/ca.pem"),
    ) == raised.value.problems


def test_missing_files_are_listed_beside_other_problems(tmp_path: Path) -> None:
    """Where something runs, missing files are listed at once with other problems; in a check, they are not problems."""
    file = tmp_path / "sink.json"
    file.write_text(json.dumps(json_sink({**_AVRO, "tasks.max": "0"})))
    with pytest.raises(ConfigurationError) as raised:
        load_for_worker(str(file), _worker())
    assert [("tasks.max",), ("ssl.truststore.location",), (_REGISTRY_CA,)] == [
        problem.properties for problem in raised.value.details
    ]
    with pytest.raises(ConfigurationError) as raised:
        load_for_worker(str(file), _worker(), missing_allowed=True)
    assert [("tasks.max",)] == [problem.properties for problem in raised.value.details]


def test_files_of_connections_without_tls_are_not_needed() -> None:
    """Where the brokers are reached without TLS, nobody reads the worker's certificates."""
    plan = TaskPlan.of(load_connect_config(json_sink({})), _worker(security_protocol="PLAINTEXT"))
    assert {} == plan.consumer.files


def test_broken_file_of_the_registry_is_named(tmp_path: Path) -> None:
    """A file without certificates is a problem of its property, with the property's full name."""
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    with pytest.raises(ConfigurationError, match=rf"^{_REGISTRY_CA}={ca} can't be loaded: "):
        TaskPlan.of(load_connect_config(json_sink({**_AVRO, _REGISTRY_CA: str(ca)})), WorkerConfig("kafka:9092"))


def test_credentials_of_gcs() -> None:
    """The file of a service account's key is needed where files go to GCS."""
    given = {
        "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
        "gcs.bucket.name": "lake",
        "gcs.credentials.path": "/nowhere/key.json",
    }
    sink = {name: text for name, text in json_sink(given).items() if not name.startswith(("s3.", "storage.", "format."))}
    config = load_connect_config(
        {
            **sink,
            "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
            "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
        }
    )
    assert _unreadable("gcs.credentials.path", "/nowhere/key.json") in describe(config, WorkerConfig()).text
