"""Options that several commands share."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Sequence

LOG_FORMATS = ("text", "json")
_AGE = re.compile(r"-\d+[smhdw]")
_DURATION = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_configuration(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options that name a configuration and its worker, and the options of the log.

    Args:
        command: the command's parser.
        several: whether CONFIG may be repeated.
    """
    command.add_argument(
        "config",
        metavar="CONFIG",
        nargs="+" if several else None,
        help="a Kafka Connect sink configuration: JSON, YAML, TOML or properties; - is standard input"
        + ("; a pattern such as 'sinks/**/*.json' is all files that match" if several else ""),
    )
    command.add_argument("--name", metavar="NAME", help="name of the connector, if CONFIG has several or none")
    command.add_argument(
        "--worker",
        metavar="FILE",
        help="configuration of a Connect worker: brokers, security, converters (default: the CONNECT_… environment variables)",
    )
    command.add_argument("--bootstrap-server", metavar="HOST:PORT", help="some brokers, separated by commas")
    command.add_argument("--endpoint-url", metavar="URL", help="URL of the object store, if it is not the provider's own")
    add_log(command)


def add_log(command: argparse.ArgumentParser) -> None:
    """Add the options of the log."""
    command.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        default="text",
        help="form of the log on stderr: lines of text, or one JSON object per line (default: %(default)s)",
    )
    command.add_argument("-v", "--verbose", action="store_true", help="log details, including the Kafka client's")


def with_joined_ages(arguments: Sequence[str]) -> list[str]:
    """Join `--from -24h` to `--from=-24h`, because argparse takes a text that starts with `-` for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--from", "--to") and _AGE.fullmatch(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def count(text: str) -> int:
    """Read a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: the text isn't such a number.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def duration(text: str) -> datetime.timedelta:
    """Read a duration, such as `90s`, `15m`, `2h`, `1d` or `1w`.

    Raises:
        argparse.ArgumentTypeError: the text isn't a duration.
    """
    match = _DURATION.fullmatch(text)
    try:
        return datetime.timedelta(**{_UNITS[match[2]]: int(match[1])} if match else {"": 0})
    except (TypeError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s, 15m, 2h or 1d") from None
