"""examples/docker/Dockerfile: linted. The Dockerfile's steps run as a script in a clean folder, without a container engine."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.version import VERSION
from tests.stack.install import NotInstalledError
from tests.stack.server import HOST, free_port, http_answers
from tests.support.dockerfile import Image, contents, run_steps
from tests.support.kafka_clients import wait_until
from tests.support.local_sink import written
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "examples" / "docker" / "Dockerfile"
RECORDS = 1_000
MOST_BYTES = 400 << 20


def test_hadolint_has_no_objections() -> None:
    """hadolint finds nothing in the Dockerfile, and it would find a base image without a tag."""
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        raise NotInstalledError("hadolint is missing: pip install --group dev")
    found = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (0, "") == (found.returncode, found.stdout)
    broken = DOCKERFILE.read_text(encoding="utf-8").replace("python:3.13-slim-trixie", "python")
    found = subprocess.run([linter, "-"], input=broken, capture_output=True, text=True, check=False)
    assert "DL3006" in found.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The folder that the steps of the Dockerfile make. Installs the package and its libraries from the package index."""
    return run_steps(DOCKERFILE, ROOT, tmp_path_factory.mktemp("image"), sys.executable)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic("events")
        broker.append_values("events", 0, [b'{"n":%d}' % n for n in range(RECORDS)], [time.time_ns() // 1_000_000] * RECORDS)
        yield broker


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_image_is_small_and_has_no_tools(image: Image) -> None:
    """What is installed takes less than 400 MiB, and neither pip nor headers nor tests of libraries are in it."""
    installed = contents(image.root / "opt")
    assert sum(size for size, _ in installed.values()) < MOST_BYTES
    assert not [path for path in installed if path.endswith(("/bin/pip", "/site-packages/pip", "/pyarrow/include", "/tests"))]
    assert not list((image.root / "usr" / "local").rglob("site-packages/pip"))


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_image_drains_a_topic_and_writes_only_to_its_volume(image: Image, broker: EmbeddedBroker, tmp_path: Path) -> None:
    """The default command runs the sink, the health check passes meanwhile, and SIGTERM publishes what is open.

    Apart from the staging volume, nothing in the image changes, so that its root file system may be read-only.
    """
    port = free_port()
    command = [*image.entrypoint, *image.command]
    assert ["kafka2parquet", "run", "/etc/kafka2parquet/sink.json"] == command[:3]
    own = {"kafka2parquet.storage.url": str(tmp_path / "lake"), "kafka2parquet.staging.dir": str(image.root / "staging")}
    config = json_sink({"name": "orders", "topics": "events", "flush.size": "100000", **own})
    (tmp_path / "sink.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "worker.properties").write_text(f"bootstrap.servers={broker.bootstrap}\n", encoding="utf-8")
    command = [part.replace("/etc/kafka2parquet", str(tmp_path)).replace(":8083", f"{HOST}:{port}") for part in command]
    before = contents(image.root, image.volumes)
    where, environment = image.root / "staging", image.process_environment()
    program = shutil.which(command[0], path=environment["PATH"])
    assert str(image.root / "opt/kafka2parquet/bin/kafka2parquet") == program
    version = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True)
    assert VERSION in version.stdout
    process = subprocess.Popen([program, *command[1:]], cwd=where, env=environment)
    try:
        wait_until(http_answers(f"http://{HOST}:{port}/ready", 200), "the sink is ready")
        check = [part.replace("8083", str(port)) for part in image.healthcheck]
        check[0] = str(image.root / "opt/kafka2parquet/bin" / check[0])
        assert 0 == subprocess.run(check, env=environment, check=False).returncode
        url = f"http://{HOST}:{port}"
        assert http_answers(f"{url}/metrics", 200)()
        wait_until(lambda: _open_rows(f"{url}/status") == RECORDS, "the open rows")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60)
    finally:
        process.kill()
        process.wait()
    assert 1 == subprocess.run(check, env=environment, stderr=subprocess.DEVNULL, check=False).returncode
    assert RECORDS == (broker.committed("connect-orders", "events", 0) or (0,))[0]
    assert [*range(RECORDS)] == written(tmp_path / "lake", "events")
    assert before == contents(image.root, image.volumes)


def test_only_what_is_copied_is_sent() -> None:
    """The file beside the Dockerfile that leaves everything out of the context, but for what the Dockerfile copies."""
    lines = DOCKERFILE.with_name(f"{DOCKERFILE.name}.dockerignore").read_text(encoding="utf-8").splitlines()
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for line in copies for name in line.split()} == {line[1:] for line in lines if line.startswith("!")}
    assert ["*", "**/__pycache__"] == [line for line in lines if not line.startswith("!")]


def test_the_process_is_not_root() -> None:
    """The last stage runs as a numbered user that isn't root, and its entry point is the command."""
    last = DOCKERFILE.read_text(encoding="utf-8").rpartition("FROM ")[2].splitlines()
    assert ['ENTRYPOINT ["kafka2parquet"]'] == [line for line in last if line.startswith("ENTRYPOINT")]
    assert ["USER 10001:10001"] == [line for line in last if line.startswith("USER")]


def _open_rows(url: str) -> int:
    tasks = httpx.get(url, trust_env=False).json()["tasks"]
    return sum(partition["open_rows"] for task in tasks for partition in task["partitions"])
