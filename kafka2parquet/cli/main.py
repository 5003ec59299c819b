"""The entry point of the command line: parses the arguments, and runs the command that they name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kafka2parquet.cli.options import with_joined_ages
from kafka2parquet.cli.parser import build_parser, command_named


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = with_joined_ages(sys.argv[1:] if arguments is None else arguments)
    options = build_parser(arguments).parse_args(arguments)
    from kafka2parquet.cli.execute import execute  # imports pyarrow and Kafka's client, which --help doesn't need

    return execute(command_named(options.command), options)
