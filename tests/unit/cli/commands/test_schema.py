"""`kafka2parquet schema`: the contract of a topic, for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.cli.main import main
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink

TOPICS = "lake/_kafka2parquet"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Path]:
    """Writes the configuration of a sink."""

    def write(topics: str = "events", **properties: str) -> Path:
        config = json_sink(
            {
                "topics": topics,
                "topics.dir": "lake",
                "kafka2parquet.storage.url": str(tmp_path / "files"),
                **{name.replace("_", "."): text for name, text in properties.items()},
            }
        )
        path = tmp_path / "sink.json"
        path.write_text(json.dumps({name: text for name, text in config.items() if text}))
        return path

    return write


@pytest.fixture
def run(configure: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with a configuration; exit code, stdout and stderr."""

    def call(action: str, *arguments: str, **config: str) -> tuple[int, str, str]:
        code = main(["schema", action, str(configure(**config)), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def columns(text: str) -> dict[str, str]:
    return {field["name"]: field["type"] for field in json.loads(text)["fields"]}


def lines(tmp_path: Path, *values: bytes) -> str:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(b"\n".join(values))
    return str(path)


def stored(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path / "files")) for path in (tmp_path / "files").rglob("*.json"))


def schema_file(tmp_path: Path, **types: str) -> str:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"fields": [{"name": name, "type": type_} for name, type_ in types.items()]}))
    return str(path)


def test_proposes_a_schema_from_a_file(run: Run, tmp_path: Path) -> None:
    """The schema and the misfits are printed; nothing is stored."""
    code, out, err = run("learn", "--from", lines(tmp_path, b'{"a": 1}', b"", b'{"a": 2.5, "b": ["x"]}', b'{"a": "x"}'))

    assert (0, {"a": "double", "b": "list<string>"}, []) == (code, columns(out), stored(tmp_path))
    assert "3 records were read, 1 of them doesn't fit.\n  events-0, offset 2: field a: text where double is expected\n" == err


def test_stores_what_was_learned(run: Run, tmp_path: Path) -> None:
    """The columns become the first version, and later ones the next version; known columns are not stored again."""
    first = run("learn", "--write", "--from", lines(tmp_path, b'{"a": 1}'))
    second = run("learn", "--write", "--from", lines(tmp_path, b'{"b": true}'))
    third = run("learn", "--write", "--from", lines(tmp_path, b'{"a": 3}'))

    assert [0, 0, 0] == [code for code, _, _ in (first, second, third)]
    assert [f"{TOPICS}/events/schema-1.json", f"{TOPICS}/events/schema-2.json"] == stored(tmp_path)
    assert "new: b (boolean)" in second[2]
    assert "as version 2; nothing was stored." in third[2]


def test_learning_keeps_to_the_policy_of_the_topic(run: Run, tmp_path: Path) -> None:
    """Conflicts become text if the configuration says so, and a pinned topic can still be learned."""
    samples = lines(tmp_path, b'{"a": 1}', b'{"a": "x"}')
    _, as_text, _ = run("learn", "--from", samples, kafka2parquet_schema_on_misfit="string")
    code, pinned, _ = run("learn", "--from", samples, kafka2parquet_schema_evolution="none")

    assert ({"a": "any"}, {"a": "int64"}, 0) == (columns(as_text), columns(pinned), code)


def test_learns_what_schemaless_messages_hold(run: Run, tmp_path: Path) -> None:
    """With schemas.enable=true, columns are learned from payloads whose schema is null."""
    samples = lines(tmp_path, b'{"schema": null, "payload": {"a": 1}}')
    code, out, _ = run("learn", "--from", samples, value_converter_schemas_enable="true")

    assert (0, {"a": "int64"}) == (code, columns(out))


def test_shows_what_is_stored(run: Run, tmp_path: Path) -> None:
    """The newest version, or another one, is printed byte by byte."""
    run("pin", schema_file(tmp_path, a="int64"))
    run("pin", schema_file(tmp_path, a="double"))

    assert (0, (tmp_path / "files" / TOPICS / "events" / "schema-2.json").read_text(), "") == run("show")
    assert {"a": "int64"} == columns(run("show", "--version", "1", "--topic", "events")[1])


def test_shows_what_there_is_of_all_topics(run: Run, tmp_path: Path) -> None:
    """The command shows the named topics or, with a pattern, those that have a schema."""
    run("pin", "--topic", "b", schema_file(tmp_path, a="int64", b="any"), topics="a,b")
    named = run("show", topics="a,b")
    by_pattern = run("show", topics="", topics_regex=".*")

    url = tmp_path / "files" / TOPICS / "b" / "schema-1.json"
    assert "a: no stored schema" == named[1].splitlines()[0]
    assert [named[1].splitlines()[1]] == by_pattern[1].splitlines()
    assert by_pattern[1].startswith("b: version 1 of 20")
    assert by_pattern[1].endswith(f", 2 columns, {url}\n")


def test_pins_the_next_version(run: Run, tmp_path: Path) -> None:
    """Options may stand before and after the file; it says who wrote it."""
    path = schema_file(tmp_path, a="int64")
    code, _, err = run("pin", "--topic", "a", path, topics="a,b")
    stored_text = json.loads((tmp_path / "files" / TOPICS / "a" / "schema-1.json").read_text())

    assert (0, "kafka2parquet schema pin", "pinned from schema.json") == (
        code,
        stored_text["created_by"],
        stored_text["because_of"],
    )
    assert "new: a (int64)" in err


def test_pins_the_schema_of_a_parquet_file(run: Run, tmp_path: Path) -> None:
    """A file's schema can be pinned if it has only types that are learned."""
    path = tmp_path / "sample.parquet"
    pq.write_table(pa.table({"a": [1], "b": [["x"]]}), path)
    good = run("pin", str(path))
    pq.write_table(pa.table({"a": pa.array([1], pa.date32())}), path)
    bad = run("pin", str(path))

    assert (0, 1) == (good[0], bad[0])
    assert {"a": "int64", "b": "list<string>"} == columns(run("show")[1])
    assert f"{path}: a: the type 'date' is unknown" in bad[2]


@pytest.mark.parametrize(
    ("arguments", "config", "said"),
    [
        (("show",), {}, "Topic events has no stored schema. None is at"),
        (("show", "--version", "3"), {}, "Topic events has no stored schema of version 3."),
        (("show", "--version", "1"), {"topics": "a,b"}, "Name the topic with --topic."),
        (("learn", "--from", "/nowhere"), {}, "/nowhere can't be read: No such file"),
        (("learn", "--from", "/dev/null"), {}, "The schema of topic events can't be learned"),
        (("learn",), {}, "name brokers with --bootstrap-server, or a file with --from"),
        (
            ("learn",),
            {"value_converter": "String", "value_converter_schemas_enable": ""},
            "Only schemas of JSON can be",
        ),
        (("pin", "/nowhere"), {}, "The schema file /nowhere can't be read"),
    ],
)
def test_says_what_is_wrong(run: Run, arguments: tuple[str, ...], config: dict[str, str], said: str) -> None:
    """Errors are printed on stderr, with the exit code."""
    code, out, err = run(*arguments, **config)

    assert (1, "") == (code, out)
    assert said in err


def test_refuses_what_is_not_growth(run: Run, tmp_path: Path) -> None:
    """The error lists all problems, and nothing is stored."""
    run("pin", schema_file(tmp_path, a="int64", b="double"))
    code, _, err = run("pin", schema_file(tmp_path, b="int64"))

    assert (1, [f"{TOPICS}/events/schema-1.json"]) == (code, stored(tmp_path))
    assert ["a is missing", "b: double can't become int64"] == [
        next(said for said in ("a is missing", "b: double can't become int64") if said in line) for line in err.splitlines()
    ]


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def test_learns_from_the_newest_records_of_all_partitions(run: Run, broker: EmbeddedBroker) -> None:
    """The same number of records is read from each partition, and tombstones are ignored."""
    broker.create_topic("events", partitions=2)
    for partition, name in ((0, "zero"), (1, "one")):
        values: list[bytes | None] = [b'{"old": 1}', None, b'{"%s": 1}' % name.encode(), b'{"x": 2}', None]
        broker.append_values("events", partition, values, [0] * 5)
        for value in values[2:]:
            broker.append_values("events", partition, [value], [0])
    code, out, err = run("learn", "--records", "6", "--bootstrap-server", broker.bootstrap)

    assert (0, {"zero": "int64", "x": "int64", "one": "int64"}) == (code, columns(out))
    assert "4 records were read, 0 of them don't fit.\n" == err


def test_a_topic_that_does_not_exist_is_an_error(run: Run, broker: EmbeddedBroker) -> None:
    """A missing topic is an error, and not an empty schema."""
    code, _, err = run("learn", "--bootstrap-server", broker.bootstrap)

    assert (1, "Kafka has no topic events, or access to it is denied.\n") == (code, err)


def test_needs_an_action(configure: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A missing action is an error from argparse."""
    with pytest.raises(SystemExit, match="2"):
        main(["schema", str(configure())])
