"""Every block of code in the documentation runs, or is checked as far as that is possible without its surroundings.

A remark before a block says what the test can't know:

- `<!-- only compiled: REASON -->`: Python that needs packages that the tests don't have,
- `<!-- only checked: REASON -->`: a configuration of which no task can be built here,
- `<!-- engine: NAME -->`: the dialect of SQL, for statements that `ddl` prints; otherwise it is DuckDB's.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml

from kafka2parquet import build_task, load_worker_config
from kafka2parquet.cli.options import with_joined_ages
from kafka2parquet.cli.parser import build_parser
from kafka2parquet.connect.load import read_connect_config
from kafka2parquet.connect.text import read_properties
from kafka2parquet.testing import MemoryStorage
from tests.docs.blocks import Block, all_blocks
from tests.docs.session import PAGES
from tests.support.sink_properties import json_sink

#: What commands may begin with. Anything else is a typing error, or has to be added here.
_PROGRAMS = {
    ".", "aws", "cp", "curl", "diff", "docker", "export", "find", "gcloud", "journalctl", "jq", "kafka-consumer-groups.sh",
    "kcctl", "keytool", "kill", "kubectl", "make", "marimo", "openssl", "pip", "pytest", "python", "python3", "sort",
    "systemctl", "uvicorn",
}  # fmt: skip
#: Beginnings of the names of a worker's properties.
_OF_WORKERS = ("bootstrap.", "consumer.", "producer.", "sasl.", "security.", "ssl.", "config.providers")


def _params(*languages: str) -> list[Any]:
    return [pytest.param(block, id=block.id) for block in all_blocks(*languages)]


@pytest.mark.parametrize("block", _params("python"))
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of Python runs without the other blocks and defines something; its functions are not called."""
    code = compile("\n" * block.line + block.text, block.page, "exec", dont_inherit=True)
    if block.remark("only compiled") or (block.caption and block.page.removeprefix("docs/") in PAGES):
        return  # a session runs it as a script
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    exec(code, names)
    assert len(names) > 1


@pytest.mark.parametrize("block", _params("json"))
def test_json_is_json_and_configurations_can_run(block: Block) -> None:
    """Each block of JSON can be read. A whole configuration, or some members of one, has no problem and no unknown property."""
    if block.text.startswith('"'):
        _check_connector({**json_sink({}), **json.loads(f"{{{block.text}}}")})
        return
    if '"connector.class"' not in block.text:
        assert json.loads(block.text) is not None
        return
    properties = dict(read_properties(block.text).values)
    _check_connector(properties)
    _build(properties)


@pytest.mark.parametrize("block", _params("properties"))
def test_properties_can_run(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Properties of a connector can be added to one, and properties of a worker are known."""
    _make_modules(block, monkeypatch)
    given = dict(read_properties(block.text, suffix=".properties").values)
    assert given
    worker = {name: text for name, text in given.items() if name.startswith(_OF_WORKERS) and ".override." not in name}
    connector = {name: text for name, text in given.items() if name not in worker}
    if worker:
        assert not connector, "a block is for a worker or for a connector"
        config = read_connect_config(json_sink({})).config
        loaded = load_worker_config({"bootstrap.servers": "localhost:9092", **worker}, missing_allowed=True)
        assert () == (*loaded.consumer_for(config).notes, *loaded.producer_for(config).notes)
        return
    properties = {**json_sink({}), **_of_the_store(connector), **_without_values_of_json(connector), **connector}
    _check_connector(properties)
    if not block.remark("only checked"):
        _build(properties)


def _make_modules(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the modules that `package.module:Class` names, with the classes that the page's Python defines."""
    for name, class_name in re.findall(r"=([a-z_.]+):([A-Z]\w+)$", block.text, re.MULTILINE):
        if not name.startswith("kafka2parquet"):
            module = types.ModuleType(name)
            for other in all_blocks("python"):
                if other.page == block.page and f"class {class_name}(" in other.text:
                    exec(compile(other.text, other.page, "exec", dont_inherit=True), module.__dict__)
            monkeypatch.setitem(sys.modules, name, module)


def _of_the_store(connector: dict[str, str]) -> dict[str, str]:
    """Returns what makes a sink to S3 a sink to GCS, if the properties are for GCS."""
    if not any("gcs." in name for name in connector):
        return {}
    package = "io.confluent.connect.gcs"
    return {
        "connector.class": f"{package}.GcsSinkConnector",
        "storage.class": f"{package}.storage.GcsStorage",
        "format.class": f"{package}.format.parquet.ParquetFormat",
        "gcs.bucket.name": "unused",
        "s3.bucket.name": "",
    }


def _without_values_of_json(connector: dict[str, str]) -> dict[str, str]:
    return {"value.converter.schemas.enable": ""} if "value.converter" in connector else {}


def _check_connector(properties: dict[str, str]) -> None:
    given = {name: text for name, text in properties.items() if text}
    found = read_connect_config(given, missing_allowed=True)
    assert [] == found.sentences
    assert [] == [warning for warning in map(str, found.config.warnings) if "nknown" in warning]


def _build(properties: dict[str, str]) -> None:
    """Builds a task, which connects to nothing."""
    given = {name: text for name, text in properties.items() if text}
    config = read_connect_config(given, missing_allowed=True).config
    build_task(config, load_worker_config(bootstrap_servers="localhost:9092"), storage=MemoryStorage()).close(flush=False)


@pytest.mark.parametrize("block", _params("sh"))
def test_commands_are_commands(block: Block) -> None:
    """The shell can read each block, each command is a program that is known here, and kafka2parquet takes its options."""
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    for line in lines:
        for command in _commands(shlex.split(line, comments=True)):
            if command[0] == "kafka2parquet":
                _parse(command[1:])
            else:
                assert command[0].rpartition("/")[2] in _PROGRAMS


def _commands(words: list[str]) -> Iterator[list[str]]:
    """Yields the commands of a line, without variables that are set before them and files that they write."""
    ends = [at for at, word in enumerate(words) if word in ("|", "&&")]
    for begin, end in zip([-1, *ends], [*ends, len(words)], strict=True):
        command = [*itertools.dropwhile(re.compile(r"[A-Z][A-Z_0-9]*=").match, words[begin + 1 : end])]
        if command:
            yield command[: command.index(">")] if ">" in command else command


def _parse(arguments: list[str]) -> None:
    """Fails if kafka2parquet doesn't know an option."""
    build_parser(arguments[:1]).parse_args(with_joined_ages(arguments))


@pytest.mark.parametrize("block", _params("yaml"))
def test_yaml_is_yaml(block: Block) -> None:
    """Each block of YAML can be read, and has something in it."""
    assert all(yaml.safe_load_all(block.text))


@pytest.mark.parametrize("block", _params("sql"))
def test_sql_is_sql(block: Block) -> None:
    """Each block of SQL is what its engine's dialect allows."""
    engine = block.remark("engine")  # of a statement that `ddl` has printed; sqlglot doesn't know all of the engines' clauses
    statements = sqlglot.parse(block.text, dialect=engine or "duckdb")
    assert statements
    assert engine or all(type(statement) is not sqlglot.exp.Command for statement in statements)
