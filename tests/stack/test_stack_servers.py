"""The servers of the tests keep their addresses and their data when they are stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stack import install, server
from tests.support.kafka_admin import create_topic
from tests.support.kafka_clients import fill, python_consumer, read, unique, wait_until


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_starts_again_where_it_was(proxied_kafka: Any, end: str) -> None:
    """After a restart, the broker has the same address and the same records."""
    topic = unique("restart")
    create_topic(proxied_kafka.bootstrap, topic, 1)
    fill(proxied_kafka.bootstrap, topic, [b"before"])
    getattr(proxied_kafka, end)()
    proxied_kafka.start()
    fill(proxied_kafka.bootstrap, topic, [b"after"])
    assert [b"before", b"after"] == [record.value for record in read(proxied_kafka.bootstrap, topic, 2)]


def test_kafka_freezes_and_thaws(proxied_kafka: Any) -> None:
    """A frozen broker is slow, not lost: clients get their answer when it thaws."""
    topic = unique("frozen")
    create_topic(proxied_kafka.bootstrap, topic, 1)
    proxied_kafka.freeze()
    try:  # the signal may come after an answer
        port = int(proxied_kafka.direct.rpartition(":")[2])
        wait_until(lambda: not server.kafka_answers(port, limit_s=0.2), "a broker that stands still")
    finally:
        proxied_kafka.thaw()
    assert [0] == fill(proxied_kafka.bootstrap, topic, [b"value"])


def test_kafkas_own_tools_see_a_group(proxied_kafka: Any) -> None:
    """`kafka-consumer-groups` shows the offset that a client has committed."""
    topic, group = unique("tool"), unique("group")
    create_topic(proxied_kafka.bootstrap, topic, 1)
    fill(proxied_kafka.bootstrap, topic, [b"a", b"b"])
    with python_consumer(proxied_kafka.bootstrap, topic, group_id=group) as consumer:
        wait_until(lambda: consumer.poll(200), "records")
        consumer.commit()
    described = proxied_kafka.tool("kafka-consumer-groups", "--describe", "--group", group, "--offsets")
    (row,) = (line.split() for line in described.splitlines() if topic in line)
    assert [group, topic, "0", "2", "2", "0"] == row[:6]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_s3_starts_again_where_it_was(own_s3: Any, end: str) -> None:
    """After a restart, the server has the same address and the same objects."""
    bucket = unique("restart")
    own_s3.create_bucket(bucket)
    client = own_s3.client()
    client.put_object(Bucket=bucket, Key="key", Body=b"bytes")
    getattr(own_s3, end)()
    own_s3.start()
    assert b"bytes" == client.get_object(Bucket=bucket, Key="key")["Body"].read()
    client.close()


def test_the_registry_gives_ids_to_schemas(own_registry: Any) -> None:
    """A schema has one id in all subjects, and ids start from 1 again after a restart."""
    first = own_registry.register("a-value", {"type": "record", "name": "A", "fields": []})
    again = own_registry.register("b-value", {"type": "record", "name": "A", "fields": []})
    other = own_registry.register("b-key", {"type": "string"})
    assert first == again < other
    own_registry.stop()
    own_registry.start()
    assert first == own_registry.register("b-key", {"type": "string"})


def test_the_registry_refuses_what_is_not_compatible(own_registry: Any) -> None:
    """The registry checks compatibility as Confluent's does, unless the subject has another setting."""
    subject = unique("subject")
    own_registry.register(subject, {"type": "record", "name": "A", "fields": []})
    grown = {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]}
    with pytest.raises(urllib.error.HTTPError, match="409"):
        own_registry.register(subject, grown)
    own_registry.set_compatibility(subject, "NONE")
    assert own_registry.register(subject, grown) > 1


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A server dies even if that process is killed and can't clean up."""
    program = (
        "import sys, time; from pathlib import Path; from tests.stack.server import Server\n"
        "server = Server([sys.executable, '-c', 'import time; time.sleep(600)'], lambda: True, Path(sys.argv[1]))\n"
        "server.start(); print(server.pid, flush=True); time.sleep(600)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not _lives(child), "the death of the server")


def _lives(pid: int) -> bool:
    """Returns whether the process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    """The error shows the reason from the log, instead of a timeout."""
    failing = server.Server([sys.executable, "-c", "raise SystemExit('no such option')"], lambda: False, tmp_path / "log")
    with pytest.raises(RuntimeError, match="no such option"):
        failing.start()
    failing.kill()


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        (install.kafka_jars, "Maven is missing"),
        (install.parquet_jars, "Maven is missing"),
        (install.registry_folder, "Maven is missing"),
        (lambda: install.go_binary("versitygw"), "Go is missing"),
        (install.jdk, "a JDK is missing"),
        (install.prometheus_folder, "apt-get is missing"),
    ],
)
def test_a_missing_tool_is_named(
    part: Callable[[], Path], missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the tool, and no incomplete installation is left behind."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for _ in range(2):
        with pytest.raises(install.NotInstalledError, match=missing):
            part()


def test_what_is_installed_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call doesn't need any tool, and an interrupted installation is repeated."""
    tools = tmp_path / "tools"
    tools.mkdir()
    go = tools / "go"
    go.write_text('#!/bin/sh\n: > "$GOBIN/versitygw"\ntest -e "$0.works"\n')
    go.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.defpath}")
    with pytest.raises(RuntimeError, match="go failed"):
        install.go_binary("versitygw")
    (tools / "go.works").touch()
    built = install.go_binary("versitygw")
    go.unlink()
    assert built == install.go_binary("versitygw")
    assert built.is_file()


def test_a_port_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers of a cluster never get the same port, although neither listens yet."""
    port = server.free_port()
    drawn = iter([port, port, port + 1 if port < 31_999 else port - 1])

    class Drawn:
        def randrange(self, *_: int) -> int:
            return next(drawn)

    monkeypatch.setattr(server, "_random", Drawn())
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    assert port != server.free_port()
