"""Text of others in errors, in the log and on the terminal."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet import errors
from kafka2parquet.audit.coverage import Audit, Coverage, Finding, Kind
from kafka2parquet.audit.report import table
from kafka2parquet.cli.main import main
from kafka2parquet.cli.terminal import PrintableFormatter, tell
from kafka2parquet.dead_letters.connect_report import FailureReporter
from kafka2parquet.dead_letters.log import RejectLog
from kafka2parquet.events import RecordRejected
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.util.display import printable, printable_lines

#: Null, bell, backspace, line ends, escape, delete, C1 (one of them begins a sequence), separators, directions, half a pair.
HOSTILE = [
    *map(chr, range(32)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u2028\u2029\u202e\u202a\u2066\u2069\u200f\u061c\ufeff\ud800\U000e0041",
]
ATTACK = "a\n2026-01-01 00:00:00 ERROR forged\r\x1b[2J\x9b1m\u202e"
SHOWN = r"a\n2026-01-01 00:00:00 ERROR forged\r\u001b[2J\u009b1m\u202e"
TP = TopicPartition("t", 0)


@pytest.mark.parametrize("character", HOSTILE)
def test_what_is_not_visible_is_escaped(character: str) -> None:
    """Invisible characters are escaped as in JSON, so JSON keeps its meaning."""
    shown = printable(f"a{character}b")

    assert shown.isprintable()
    assert f"a{character}b" == json.loads(f'"{shown}"')


@pytest.mark.parametrize("text", ["", "plain text", "Zürich 中文 🙂 é", r"C:\temp", "'\"<>|;$`"])
def test_what_is_visible_stays(text: str) -> None:
    """Letters of all languages, signs and blanks."""
    assert (text, text) == (printable(text), printable_lines(text))


def test_lines_of_ours_stay_lines() -> None:
    """Line ends of this library's own texts stay."""
    assert "one\ntwo\\r\n\\u001b" == printable_lines("one\ntwo\r\n\x1b")


def all_errors() -> list[type[errors.Kafka2ParquetError]]:
    found = [errors.Kafka2ParquetError]
    for kind in found:
        found.extend(below for below in kind.__subclasses__() if below.__module__ == errors.__name__)
    return found


def made(kind: type[errors.Kafka2ParquetError], text: str) -> errors.Kafka2ParquetError:
    """An error with that text, whatever else it takes."""
    where: dict[str, Any] = {"topic": "t", "partition": 0}
    if issubclass(kind, errors.RejectedRecordError):
        return kind(**where, offset=1, stage="decode", reason=text)
    if issubclass(kind, errors.RecordError):
        return kind(text, **where, offset=1)
    if issubclass(kind, errors.DataLossError):
        return kind(text, **where, missing_start=0, missing_end=1)
    if issubclass(kind, errors.LogTruncatedError):
        return kind(text, **where, offset=0)
    if issubclass(kind, errors.ForeignObjectError | errors.DamagedFooterError):
        return kind(text, **where, key="k")
    if issubclass(kind, errors.DeliveryError):
        return kind(text, topic="t")
    if issubclass(kind, errors.UnexpectedError):
        return kind(text, **where, offset=None)
    return kind(text)


@pytest.mark.parametrize("kind", all_errors())
def test_errors_are_printable(kind: type[errors.Kafka2ParquetError]) -> None:
    """The text of an error is printable, whatever a record, a key or another program put into it."""
    text = str(made(kind, ATTACK))

    assert SHOWN in text
    assert text.isprintable()


def test_a_configuration_error_has_a_line_for_each_problem() -> None:
    """A configuration error has exactly one line per problem."""
    error = errors.ConfigurationError(["one", ATTACK])

    assert f"one\n{SHOWN}" == str(error)
    assert ("one", ATTACK) == error.problems


def test_log_lines_can_not_be_forged() -> None:
    """Neither by arguments nor by the text of a traceback."""
    try:
        raise ValueError(ATTACK)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "%s", (ATTACK,), sys.exc_info())
    first, *others = PrintableFormatter("%(levelname)s %(message)s").format(record).split("\n")

    assert "ERROR a" == first
    assert [True] * len(others) == [line.startswith("    ") and line.isprintable() for line in others]


def test_rejects_are_logged_in_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A logged reject has two lines, whatever its reason contains."""
    reject = Reject(TP, 7, Stage.DECODE, ATTACK)
    RejectLog(FailureReporter("sink"))(RecordRejected(TP, reject))
    line, failure = caplog.records[0].getMessage().split("\n")

    assert failure.endswith(SHOWN)
    assert line.isprintable()


def test_the_terminal_gets_nothing_but_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed text is escaped and keeps its lines."""
    tell(f"one\n\x1b{HOSTILE[5]}\ud800")

    assert "one\n\\u001b\\u0005\\ud800\n" == capsys.readouterr().out


def test_keys_in_the_audit_are_escaped() -> None:
    """A key holds what a field of a record held."""
    finding = Finding(Kind.FOREIGN_FILE, 0, 0, f"topics/t/c={ATTACK}/x was not written by kafka2parquet")
    text = table(Audit((Coverage(TP, 1, (), 1, (finding,)),)))

    assert f"c={SHOWN}/x was not" in text
    assert 3 == len(text.splitlines())


def test_the_command_line_escapes_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Problems in configurations from elsewhere are escaped too."""
    path = tmp_path / "sink.json"
    path.write_text(json.dumps({"connector.class": ATTACK}))

    assert 1 == main(["check", str(path)])
    err = capsys.readouterr().err
    assert SHOWN in err
    assert 1 == len(err.splitlines())


def test_the_command_line_logs_printable_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Log lines of this library and of other libraries are printable."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    main(["check", str(tmp_path / "nothing.json")])
    capsys.readouterr()
    for name in ("kafka2parquet.task", "kafka.cluster"):
        logging.getLogger(name).warning("Topic %s", ATTACK)
    lines = capsys.readouterr().err.splitlines()

    assert [True, True] == [line.endswith("Topic a") for line in lines[::2]]
    assert [r"    2026-01-01 00:00:00 ERROR forged\r\u001b[2J\u009b1m\u202e"] * 2 == lines[1::2]
