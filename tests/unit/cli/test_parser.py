"""The parser of the command line: what it imports, and what the help of each command shows."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kafka2parquet.cli.main import main
from kafka2parquet.cli.parser import COMMANDS, Command, build_parser

ROOT = Path(__file__).parents[3]
HEAVY = ("kafka", "fsspec", "s3fs", "pyarrow", "numpy", "rich", "shtab")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_little(option: str) -> None:
    """`kafka2parquet --help` and `--version` import neither pyarrow, Kafka's client, a store nor an optional library."""
    code = (
        "import sys\n"
        "from kafka2parquet.cli.main import main\n"
        f"try: main([{option!r}])\n"
        f"except SystemExit: print(); print([name for name in {HEAVY} if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert [] == ast.literal_eval(finished.stdout.splitlines()[-1])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_of_each_command(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command describes it, and shows its options and examples."""
    with pytest.raises(SystemExit, match="0"):
        main([command.name, "--help"])
    printed = capsys.readouterr().out
    assert command.description in " ".join(printed.split())
    assert printed.count(f"  kafka2parquet {command.name}") >= len(command.examples) > 0


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_can_be_parsed(command: Command) -> None:
    """Each example in the help is a command line that the parser accepts."""
    for example in command.examples:
        words = shlex.split(example.partition(" > ")[0])
        assert command.name == build_parser().parse_args(words).command
