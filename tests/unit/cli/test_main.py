import io
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet import __version__
from kafka2parquet.cli.commands import lag
from kafka2parquet.cli.execute import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from kafka2parquet.cli.main import main
from kafka2parquet.connect.text import read_properties
from kafka2parquet.errors import ConfigurationError
from tests.support.connect_story import FIVE_MISTAKES, STORY
from tests.support.sink_properties import json_sink


@pytest.fixture
def sink(tmp_path: Path) -> Any:
    path = tmp_path / "sink.json"
    path.write_text(STORY)
    return str(path)


def test_check_describes(sink: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A good configuration is described on stdout."""
    assert EXIT_OK == main(["check", sink])
    assert capsys.readouterr().out.startswith("s3-sink-my-topic-parquet-hourly: from Kafka to s3://your-data-lake-bucket\n")


def test_check_lists_all_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong configuration is refused on stderr with all of its problems, numbered."""
    path = tmp_path / "sink.json"
    path.write_text(FIVE_MISTAKES)
    assert EXIT_CONFIGURATION == main(["check", str(path)])
    lines = capsys.readouterr().err.splitlines()
    assert f"{path} can't work; it has 5 problems:" == lines[0]
    assert ["  1. ", "  2. ", "  3. ", "  4. ", "  5. "] == [line[:5] for line in lines[1:]]


def test_check_lists_problems_of_clients_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings of consumer, producer and store are checked even if properties of the connector are wrong."""
    path = tmp_path / "sink.json"
    more = {
        "flush.size": "x",
        "consumer.override.fetch.min.bytes": "y",
        "errors.deadletterqueue.topic.name": "dead",
        "producer.override.linger.ms": "z",
        "s3.proxy.user": "me",
        "value.converter": "",
    }
    path.write_text(json.dumps({**read_properties(STORY).values, **more}))
    assert EXIT_CONFIGURATION == main(["check", str(path)])
    assert [
        "  1. Invalid value x for configuration flush.size: Not a number of type INT.",
        "  2. Invalid value y for configuration consumer.override.fetch.min.bytes: Not a number of type INT.",
        "  3. Invalid value z for configuration producer.override.linger.ms: Not a number of type LONG.",
        "  4. s3.proxy.user has no effect without s3.proxy.url. Set that, or remove this.",
        "  5. value.converter is set neither here nor in the worker's properties. Set it to "
        "org.apache.kafka.connect.json.JsonConverter, with value.converter.schemas.enable=false where messages carry no "
        "schema, or to the converter that reads what your producers write.",
    ] == capsys.readouterr().err.splitlines()[1:]


def test_run_needs_brokers(sink: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One problem is one line."""
    assert EXIT_CONFIGURATION == main(["run", sink])
    assert (
        f"{sink} can't work: bootstrap.servers is not set. Name brokers in the worker's properties (--worker FILE) or "
        "with --bootstrap-server HOST:PORT.\n" == capsys.readouterr().err
    )


def test_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is a problem like any other."""
    assert EXIT_CONFIGURATION == main(["check", "/nowhere/sink.json"])
    assert "/nowhere/sink.json can't be read" in capsys.readouterr().err


def test_standard_input(sink: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input, and only one of the two files can be read from it."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STORY.encode())))
    assert EXIT_OK == main(["check", "-"])
    assert capsys.readouterr().out.startswith("s3-sink-my-topic-parquet-hourly: from Kafka")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{")))
    assert EXIT_CONFIGURATION == main(["check", "-"])
    assert capsys.readouterr().err.startswith("standard input can't work: Line 1, column 2: this is not valid JSON")
    assert EXIT_CONFIGURATION == main(["check", "-", "--worker", "-"])
    assert "CONFIG and --worker can't both be standard input.\n" in capsys.readouterr().err


def test_name_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name is that of the consumer group, and selects one of several connectors."""
    path = tmp_path / "sink.json"
    named = read_properties(STORY).values
    path.write_text(json.dumps({name: text for name, text in named.items() if name != "name"}))
    assert EXIT_CONFIGURATION == main(["check", str(path)])
    assert "Give it with --name NAME" in capsys.readouterr().err
    assert EXIT_OK == main(["check", str(path), "--name", "mine"])
    assert "the consumer group connect-mine." in capsys.readouterr().out
    path.write_text(json.dumps([{"name": name, "config": {**named, "name": name}} for name in ("a", "b")]))
    assert EXIT_CONFIGURATION == main(["audit", str(path)])
    assert f"{path} can't work: The configuration contains 2 connectors: a, b." in capsys.readouterr().err
    assert EXIT_OK == main(["check", str(path), "--name", "b"])


def test_check_without_secrets(
    sink: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing secrets are a note, and `run` refuses to start without them."""
    monkeypatch.delenv("K2P_NOT_SET", raising=False)
    secrets = {
        "aws.access.key.id": "${env:K2P_NOT_SET}",
        "aws.secret.access.key": "${file:/nowhere/aws.properties:secret}",
        "consumer.override.security.protocol": "SASL_SSL",
        "consumer.override.sasl.mechanism": "PLAIN",
        "consumer.override.sasl.jaas.config": "${env:K2P_NOT_SET}",
        "s3.sse.customer.key": "${env:K2P_NOT_SET}",
        "s3.proxy.password": "${env:K2P_NOT_SET}",
        "flush.size": "${env:K2P_NOT_SET}",
    }
    path = tmp_path / "secret.json"
    path.write_text(json.dumps({**read_properties(STORY).values, **secrets}))
    assert EXIT_OK == main(["check", str(path)])
    out = capsys.readouterr().out
    assert "- aws.access.key.id: ${env:K2P_NOT_SET}: this environment variable is not set. `run` needs it;" in out
    assert 6 == out.count("`run` needs it")
    assert EXIT_CONFIGURATION == main(["run", str(path), "--bootstrap-server", "localhost:1"])
    assert "aws.access.key.id: ${env:K2P_NOT_SET}: this environment variable is not set." in capsys.readouterr().err


def test_check_needs_no_secret_for_a_worker_with_converter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The configuration is merged with the worker's and checked again, without secrets."""
    given = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("value.converter")}
    path, worker = tmp_path / "secret.json", tmp_path / "worker.properties"
    path.write_text(json.dumps({**given, "s3.bucket.name": "${env:K2P_NOT_SET}"}))
    worker.write_text(
        "value.converter=JsonConverter\nvalue.converter.schemas.enable=false\nsecurity.protocol=SASL_SSL\n"
        "sasl.mechanism=PLAIN\nsasl.jaas.config=${file:/nowhere/x:y}\n"
    )
    assert EXIT_OK == main(["check", str(path), "--worker", str(worker)])
    out = capsys.readouterr().out
    assert "s3://${env:K2P_NOT_SET}/raw" in out
    assert "sasl.jaas.config: ${file:/nowhere/x:y} can't be read: No such file or directory. `run` needs it" in out


def test_worker_of_the_environment(sink: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's variables apply if no worker is named, and a note lists them."""
    monkeypatch.setenv("CONNECT_BOOTSTRAP_SERVERS", "kafka:9092")
    assert EXIT_OK == main(["check", sink])
    out = capsys.readouterr().out
    assert "- The worker's settings come from the environment: CONNECT_BOOTSTRAP_SERVERS." in out
    assert "brokers are needed" not in out


def test_a_bug_is_not_a_traceback(sink: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug prints one line and has the exit code of a failure."""

    def describe(config: Any, worker: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("kafka2parquet.cli.commands.check.describe", describe)
    assert EXIT_FAILED == main(["check", sink])
    assert "Unexpected ZeroDivisionError: division by zero. This is a bug; --verbose shows where.\n" == capsys.readouterr().err


def test_errors_in_a_json_log(sink: Any) -> None:
    """With --log-format json, the error that ends a command is a JSON object on one line, too."""
    command = [sys.executable, "-m", "kafka2parquet", "run", sink, "--log-format", "json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert EXIT_CONFIGURATION == finished.returncode
    (line,) = [json.loads(line) for line in finished.stderr.splitlines() if "bootstrap.servers" in line]
    assert "ERROR" == line["level"]
    assert line["message"].startswith(f"{sink} can't work: bootstrap.servers is not set.")


def test_interrupt(sink: Any) -> None:
    """Ctrl-C ends a command that looks at things without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "kafka2parquet", "lag", sink, "--bootstrap-server", address]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
            connection, _ = silent.accept()
            with connection:  # a broker that hangs up would be logged
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                assert "Stopped.\n" == process.stderr.read()
                assert EXIT_INTERRUPTED == process.wait(30)


def test_wrong_command_line() -> None:
    """A wrong command line is an error from argparse, with its exit code."""
    with pytest.raises(SystemExit, match="2"):
        main(["drain"])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version can be asked for."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert f"kafka2parquet {__version__}\n" == capsys.readouterr().out


def test_schema_is_learned_with_the_workers_converter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Records are converted as a run would convert them."""
    sink, worker, samples = (tmp_path / name for name in ("sink.json", "worker.properties", "samples.jsonl"))
    properties = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("value.converter")}
    sink.write_text(json.dumps({**properties, "kafka2parquet.storage.url": str(tmp_path / "files")}))
    worker.write_text("value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n")
    samples.write_text('{"id": 1}\n')
    assert EXIT_OK == main(["schema", "learn", str(sink), "--worker", str(worker), "--from", str(samples)])
    assert ["id"] == [field["name"] for field in json.loads(capsys.readouterr().out)["fields"]]


def test_schema_that_is_never_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error says why the topic doesn't have a schema."""
    sink = tmp_path / "sink.json"
    properties = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("value.converter")}
    sink.write_text(
        json.dumps({**properties, "kafka2parquet.storage.url": str(tmp_path), "value.converter": "StringConverter"})
    )
    assert EXIT_CONFIGURATION == main(["schema", "show", str(sink)])
    assert capsys.readouterr().err.endswith(" The columns of StringConverter are not learned, so no schema is kept.\n")


def test_problem_that_clients_share_is_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem in the worker's security is reported once, although consumer, producer and admin client share it."""
    sink, worker = tmp_path / "sink.json", tmp_path / "worker.properties"
    sink.write_text(json.dumps({**read_properties(STORY).values, "errors.deadletterqueue.topic.name": "dead"}))
    worker.write_text("bootstrap.servers=a:1\nsecurity.protocol=TLS\n")
    assert EXIT_CONFIGURATION == main(["check", str(sink), "--worker", str(worker)])
    assert (
        f"{sink} can't work: Invalid value TLS for configuration security.protocol: String must be one of: PLAINTEXT, SSL, "
        "SASL_PLAINTEXT, SASL_SSL.\n" == capsys.readouterr().err
    )


def test_answer_of_a_server_is_not_about_the_file(
    sink: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that arises later and names no property doesn't say that the file can't work."""

    def refused(*arguments: object) -> int:
        raise ConfigurationError("While joining the group, Kafka refused this member.")

    monkeypatch.setattr(lag, "run", refused)
    assert EXIT_CONFIGURATION == main(["lag", sink, "--bootstrap-server", "127.0.0.1:1"])
    assert "ConfigurationError: While joining the group, Kafka refused this member.\n" == capsys.readouterr().err


def test_notes_of_check_are_no_warnings_of_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`run` logs a setting without effect as information, and a probable mistake as a warning."""
    path = tmp_path / "noted.json"
    path.write_text(json.dumps(json_sink({"retry.backoff.ms": "5000", "s3.part.retry": "5"})))
    caplog.set_level("INFO")
    assert EXIT_CONFIGURATION == main(["run", str(path)])
    levels = {record.getMessage().split(" ")[0]: record.levelname for record in caplog.records}
    assert ("INFO", "WARNING") == (levels["retry.backoff.ms"], levels["s3.part.retry"])


@pytest.mark.parametrize("command", ["check", "run", "lag", "doctor"])
def test_each_command_keeps_to_the_restrictions_of_a_worker(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that the worker doesn't allow is a problem before anything is connected, and its value is never shown."""
    (tmp_path / "aws.properties").write_text("key=AKIAPLANTED")
    variable = f"${{file:{tmp_path}/aws.properties:key}}"
    sink, worker = tmp_path / "sink.json", tmp_path / "worker.properties"
    sink.write_text(json.dumps(json_sink({"aws.access.key.id": variable, "aws.secret.access.key": "s"})))
    worker.write_text(
        "bootstrap.servers=127.0.0.1:1\nconfig.providers=file\nconfig.providers.file.class=FileConfigProvider\n"
        f"config.providers.file.param.allowed.paths={tmp_path}/other\n"
    )
    assert EXIT_CONFIGURATION == main([command, str(sink), "--worker", str(worker)])
    printed = capsys.readouterr()
    assert (
        f"aws.access.key.id: {variable}: the worker's properties don't allow the path {tmp_path}/aws.properties" in printed.err
    )
    assert "AKIAPLANTED" not in printed.out + printed.err
