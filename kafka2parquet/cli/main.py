"""The command line: `kafka2parquet run`, `check`, `init`, `schema`, `audit` and `demo`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from types import FrameType

import attrs

from kafka2parquet import __version__
from kafka2parquet.cli import audit, init, schema
from kafka2parquet.cli.log_filter import CONNECTIONS, BrokerOutages, WithoutRepeats
from kafka2parquet.cli.terminal import PrintableFormatter, tell
from kafka2parquet.connect.build import build_runner, load_for_worker
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.forms.container import variables_of_process
from kafka2parquet.connect.forms.properties import STANDARD_INPUT, source_name
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.util.printable import printable
from kafka2parquet.util.stop_signals import stopping_on_signals

EXIT_OK = 0
EXIT_CONFIGURATION = 1
EXIT_FAILED = 3

_EPILOG = """\
exit codes:
  0    done, or stopped in order by SIGINT or SIGTERM
  1    the configuration can't work; stderr lists all its problems. schema: the schema doesn't exist, or is refused.
       init: the file exists already
  2    the command line itself is wrong
  3    a task has failed; stderr says why and what to do
  4    audit: something is missing, duplicated or foreign, or a Parquet file in a topic's folder is not from the sink
  130, 143
       stopped at once by a second SIGINT or SIGTERM; the next run reads again what was not durable
"""
_LOG = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["demo"]:
        from kafka2parquet.cli import demo  # only the demo needs the embedded broker

        return demo.main(arguments[1:])
    options = _parser().parse_args(arguments)
    if options.command == "init":
        return init.run(options)
    formatter = _log_to_stderr(verbose=options.verbose)
    try:
        config, worker = _load(options)
        formatter.secrets = config.secrets | worker.secrets
        if options.command == "check":
            tell(describe(config, worker))
            return EXIT_OK
        if options.command == "audit":
            return audit.run(options, config, worker)
        if options.command == "schema":
            return schema.run(options, config, worker)
        for finding in (*config.warnings, *config.notes, *worker.notes):
            _LOG.warning("%s", finding)
        runner = build_runner(config, worker)
        for finding in worker.consumer_for(config).notes:
            _LOG.warning("%s", finding)
        with stopping_on_signals(runner.stop, second=_exit_at_once):
            runner.run()
    except ConfigurationError as error:
        tell(formatter.secrets.hide(_problems(options.config, error)), to=sys.stderr)
        return EXIT_CONFIGURATION
    except Kafka2ParquetError as error:
        tell(formatter.secrets.hide(f"{type(error).__name__}: {error}"), to=sys.stderr)
        return EXIT_FAILED
    except Exception as error:
        _LOG.debug("Unexpected", exc_info=True)
        text = f"Unexpected {type(error).__name__}: {error}. This is a bug; --verbose shows where."
        tell(formatter.secrets.hide(text), to=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kafka2parquet",
        description="Drains Kafka topics into partitioned Parquet files, exactly once.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kafka2parquet {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, does in (
        ("run", "run the sink until it is stopped with Ctrl-C or SIGTERM"),
        ("check", "describe what a configuration will do, or list all its problems"),
        ("schema", "show, learn or pin the schema of a topic of JSON records"),
        ("audit", "prove from files and offsets that every record is in exactly one file"),
    ):
        command = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
        if name == "schema":
            schema.add_actions(command, _add_common)
            continue
        _add_common(command)
        if name == "audit":
            audit.add_arguments(command)
    help_text = "write a commented configuration to start with"
    init.add_arguments(commands.add_parser("init", help=help_text, description=help_text[0].upper() + help_text[1:] + "."))
    commands.add_parser("demo", help="fill a folder from an embedded broker", add_help=False)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "config",
        metavar="CONFIG",
        help="a Kafka Connect sink configuration: JSON, YAML, TOML or properties; - is standard input",
    )
    command.add_argument("--name", metavar="NAME", help="name of the connector, if CONFIG has several or none")
    command.add_argument(
        "--worker",
        metavar="FILE",
        help="configuration of a Connect worker: brokers, security, converters (default: the CONNECT_… environment variables)",
    )
    command.add_argument("--bootstrap-server", metavar="HOST:PORT", help="some brokers, separated by commas")
    command.add_argument("--endpoint-url", metavar="URL", help="URL of the object store, if it is not the provider's own")
    command.add_argument("-v", "--verbose", action="store_true", help="log details, including the Kafka client's")


def _load(options: argparse.Namespace) -> tuple[ConnectConfig, WorkerConfig]:
    missing_allowed = options.command == "check"  # `check` doesn't connect
    if options.config == options.worker == STANDARD_INPUT:
        raise ConfigurationError("CONFIG and --worker can't both be standard input.")
    variables = variables_of_process() if options.worker is None else {}
    worker = load_worker_config(
        variables or options.worker,
        bootstrap_servers=options.bootstrap_server,
        endpoint_url=options.endpoint_url,
        missing_allowed=missing_allowed,
    )
    if variables:
        note = f"The worker's settings come from the environment: {', '.join(sorted(variables))}."
        worker = attrs.evolve(worker, notes=(note, *worker.notes))
    return load_for_worker(options.config, worker, name=options.name, missing_allowed=missing_allowed), worker


def _log_to_stderr(*, verbose: bool) -> PrintableFormatter:
    handler = logging.StreamHandler()
    if not verbose:
        handler.addFilter(BrokerOutages())
        handler.addFilter(WithoutRepeats("kafka"))
        logging.getLogger(CONNECTIONS).setLevel(logging.INFO)
    formatter = PrintableFormatter("%(asctime)s %(levelname)s %(threadName)s %(message)s")
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("kafka2parquet").setLevel(logging.DEBUG if verbose else logging.INFO)
    if verbose:
        logging.getLogger("kafka").setLevel(logging.INFO)
    return formatter


def _problems(path: str, error: ConfigurationError) -> str:
    path = source_name(path)
    if len(error.problems) == 1:
        return f"{path} can't work: {error}"
    numbered = (f"  {number}. {printable(problem)}" for number, problem in enumerate(error.problems, 1))
    return "\n".join([f"{path} can't work; it has {len(error.problems)} problems:", *numbered])


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
