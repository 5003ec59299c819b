"""`kafka2parquet doctor` and `run --doctor`, on the embedded broker and a local folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka2parquet.cli.main import main
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic("events", partitions=2)
        yield broker


def configured(folder: Path, **changes: str) -> str:
    """Writes the configuration of a sink to a folder, and returns the path."""
    given = {name.replace("_", "."): text for name, text in changes.items()}
    path = folder / "sink.json"
    path.write_text(json.dumps(json_sink({"kafka2parquet.storage.url": str(folder / "lake"), **given})))
    return str(path)


def test_all_is_well(broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0, the last line says so, and no object stays behind."""
    assert 0 == main(["doctor", configured(tmp_path), "--bootstrap-server", broker.bootstrap])
    printed = capsys.readouterr().out
    assert "√ Topic (events) - 2 partitions" in printed
    assert printed.splitlines()[-1].startswith("READY: ")
    assert [] == [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]


def test_something_fails(broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1, and cause and cure are printed."""
    assert 1 == main(["doctor", configured(tmp_path, topics="none"), "--bootstrap-server", broker.bootstrap])
    printed = capsys.readouterr().out
    assert "× Topic (none)\n    The topic none doesn't exist." in printed
    assert f"        kafka-topics --bootstrap-server {broker.bootstrap} --create --topic 'none'" in printed
    assert printed.splitlines()[-1].startswith("NOT READY: ")


def test_json(broker: EmbeddedBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get one document, also if something fails."""
    path = configured(tmp_path, topics="none")
    assert 1 == main(["doctor", path, "--bootstrap-server", broker.bootstrap, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ["topics/missing"] == [f"{each['check']}/{each['cause']}" for each in found["findings"] if each["level"] == "failed"]
    assert found["ready"] is False


def test_rights_need_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The least rights are printed without connecting."""
    path = configured(tmp_path, kafka2parquet_storage_url="s3://lake")
    assert 0 == main(["doctor", path, "--bootstrap-server", "127.0.0.1:1", "--rights"])
    assert "--topic events" in capsys.readouterr().out
    assert 0 == main(["doctor", path, "--bootstrap-server", "127.0.0.1:1", "--rights", "--json"])
    assert {"kafka_acls", "optional_kafka_acls", "iam_policy", "compaction"} == set(json.loads(capsys.readouterr().out))


def test_rights_do_not_depend_on_connections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rights are printed although stores of keys, converters and flushes can't work, and variables aren't set."""
    worker = {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required"
        ' username="drain" password="${env:K2P_NOT_SET}";',
        "ssl.truststore.location": "/etc/kafka/truststore.jks",
        "consumer.interceptor.classes": "com.example.Masking",
    }
    (tmp_path / "worker.json").write_text(json.dumps(worker))
    sink = json_sink(
        {
            "flush.size": "many",
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": "https://registry:8081",
            "value.converter.schema.registry.ssl.truststore.location": "/etc/kafka/truststore.jks",
            "s3.bucket.name": "${env:K2P_BUCKET_NOT_SET}",
            "errors.deadletterqueue.topic.name": "bad",
            "consumer.override.group.id": "connect-lcc-1",
            "consumer.override.group.protocol": "consumer",
        }
    )
    (tmp_path / "sink.json").write_text(json.dumps(sink))
    path = str(tmp_path / "sink.json")
    assert 0 == main(["doctor", path, "--worker", str(tmp_path / "worker.json"), "--rights"])
    printed = capsys.readouterr()
    assert f"{path} can't work yet; `kafka2parquet check` lists its problems.\n" == printed.err
    for right in ("--topic events", "--topic bad", "--group connect-lcc-1", "arn:aws:s3:::${env:K2P_BUCKET_NOT_SET}"):
        assert right in printed.out
    assert "--allow-principal 'User:<principal>' --operation Read --topic events" in printed.out


def test_rights_need_the_properties_that_decide_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rights for a wrong topic or bucket are not printed."""
    path = configured(tmp_path, topics="")
    assert 1 == main(["doctor", path, "--bootstrap-server", "127.0.0.1:1", "--rights"])
    printed = capsys.readouterr()
    assert ("", True) == (printed.out, "Must configure one of topics or topics.regex" in printed.err)


def test_a_configuration_that_cannot_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The problems of a configuration are listed like those of `check`, and nothing is examined."""
    assert 1 == main(["doctor", configured(tmp_path, flush_size="many"), "--bootstrap-server", "127.0.0.1:1"])
    printed = capsys.readouterr()
    assert ("", True) == (printed.out, "flush.size" in printed.err)


def test_run_does_not_start_if_a_check_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--doctor` the sink says what is wrong, instead of waiting for a broker."""
    assert 1 == main(["run", configured(tmp_path), "--bootstrap-server", "127.0.0.1:1", "--doctor"])
    assert "the connection was refused" in capsys.readouterr().out
    assert [] == [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]


def test_no_secret_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the lines nor the JSON show a password or a key."""
    secrets = {name: f"zq-planted-{name}" for name in ("jaas", "store", "registry")}
    jaas = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{secrets["jaas"]}";'
    worker = {
        "bootstrap.servers": "127.0.0.1:1",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": jaas,
    }
    (tmp_path / "worker.json").write_text(json.dumps(worker))
    sink = json_sink(
        {
            "aws.access.key.id": "AKIAPLANTED",
            "aws.secret.access.key": secrets["store"],
            "store.url": "http://127.0.0.1:1",
            "s3.region": "us-east-1",
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": "http://127.0.0.1:1",
            "value.converter.basic.auth.credentials.source": "USER_INFO",
            "value.converter.basic.auth.user.info": f"user:{secrets['registry']}",
        }
    )
    del sink["value.converter.schemas.enable"]
    (tmp_path / "sink.json").write_text(json.dumps(sink))
    arguments = ["doctor", str(tmp_path / "sink.json"), "--worker", str(tmp_path / "worker.json")]
    for more in ([], ["--json"], ["--rights"]):
        main([*arguments, *more])
        printed = capsys.readouterr()
        assert [] == [secret for secret in secrets.values() if secret in printed.out + printed.err]
        assert "127.0.0.1:1" in printed.out
