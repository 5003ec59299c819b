"""The table of commands, and the parser that is made of it."""

from __future__ import annotations

import argparse
import importlib
import textwrap
from collections.abc import Collection
from typing import Any

import attrs

from kafka2parquet.version import VERSION

PROGRAM = "kafka2parquet"
DESCRIPTION = "Drains Kafka topics into partitioned Parquet files, exactly once."

#: Exit codes and their meanings, for the help and the documentation.
EXIT_CODES = (
    ("0", "done, or stopped in order by SIGINT or SIGTERM"),
    (
        "1",
        "the configuration can't work; stderr lists all its problems. check --strict: there are warnings. schema: the schema"
        " doesn't exist, or is refused. init: the file exists already. doctor, run --doctor: a check has failed",
    ),
    ("2", "the command line itself is wrong"),
    ("3", "a task has failed, or Kafka or the store can't be read; stderr says why and what to do"),
    (
        "4",
        "audit: something is missing, duplicated or foreign, or a Parquet file in a topic's folder is not from the sink."
        " publish: a partition stands still. complete, compact: something is wrong with a folder, so it gets no marker, or its"
        " files are not merged",
    ),
    ("5", "run --to: ended before the end, because of a signal or a failure; the same command continues"),
    (
        "130, 143",
        "stopped at once: run by a second SIGINT or SIGTERM, and the next run reads again what was not durable; the other"
        " commands by the first",
    ),
)


@attrs.frozen
class Command:
    """One command, in a module with its name.

    The module has `add_arguments(parser)` and `run`. `run` gets the parsed options, then the loaded configuration and worker if
    the command reads one configuration. It returns the exit code.

    Attributes:
        name: as it is typed.
        does: what the command does, as a verb phrase.
        examples: command lines without the program's name.
        reads_configuration: whether the command reads one configuration. If the command's module has a function
            `load_configuration`, it loads the configuration as `configuration.load` does.
    """

    name: str
    does: str
    examples: tuple[str, ...]
    reads_configuration: bool = True

    @property
    def description(self) -> str:
        """What the command does, as a sentence."""
        return f"{self.does[0].upper()}{self.does[1:]}."

    def module(self) -> Any:
        """Import and return the command's module. Only the command that runs is imported, because imports take long."""
        return importlib.import_module(f"kafka2parquet.cli.commands.{self.name}")


COMMANDS = (
    Command(
        "run",
        "run the sink until it is stopped with Ctrl-C or SIGTERM, or up to the end that --to names",
        (
            "run sink.json --bootstrap-server localhost:9092",
            "run sink.json --worker worker.properties --log-format json",
            "run sink.json --worker worker.properties --from 2026-11-01 --to 2026-11-02 --result result.json",
        ),
    ),
    Command(
        "check",
        "describe what configurations will do, or list all their problems",
        ("check sink.json", "check 'sinks/**/*.json' --strict --json"),
        reads_configuration=False,
    ),
    Command(
        "doctor",
        "examine Kafka, the store and this machine, and name the cause and the cure of what would fail",
        ("doctor sink.json --worker worker.properties", "doctor sink.json --rights"),
    ),
    Command(
        "lag",
        "show how much is not durable yet, and how long Kafka keeps it, without touching the group",
        ("lag sink.json --worker worker.properties", "lag sink.json --worker worker.properties --json"),
    ),
    Command(
        "schema",
        "show, learn or pin the schema of a topic of JSON records",
        ("schema show sink.json", "schema learn sink.json --bootstrap-server localhost:9092 --records 10000 --write"),
    ),
    Command(
        "audit",
        "prove from files and offsets that every record is in exactly one file",
        ("audit sink.json --worker worker.properties", "audit sink.json --worker worker.properties --deep --html audit.html"),
    ),
    Command(
        "complete",
        "say which folders of time, such as hours, are complete, and write a marker into each",
        (
            "complete sink.json --worker worker.properties --idle-after 15m --dry-run",
            "complete sink.json --worker worker.properties --idle-after 15m --lateness 5m --follow",
        ),
    ),
    Command(
        "compact",
        "merge the small files of closed folders into larger ones, beside the originals, and delete merged originals later",
        (
            "compact sink.json --worker worker.properties --older-than 2h --idle-after 15m --dry-run",
            "compact sink.json --worker worker.properties --older-than 2h --idle-after 15m --workers 4",
            "compact sink.json --worker worker.properties --idle-after 15m --switch glue:lake.orders",
            "compact sink.json --worker worker.properties --delete-originals --older-than 2d --yes",
        ),
    ),
    Command(
        "files",
        "list the published files, from their names and footers",
        ("files sink.json", "files sink.json --topic orders --json"),
    ),
    Command(
        "publish",
        "register the published files in an Iceberg, Delta or Glue table, each exactly once",
        (
            "publish sink.json --worker worker.properties --to delta",
            "publish sink.json --worker worker.properties --to iceberg:prod.raw.orders --partition-by 'day(created)' --follow",
        ),
    ),
    Command(
        "ddl",
        "print the statement that makes a table of the published folders, for a query engine",
        ("ddl sink.json --for athena --table raw.orders", "ddl sink.json --for duckdb --topic orders"),
    ),
    Command(
        "init",
        "write a commented configuration to start with",
        ("init sink.json --store s3 --topic orders --bucket my-bucket",),
        reads_configuration=False,
    ),
    Command(
        "demo",
        "fill a folder with hourly Parquet files from a topic of JSON events, and query it",
        ("demo", "demo --events 5000000 --to s3://my-bucket --bootstrap-server localhost:9092"),
        reads_configuration=False,
    ),
    Command(
        "completion",
        "print a script that completes commands, options and files in a shell (needs the extra cli)",
        (
            "completion bash > ~/.local/share/bash-completion/completions/kafka2parquet",
            "completion zsh > /usr/local/share/zsh/site-functions/_kafka2parquet",
        ),
        reads_configuration=False,
    ),
)


def command_named(name: str) -> Command:
    """Return the command with this name.

    Raises:
        StopIteration: there is none.
    """
    return next(command for command in COMMANDS if command.name == name)


def build_parser(filled: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line.

    Args:
        filled: the commands that get their arguments; None fills all. A command's arguments are added by its module, and
            importing all modules takes long.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=f"{PROGRAM} COMMAND --help shows the options of a command, and examples.\n\nexit codes:\n{_exit_codes_text()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.does,
            description=command.description,
            epilog=examples_text(command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if filled is None or command.name in filled:
            command.module().add_arguments(added)
    return parser


def examples_text(examples: Collection[str]) -> str:
    """Return the paragraph of examples at the end of a command's help."""
    title = "example:" if len(examples) == 1 else "examples:"
    return "\n".join([title, *(f"  {PROGRAM} {example}" for example in examples)])


def _exit_codes_text() -> str:
    lines = (
        textwrap.fill(meaning, 110, initial_indent=f"  {code:<10}", subsequent_indent=" " * 12) for code, meaning in EXIT_CODES
    )
    return "\n".join(lines)
