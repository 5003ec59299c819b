"""Writes the reference of the command line for the documentation, from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from kafka2parquet.cli.parser import COMMANDS, DESCRIPTION, EXIT_CODES, PROGRAM, build_parser

_INTRODUCTION = f"""# Command line

`{PROGRAM}`, or `python -m kafka2parquet`. {DESCRIPTION} `{PROGRAM} COMMAND --help` prints what this page says about a command.

Results go to stdout, and the log and errors to stderr.
"""


def reference_markdown() -> str:
    """Return the page of all commands and options, as Markdown."""
    rows = [f"| [`{command.name}`](#{command.name}) | {command.description} |" for command in COMMANDS]
    parsers = _commands(build_parser())
    chapters = [text for command in COMMANDS for text in _chapter(f"{PROGRAM} {command.name}", parsers[command.name], 2)]
    codes = [f"| {code} | {meaning[0].upper()}{meaning[1:]} |" for code, meaning in EXIT_CODES]
    return "\n".join(
        [
            _INTRODUCTION,
            "| Command | What it does |",
            "|---|---|",
            *rows,
            "",
            *chapters,
            "## Exit codes",
            "",
            "| Code | Meaning |",
            "|---|---|",
            *codes,
            "",
        ]
    )


def _chapter(name: str, parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """Yield the parts of a command's chapter; the chapters of its actions follow."""
    heading = name.removeprefix(f"{PROGRAM} ")
    yield f"{'#' * level} {heading}\n"
    yield f"{parser.description}\n"
    examples = [line.strip() for line in (parser.epilog or "").splitlines()[1:]]
    if examples:
        yield "\n".join(["```sh", *examples, "```\n"])
    actions = _commands(parser)
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    rows = [_row(action) for action in parser._actions if not isinstance(action, left_out)]
    if rows:
        yield "\n".join(["| Argument | Meaning |", "|---|---|", *rows, ""])
    for action, below in actions.items():
        yield from _chapter(f"{name} {action}", below, level + 1)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser, by name."""
    found = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: command for action in found for name, command in action.choices.items()}


def _row(action: argparse.Action) -> str:
    """Return the row of one argument: its names and placeholder, and its help with the default."""
    placeholder = str(action.metavar or "|".join(map(str, action.choices or (action.dest.upper(),))))
    placeholder = {0: "", "+": f"{placeholder} ...", "?": f"[{placeholder}]"}.get(action.nargs, placeholder)
    left = " ".join(filter(None, (", ".join(action.option_strings), placeholder)))
    right = (action.help or "") % {**vars(action), "prog": PROGRAM}
    right = f"{right[:1].upper()}{right[1:]}".replace("*", "\\*")
    return "| `{}` | {} |".format(*(text.replace("|", "\\|") for text in (left, right)))
