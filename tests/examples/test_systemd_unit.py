"""examples/systemd/kafka2parquet.service: systemd accepts the unit, and its commands and files fit the sink."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kafka2parquet.cli.parser import build_parser
from kafka2parquet.connect.properties.own import OWN_OPTIONS
from tests.stack.install import NotInstalledError

UNIT = Path(__file__).parents[2] / "examples" / "systemd" / "kafka2parquet.service"
PROGRAM = "/opt/kafka2parquet/bin/kafka2parquet"
#: Tenths, from 0 (nothing is allowed) to 100. A unit without any hardening has 96.
MOST_EXPOSURE = 15


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is installed here."""
    text = UNIT.read_text(encoding="utf-8")
    assert 1 == text.count(PROGRAM)
    changed = tmp_path / UNIT.name
    changed.write_text(text.replace(PROGRAM, sys.executable), encoding="utf-8")
    return changed


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        raise NotInstalledError("systemd is missing (systemd-analyze is not on the PATH)")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_accepts_the_unit(unit: Path) -> None:
    """systemd has no objection, and it would have one against a misspelt setting."""
    found = analyze("verify", unit)
    assert (0, "") == (found.returncode, found.stderr)
    unit.write_text(unit.read_text(encoding="utf-8").replace("TimeoutStopSec", "TimeoutStpSec"), encoding="utf-8")
    assert "TimeoutStpSec" in analyze("verify", unit).stderr


def test_the_unit_is_hardened(unit: Path) -> None:
    """systemd rates its exposure as low, and wouldn't if the file system were writable and capabilities were kept."""
    limit = f"--threshold={MOST_EXPOSURE}"
    assert 0 == analyze("security", "--offline=true", limit, unit).returncode
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace("ProtectSystem=strict", "").replace("CapabilityBoundingSet=", ""), encoding="utf-8")
    assert 1 == analyze("security", "--offline=true", limit, unit).returncode


def test_the_command_line_is_one() -> None:
    """The unit's command is a command line of `run`, and the unit gives its orderly stop the time that it takes."""
    service = _service()
    options = build_parser(["run"]).parse_args(service["ExecStart"].split()[1:])
    assert ("run", "/etc/kafka2parquet/sink.json") == (options.command, options.config)
    (stop,) = (option.default for option in OWN_OPTIONS if option.name == "kafka2parquet.shutdown.timeout.ms")
    assert isinstance(stop, int)
    assert 1000 * int(service["TimeoutStopSec"]) >= 2 * stop


def test_failures_that_stay_are_not_repeated() -> None:
    """The unit is not restarted after an error of the configuration or of the command line, as docs/cli.md numbers them."""
    page = (UNIT.parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    meanings = dict(re.findall(r"^\| (\d) \| (.+?) \|$", page, re.MULTILINE))
    codes = _service()["RestartPreventExitStatus"].split()
    assert ["1", "2"] == codes
    assert "configuration" in meanings["1"]
    assert "command line" in meanings["2"]


def _service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keeps upper case
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser["Service"]
