"""The command `check` with several files, as JSON, and where warnings are errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.cli.commands.check import EXIT_GOOD, EXIT_NOT_GOOD
from kafka2parquet.cli.main import main
from kafka2parquet.connect.text import read_properties
from tests.support.connect_story import FIVE_MISTAKES, STORY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good configuration, one with a warning, and one with five problems."""
    (tmp_path / "nested").mkdir()
    good = {**read_properties(STORY).values, "timestamp.extractor": "Record"}
    (tmp_path / "good.json").write_text(json.dumps(good))
    doubtful = {**good, "path.format": "'dt'=YYYY-mm-dd", "name": "doubtful"}
    (tmp_path / "doubtful.json").write_text(json.dumps(doubtful))
    (tmp_path / "nested" / "bad.json").write_text(FIVE_MISTAKES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_several_files_begin_with_the_worst(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several files are counted first; then come problems, then warnings, and good files last."""
    assert EXIT_NOT_GOOD == main(["check", "good.json", "doubtful.json", "nested/bad.json"])
    lines = capsys.readouterr().out.splitlines()
    assert "3 files: 1 can't work, 1 with warnings, 1 good." == lines[0]
    assert "nested/bad.json can't work; it has 5 problems:" == lines[2]
    assert ["", "doubtful.json has warnings:"] == lines[8:10]
    assert "  - path.format='dt'=YYYY-mm-dd: mm is the minute. The month is MM." == lines[10]
    assert "good.json: s3-sink-my-topic-parquet-hourly, from Kafka to s3://your-data-lake-bucket" == lines[-1]


def test_patterns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern is all files that match it, sorted, at any depth with `**`; a file that is named twice is checked once."""
    assert EXIT_NOT_GOOD == main(["check", "**/*.json", "good.json", "--json"])
    assert ["doubtful.json", "good.json", "nested/bad.json"] == [each["file"] for each in _json(capsys)["files"]]
    assert EXIT_NOT_GOOD == main(["check", f"{folder}/*/*.json", "--json"])
    assert [f"{folder}/nested/bad.json"] == [each["file"] for each in _json(capsys)["files"]]


def test_pattern_without_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern that matches no file is an error, so that a check of nothing doesn't pass."""
    assert EXIT_NOT_GOOD == main(["check", "sinks/*.json"])
    assert "sinks/*.json can't be read: " in capsys.readouterr().err


def test_file_with_brackets_in_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file whose name looks like a pattern is read."""
    (folder / "sink[1].json").write_text(STORY)
    assert EXIT_GOOD == main(["check", "sink[1].json"])


def test_strict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --strict, a warning makes the check fail, and stderr says why."""
    assert EXIT_GOOD == main(["check", "doubtful.json"])
    assert "" == capsys.readouterr().err
    assert EXIT_NOT_GOOD == main(["check", "doubtful.json", "--strict"])
    assert "--strict: warnings are errors.\n" == capsys.readouterr().err
    assert EXIT_GOOD == main(["check", "good.json", "--strict"])


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, each file has its problems, warnings and notes, each with the properties that it is about."""
    assert EXIT_NOT_GOOD == main(["check", "good.json", "nested/bad.json", "--json"])
    found = _json(capsys)
    good, bad = found["files"]
    assert (1, False) == (found["version"], found["good"])
    assert [True, "connect-s3-sink-my-topic-parquet-hourly", []] == [good["good"], good["group_id"], good["problems"]]
    assert good["description"].startswith("s3-sink-my-topic-parquet-hourly: from Kafka to s3://your-data-lake-bucket\n")
    assert any("bootstrap.servers" in note["text"] for note in good["notes"])
    assert (False, None, 5) == (bad["good"], bad["description"], len(bad["problems"]))
    assert {"kind": "invalid", "properties": ["timezone"]} in [
        {name: problem[name] for name in ("kind", "properties")} for problem in bad["problems"]
    ]


def test_json_names_the_properties_of_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, warnings name their properties, whether they are about one property or about several."""
    doubtful = {**json.loads((folder / "doubtful.json").read_text()), "flush.sizes.of.mine": "1", "rotate.interval.ms": "-1"}
    (folder / "doubtful.json").write_text(json.dumps({**doubtful, "rotate.schedule.interval.ms": "-1"}))
    assert EXIT_GOOD == main(["check", "doubtful.json", "--json"])
    (found,) = _json(capsys)["files"]
    assert [
        ["flush.size", "rotate.schedule.interval.ms"],
        ["path.format"],
        ["flush.sizes.of.mine"],
    ] == [warning["properties"] for warning in found["warnings"]]


def test_json_names_the_properties_of_notes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON, notes name their properties as the user wrote them: in the connector, the worker or the environment."""
    more = {"consumer.override.fetch.foo": "1", "aws.secret.access.key": "${env:K2P_NOT_SET}", "aws.access.key.id": "a"}
    (folder / "good.json").write_text(json.dumps({**json.loads((folder / "good.json").read_text()), **more}))
    monkeypatch.setenv("CONNECT_CONSUMER_SOME_THING", "1")
    monkeypatch.setenv("CONNECT_SASL_LOGIN_CLASS", "x.Y")
    assert EXIT_GOOD == main(["check", "good.json", "--json"])
    (found,) = _json(capsys)["files"]
    assert [
        ["aws.secret.access.key"],
        ["CONNECT_CONSUMER_SOME_THING", "CONNECT_SASL_LOGIN_CLASS"],
        ["sasl.login.class"],
        ["consumer.some.thing"],
        ["consumer.override.fetch.foo"],
        ["rotate.file.on.partition.change"],
        ["bootstrap.servers"],
    ] == [note["properties"] for note in found["notes"]]
    assert {"note"} == {note["kind"] for note in found["notes"]}


def test_json_shows_no_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets of a configuration appear neither in problems nor in warnings."""
    planted = {
        "aws.secret.access.key": "Z3cretZ3cret",
        "aws.access.key.id": "AKIAZ3cretZ3",
        "some.custom.thing": "Z3cretZ3cret",
    }
    (folder / "secret.json").write_text(json.dumps({**read_properties(STORY).values, **planted}))
    assert EXIT_GOOD == main(["check", "secret.json", "--json"])
    printed = capsys.readouterr().out
    assert "some.custom.thing" in printed
    assert "Z3cret" not in printed
