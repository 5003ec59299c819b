"""Runs a parsed command: sets up the log, loads the configuration, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import logging
import sys

from kafka2parquet.cli.configuration import error_text, load, problems_text
from kafka2parquet.cli.logs import log_to_stderr
from kafka2parquet.cli.parser import Command
from kafka2parquet.cli.terminal import tell
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError

EXIT_OK = 0
EXIT_CONFIGURATION = 1
EXIT_FAILED = 3
#: 128 and the number of SIGINT, as shells report it.
EXIT_INTERRUPTED = 130

_LOG = logging.getLogger(__name__)


def execute(command: Command, options: argparse.Namespace) -> int:
    """Run a command and return its exit code. Errors are printed to stderr, each as a sentence without a traceback."""
    if "verbose" not in options:
        return int(command.module().run(options))
    is_loaded = False
    formatter = log_to_stderr(verbose=options.verbose, log_format=options.log_format)
    try:
        if not command.reads_configuration:
            return int(command.module().run(options))
        config, worker = getattr(command.module(), "load_configuration", load)(options.config, options)
        is_loaded = True
        formatter.secrets = config.secrets | worker.secrets
        return int(command.module().run(options, config, worker))
    except ConfigurationError as error:
        text, code = _configuration_text(options, error, is_loaded=is_loaded), EXIT_CONFIGURATION
    except Kafka2ParquetError as error:
        text, code = error_text(error), EXIT_FAILED
    except KeyboardInterrupt:
        text, code = "Stopped.", EXIT_INTERRUPTED
    except Exception as error:
        _LOG.debug("Unexpected", exc_info=True)
        text, code = error_text(error), EXIT_FAILED
    if options.log_format == "json":
        _LOG.error("%s", text)
    else:
        tell(formatter.secrets.hide(text), to=sys.stderr)
    return code


def _configuration_text(options: argparse.Namespace, error: ConfigurationError, *, is_loaded: bool) -> str:
    """Return a sentence or a list; the file is named if the error is about its properties, and not about a server's answer."""
    is_of_file = not is_loaded or any(problem.properties for problem in error.details)
    return problems_text(options.config, error) if is_of_file else error_text(error)
