"""The command `kafka2parquet completion`: prints a script that completes commands, options and files in a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from kafka2parquet.cli.parser import build_parser
from kafka2parquet.cli.terminal import tell

SHELLS = ("bash", "zsh", "tcsh")
EXIT_PRINTED = 0
EXIT_NO_SHTAB = 1
#: Placeholders of arguments that are files.
_FILES = ("CONFIG", "FILE")
_WITHOUT_SHTAB = "Completion needs shtab: pip install 'kafka2parquet[cli]'"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"the shell: {', '.join(SHELLS)}")


def run(options: argparse.Namespace) -> int:
    """Print the script, and return the exit code."""
    try:
        import shtab
    except ImportError:
        tell(_WITHOUT_SHTAB, to=sys.stderr)
        return EXIT_NO_SHTAB
    parser = build_parser()
    for action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # an attribute that shtab reads
    sys.stdout.write(shtab.complete(parser, shell=options.shell))
    return EXIT_PRINTED


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of the parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
