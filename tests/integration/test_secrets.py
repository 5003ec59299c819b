"""Secrets in every place that can hold one: nothing that the command line prints or writes shows any of them."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.cli.execute import EXIT_OK
from kafka2parquet.cli.main import main
from tests.support.kafka_admin import committed_offsets
from tests.support.kafka_clients import LIMIT_S, admin_client, fill, make_topic, read
from tests.support.local_sink import local_sink

NO_SERVER = "127.0.0.1:1"


def jaas(password: str) -> str:
    """Returns the configuration of a login."""
    return f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{password}";'


class Planted:
    """Secrets that no text contains by chance, with the place of each."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._numbers = itertools.count(100)

    def __call__(self, place: str) -> str:
        secret = f"Zq{next(self._numbers)}plantedZq"
        self._places[secret] = place
        return secret

    def found_in(self, content: str | bytes) -> set[str]:
        """Returns the places of the secrets that the content contains, in plain text or in base64."""
        text = content.decode("latin-1") if isinstance(content, bytes) else content
        return {
            place
            for secret, place in self._places.items()
            if secret in text or base64.b64encode(secret.encode()).decode() in text
        }


class Cli:
    """The command line in separate processes, and everything that it printed."""

    def __init__(self, bootstrap: str, inputs: Path, environment: Mapping[str, str]) -> None:
        self.printed: list[str] = []
        self._bootstrap = bootstrap
        self._inputs = inputs
        self._environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **environment}

    def _process(self, command: Sequence[str], config: Mapping[str, str], worker: Mapping[str, str]) -> Any:
        path, worker_path = self._inputs / "sink.json", self._inputs / "worker.properties"
        path.write_text(json.dumps(config))
        given = {"bootstrap.servers": self._bootstrap, **worker}
        worker_path.write_text("".join(f"{name}={text}\n" for name, text in given.items()))
        arguments = [*command, str(path), "-v", "--worker", str(worker_path)]
        return subprocess.Popen(
            [sys.executable, "-m", "kafka2parquet", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )

    def __call__(self, command: str, config: Mapping[str, str], worker: Mapping[str, str]) -> str:
        """Runs a command to its end, and returns its output."""
        printed = str(self._process(command.split(), config, worker).communicate(timeout=LIMIT_S)[0])
        self.printed.append(printed)
        return printed

    def run_until(self, seen: Any, config: Mapping[str, str], worker: Mapping[str, str] | None = None) -> None:
        """Runs the sink until `seen` holds for its output, then stops it."""
        process = self._process(["run"], config, worker or {})
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line)
                if seen(line):
                    break
            process.send_signal(signal.SIGTERM)
            lines.append(process.communicate(timeout=LIMIT_S)[0])
        finally:
            process.kill()
            self.printed.append("".join(lines))


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def topic(kafka_server: Any) -> str:
    name = make_topic(kafka_server.bootstrap)
    fill(kafka_server.bootstrap, name, [b'{"n": 1}', b"no json", b'{"n": 2}'])
    return name


def test_a_sink_that_runs_shows_no_secret(kafka_server: Any, topic: str, tmp_path: Path, planted: Planted) -> None:
    """The terminal, files, footers, dead letters, the group's metadata and the audit's page don't contain secrets."""
    inputs, store = tmp_path / "inputs", tmp_path / "store"
    inputs.mkdir()
    store.mkdir()
    (inputs / "aws.properties").write_text(f"key={planted('file provider')}\nother={planted('key beside it')}\n")
    cli = Cli(kafka_server.bootstrap, inputs, {"PLANTED": planted("environment variable")})
    dead = f"{topic}-dead"
    config = {
        **local_sink(topic, store),
        "aws.access.key.id": planted("access key"),
        "aws.secret.access.key": f"${{file:{inputs / 'aws.properties'}:key}}",
        "store.url": f"http://u:{planted('store.url')}@{NO_SERVER}",
        "s3.proxy.url": f"http://u:{planted('proxy URL')}@{NO_SERVER}",
        "s3.proxy.password": planted("proxy password"),
        "my.own.setting": planted("unknown property"),
        "my.password": "${env:PLANTED}",
        "errors.tolerance": "all",
        "errors.log.enable": "true",
        "errors.deadletterqueue.topic.name": dead,
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
        "kafka2parquet.quarantine": "true",
    }
    group = f"connect-{config['name']}"
    worker = {
        "consumer.sasl.login.secret": planted("unknown consumer setting"),
        "consumer.ssl.truststore.password": planted("truststore password"),
        "key.converter.token": planted("worker's converter"),
    }

    assert " can't work" not in cli("check", config, worker)
    cli.run_until(lambda _: committed_offsets(kafka_server.bootstrap, group, topic) == {0: 3}, config, worker)
    assert "EXACT" in cli("audit --json", config, worker)
    assert "EXACT" in cli(f"audit --html {tmp_path / 'audit.html'}", config, worker)
    cli("schema show", config, worker)
    cli("schema learn", config, worker)

    assert {} == {cli.printed.index(text): found for text in cli.printed if (found := planted.found_in(text))}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and inputs not in path.parents]
    assert {".parquet", ".html"} <= {path.suffix for path in written}
    assert {} == {str(path): found for path in written if (found := planted.found_in(path.read_bytes()))}
    letters = read(kafka_server.bootstrap, dead, 1)
    assert set() == planted.found_in(repr([(letter.value, letter.headers) for letter in letters]))
    with admin_client(kafka_server.bootstrap) as admin:
        assert set() == planted.found_in(repr(admin.list_group_offsets(group)))


def test_a_store_that_does_not_answer_shows_no_secret(kafka_server: Any, topic: str, tmp_path: Path, planted: Planted) -> None:
    """Errors don't contain secrets, although botocore and gcsfs quote the URLs of endpoints and proxies."""
    cli = Cli(kafka_server.bootstrap, tmp_path, {})
    s3 = {
        **local_sink(topic, tmp_path),
        "kafka2parquet.storage.url": "s3://bucket",
        "s3.part.retries": "0",
        "aws.access.key.id": "AKIAPLAIN",
        "aws.secret.access.key": planted("secret key") + "\nwith a line end",
    }
    for place in ("store.url", "s3.proxy.url"):
        config = {**s3, place: f"http://u:{planted(place)}@{NO_SERVER}"}
        cli.run_until(lambda line: "can't be reached" in line or "can't work" in line, config)

    assert [] == [text for text in cli.printed if "can't be reached" not in text]
    assert {} == {text: found for text in cli.printed if (found := planted.found_in(text))}


def test_wrong_settings_show_no_secret(
    tmp_path: Path, planted: Planted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` and `run` don't show secrets that are in wrong places or in refused settings."""
    monkeypatch.setenv("PLANTED", planted("environment variable"))
    (tmp_path / "key.json").write_text(f'{{"private_key": "{planted("key file")}"')
    good = local_sink("events", tmp_path)
    avro = {
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": f"http://u:{planted('registry URL')}@{NO_SERVER}",
    }
    s3, gcs = {"kafka2parquet.storage.url": "s3://bucket"}, {"kafka2parquet.storage.url": "gs://bucket"}
    ssl = {"consumer.override.security.protocol": "SSL"}
    wrong: list[Mapping[str, str]] = [
        {"flush.size": "${env:PLANTED}"},
        {"value.converter.schemas.enable": "${env:PLANTED}"},
        {"s3.credentials.provider.secret_access_key": planted("refused property")},
        {"s3.credentials.provider.class": "com.example.Mine", "s3.credentials.provider.password": planted("refused")},
        {"aws.secret.acces.key": planted("near miss")},
        {**avro, "value.converter.request.header.Authorization": f"Bearer {planted('header')}"},
        {**avro, "value.converter.basic.auth.credentials.source": planted("credentials source")},
        {**avro, "value.converter.basic.auth.user.info": planted("user info"), "tasks.max": "x"},
        {**avro, "value.converter.bearer.auth.tokn": planted("token's near miss"), "tasks.max": "x"},
        {**avro, "value.converter.schema.registry.url": f"u:{planted('URL without scheme')}@registry:8081"},
        {**s3, "s3.sse.customer.key": planted("customer's key")},
        {**s3, "s3.proxy.url": f"socks5://u:{planted('proxy of another kind')}@h:1"},
        {**s3, "s3.proxy.user": "u", "s3.proxy.password": planted("proxy password without a proxy")},
        {**gcs, "gcs.credentials.json": f'{{"private_key": "{planted("broken JSON")}'},
        {**gcs, "gcs.credentials.path": str(tmp_path / "key.json")},
        {"consumer.override.sasl.mechanism": jaas(planted("mechanism")), "consumer.override.security.protocol": "SASL_SSL"},
        {"consumer.override.security.protocol": jaas(planted("protocol"))},
        {"consumer.override.sasl.jaas.confg": jaas(planted("near miss of JAAS"))},
        {**ssl, "consumer.override.ssl.keystore.key": f"-----BEGIN PRIVATE KEY-----{planted('key in PEM')}"},
        {**ssl, "consumer.override.ssl.keystore.location": f"-----BEGIN PRIVATE KEY-----{planted('PEM as a path')}"},
    ]
    path, worker = tmp_path / "sink.json", tmp_path / "worker.properties"
    worker.write_text(f"bootstrap.servers={NO_SERVER}\n")
    arguments = [str(path), "--worker", str(worker)]
    refused = 0
    for text in (
        *(json.dumps({**good, **changes}) for changes in wrong),
        f'{{"aws.secret.access.key": "{planted("JSON with a comma too many")}", }}',
    ):
        path.write_text(text)
        if main(["check", *arguments]) != EXIT_OK:
            refused += 1
            main(["run", *arguments])
    path.write_text(json.dumps(good))
    malformed = f"password={planted('JAAS that is malformed')}"
    worker.write_text(
        f"bootstrap.servers={NO_SERVER}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config={malformed}\n"
    )
    main(["run", *arguments])
    printed = "".join(capsys.readouterr())

    assert set() == planted.found_in(printed)
    assert 2 * refused + 1 == printed.count("can't work")
    assert refused > 10
