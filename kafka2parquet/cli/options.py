"""Options that several commands share."""

from __future__ import annotations

import argparse
import datetime
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports multiprocessing, which --help doesn't need
    from kafka2parquet.units import Shard

LOG_FORMATS = ("text", "json")
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)")
_SIZES_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
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


def add_completeness(command: argparse.ArgumentParser) -> None:
    """Add the options that say when a folder of time is complete."""
    command.add_argument(
        "--lateness",
        metavar="DURATION",
        type=duration,
        default="0s",
        help="how much older than an earlier record of its partition a record may be (default: %(default)s)",
    )
    command.add_argument(
        "--idle-after",
        metavar="DURATION",
        type=duration,
        help="a partition without new rows for this long, such as 15m, holds up no folder any more (default: it holds up all)",
    )


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


def pause(text: str) -> datetime.timedelta:
    """Read a duration above 0, such as `90s` or `15m`; a plain number is seconds.

    Raises:
        argparse.ArgumentTypeError: the text isn't such a duration, or is longer than a thread can wait.
    """
    try:
        found = duration(text) if _DURATION.fullmatch(text) else datetime.timedelta(seconds=float(text))
    except (argparse.ArgumentTypeError, ValueError, OverflowError):
        found = datetime.timedelta()
    if not 0 < found.total_seconds() < threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration above 0, such as 90s, 15m, or 30 for 30 seconds")
    return found


def size(text: str) -> int:
    """Read a size in bytes, such as `64MiB` or `1GiB`.

    Raises:
        argparse.ArgumentTypeError: the text isn't a size above 0.
    """
    match = _SIZE.fullmatch(text)
    size_bytes = int(match[1]) * _SIZES_BYTES[match[2]] if match else 0
    if not size_bytes:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64MiB or 1GiB")
    return size_bytes


def add_units(command: argparse.ArgumentParser) -> None:
    """Add the options that say where units of work run."""
    command.add_argument(
        "--workers", metavar="N", type=count, default=1, help="work in this number of processes (default: %(default)s)"
    )
    command.add_argument(
        "--shard",
        metavar="I/N",
        type=shard,
        help="do only the share of the Ith of N processes, counted from 0, such as $JOB_COMPLETION_INDEX/8",
    )


def shard(text: str) -> Shard:
    """Read a shard, such as `0/4`.

    Raises:
        argparse.ArgumentTypeError: the text isn't a shard.
    """
    from kafka2parquet.units import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
