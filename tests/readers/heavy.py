"""Readers that run in a Java machine: Spark, and parquet-java itself. Each reads all its files in one process."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.feather

from tests.readers.light import Column, Columns, NotReadError, columns_of
from tests.readers.zoo import UTC
from tests.stack import install

_EPOCH = datetime.datetime(1970, 1, 1)
_ROOT = Path(__file__).parents[2]
#: Reads all files; prints the columns of each, or why the file can't be read.
BatchReader = Callable[[Sequence[Path], Path], Mapping[Path, "Columns | NotReadError"]]


def read_with_spark(paths: Sequence[Path], folder: Path) -> Mapping[Path, Columns | NotReadError]:
    """Apache Spark, whose results come as Arrow tables; it runs in a separate process, in the time zone UTC.

    Raises:
        NotInstalledError: the JDK is not installed.
    """
    environment = {**os.environ, "JAVA_HOME": str(install.jdk()), "TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1"}
    (folder / "files").write_text("\n".join(map(str, paths)))
    _run([sys.executable, "-m", "tests.readers.spark_program", folder], environment)
    found: dict[Path, Columns | NotReadError] = {}
    for number, path in enumerate(paths):
        result, reason = folder / f"{number}.arrow", folder / f"{number}.error"
        found[path] = columns_of(pyarrow.feather.read_table(result)) if result.exists() else NotReadError(reason.read_text())
    return found


def read_with_parquet_java(paths: Sequence[Path], folder: Path) -> Mapping[Path, Columns | NotReadError]:
    """parquet-java, which Hadoop, Hive, Trino and Spark read with; the checksum of each page is verified.

    Raises:
        NotInstalledError: the JDK or Maven is not installed.
    """
    java = install.jdk() / "bin" / "java"
    program = Path(__file__).with_name("ParquetValues.java")
    output = _run([java, "-cp", f"{install.parquet_jars()}/*", program, *paths], {**os.environ, "TZ": "UTC"})
    found: dict[Path, dict[str, Column]] = {}
    for line in map(json.loads, output.splitlines()):
        if isinstance(line, str):
            found[Path(line)] = columns = {}
        else:
            name, kind, values = line
            columns[name] = Column(kind, [_from_java(value) for value in values])
    return found


def parquet_version() -> str:
    """The version of parquet-java's jars."""
    (jar,) = install.parquet_jars().glob("parquet-hadoop-*.jar")
    return jar.stem.rpartition("-")[2]


def _from_java(node: Any) -> Any:
    if node is None:
        return None
    if isinstance(node, dict):
        ((kind, inner),) = node.items()
        if kind == "map":
            return {_from_java(key): _from_java(value) for key, value in inner}
        if kind == "list":
            return [_from_java(item) for item in inner]
        return {name: _from_java(value) for name, value in inner.items()}
    kind, _, text = node.partition(":")
    return _LEAVES[kind](text)


def _time(text: str) -> datetime.time:
    return (_EPOCH + datetime.timedelta(microseconds=int(text))).time()


_LEAVES: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "string": lambda text: bytes.fromhex(text).decode(),
    "bytes": bytes.fromhex,
    "date": lambda text: (_EPOCH + datetime.timedelta(days=int(text))).date(),
    "time": _time,
    "local": lambda text: _EPOCH + datetime.timedelta(microseconds=int(text)),
    "instant": lambda text: _EPOCH.replace(tzinfo=UTC) + datetime.timedelta(microseconds=int(text)),
}


def _run(command: Sequence[object], environment: Mapping[str, str]) -> str:
    finished = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        cwd=_ROOT,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{finished.stdout[-3000:]}{finished.stderr[-3000:]}")
    return finished.stdout


HEAVY: Mapping[str, BatchReader] = {"Spark": read_with_spark, "parquet-java": read_with_parquet_java}
