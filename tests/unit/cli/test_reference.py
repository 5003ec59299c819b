"""The page of the documentation about the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from kafka2parquet.cli.parser import COMMANDS, build_parser
from kafka2parquet.cli.reference import reference_markdown

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _options(command)


def test_page_is_current() -> None:
    """`docs/cli.md` agrees with the parser; `reference_markdown()` writes the page."""
    assert PAGE.read_text(encoding="utf-8") == reference_markdown()


def test_page_has_everything() -> None:
    """The page has each command, each option and each example."""
    page = reference_markdown()
    options = set(_options(build_parser())) - {"-h", "--help", "--version"}
    assert {"--worker", "--strict", "--deep", "--records", "--events"} <= options
    assert [] == [option for option in sorted(options) if option not in page]
    assert [] == [command.name for command in COMMANDS if f"\n## {command.name}\n" not in page]
    assert [] == [example for command in COMMANDS for example in command.examples if f"kafka2parquet {example}\n" not in page]
