"""Completion in shells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kafka2parquet.cli.commands.completion import EXIT_NO_SHTAB, EXIT_PRINTED
from kafka2parquet.cli.main import main

pytest.importorskip("shtab")


def _completed(script: Path, *words: str) -> set[str]:
    """Returns what bash offers for the last word."""
    line = " ".join(words)
    code = (
        f"source {script}; COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1};"
        f' COMP_LINE={line!r}; COMP_POINT={len(line)}; _shtab_kafka2parquet; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    finished = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd=script.parent)
    return set(finished.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is a script for each shell, which names the commands."""
    assert EXIT_PRINTED == main(["completion", shell])
    printed = capsys.readouterr().out
    assert "audit" in printed
    assert "kafka2parquet" in printed


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """bash completes commands, options and files with the script."""
    main(["completion", "bash"])
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "sink.json").write_text("{}")
    assert {"check", "compact", "complete", "completion"} == _completed(script, "kafka2parquet", "c")
    assert {"--strict"} == _completed(script, "kafka2parquet", "check", "--st")
    assert {"sink.json"} == _completed(script, "kafka2parquet", "check", "si")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without shtab, the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert EXIT_NO_SHTAB == main(["completion", "bash"])
    assert "Completion needs shtab: pip install 'kafka2parquet[cli]'\n" == capsys.readouterr().err
