"""`kafka2parquet run` with an end: looks up the ranges, runs up to their ends, and writes the result."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from kafka2parquet.bounded.draining import Drain
from kafka2parquet.bounded.lookup import check_for, look_up_ranges
from kafka2parquet.bounded.positions import FORMS
from kafka2parquet.bounded.ranges import Ranges
from kafka2parquet.cli.configuration import error_text
from kafka2parquet.cli.running import live
from kafka2parquet.cli.running.bounded_report import Report, create_json, plan_text, published, summary_text
from kafka2parquet.cli.running.status_server import HttpStatus
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.build import TaskPlan, build_runner, secrets_of_texts
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.events import Hook
from kafka2parquet.util.stop_signals import exit_at_once, stopping_on_signals

EXIT_COMPLETE = 0
EXIT_ENDED_BEFORE = 5

_LOG = logging.getLogger(__name__)
_PROGRESS_INTERVAL_S = 10.0
#: How often the group's committed offsets are read, to see what other processes of the same run have finished.
_COMMITTED_INTERVAL_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of runs that end."""
    group = parser.add_argument_group(
        "runs that end",
        f"POSITION is {FORMS}. Positions are looked up once, for each topic-partition. Exit code 0: everything up to the end is"
        " in files and committed. Exit code 5: the run ended before.",
    )
    group.add_argument(
        "--from",
        dest="start",
        metavar="POSITION",
        help="start here, in a consumer group for this range alone; without it, the sink's group continues where it stopped",
    )
    group.add_argument("--to", dest="end", metavar="POSITION", help="end here: the first record that is not taken any more")
    group.add_argument(
        "--range",
        metavar="FILE",
        help="write the offsets that --from and --to stand for to FILE; if FILE exists, read the offsets from there",
    )
    group.add_argument("--result", metavar="FILE", help="write what was done to FILE, as JSON")


def is_wanted(options: argparse.Namespace) -> bool:
    """Whether the options ask for a run that ends."""
    return any(value is not None for value in (options.start, options.end, options.range, options.result))


def run(
    options: argparse.Namespace,
    config: ConnectConfig,
    worker: WorkerConfig,
    hooks: Sequence[Hook] = (),
    *,
    has_view: bool = False,
    http: HttpStatus | None = None,
) -> int:
    """Run the sink up to the end of its ranges, and return the exit code.

    With `has_view`, stderr is a terminal that shows a live view; otherwise the progress is logged. `http` answers requests
    while the tasks run.

    Raises:
        ConfigurationError: the options or the configuration can't work.
        Kafka2ParquetError: Kafka can't be read before the run starts.
    """
    _check(options)
    TaskPlan.of(config, worker)  # lists all problems, brokers that are missing included, before anything is connected
    ranges, consumer = _ranges(options, config, worker), worker.consumer_for(config)
    tell(plan_text(config.name, ranges))
    report = Report(options.result, config.name, ranges, options.start, options.end)
    report.begin()
    runner = build_runner(config, worker, hooks=hooks, group_id=ranges.group_id)
    drain = Drain(runner, ranges)
    hide = secrets_of_texts(config, worker).hide
    view = live.live_view(runner.status, sys.stderr, hide=hide, course=lambda: drain.progress) if has_view else nullcontext()
    server = http.serve(runner, config, worker) if http is not None else nullcontext()
    with server, LogReader(consumer.bootstrap_servers, ranges.group_id, consumer.client_settings) as log, view:
        error = _drain(drain, _Watch(drain, log, ranges, has_view=has_view))
    result = drain.course.result
    text = "" if error is None else hide(error_text(error))
    storage, naming = make_storage(config, worker.endpoint_url), make_naming(config)
    report.end(result, text, lambda: published(storage, naming, ranges))
    if error is not None:
        tell(text, to=sys.stderr)
    tell(summary_text(result, time.monotonic() - report.began_s))
    return EXIT_COMPLETE if result.is_complete and error is None else EXIT_ENDED_BEFORE


def _check(options: argparse.Namespace) -> None:
    has_file = options.range is not None and Path(options.range).exists()
    if options.end is None and not has_file:
        given = {"--from": options.start, "--range": options.range, "--result": options.result}
        name = next(name for name, value in given.items() if value is not None)
        raise ConfigurationError(f"{name} needs --to: a run ends there. `--to now` ends where the topics end now.")


def _ranges(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> Ranges:
    """Return the ranges of the file, or look them up and write them to the file that the options name."""
    if options.range is not None and Path(options.range).exists():
        if options.start is not None or options.end is not None:
            _LOG.info("The ranges are those of %s, so --from and --to don't count.", options.range)
        return check_for(config, worker, _read(options.range))
    ranges = look_up_ranges(config, worker, start=options.start, end=options.end)
    if options.range is not None and not create_json(options.range, ranges.to_json()):
        _LOG.info("Another process has looked up the ranges meanwhile: they are those of %s.", options.range)
        return check_for(config, worker, _read(options.range))
    return ranges


def _read(path: str) -> Ranges:
    try:
        return Ranges.from_json(Path(path).read_text(encoding="utf-8", errors="replace"), path)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error


def _drain(drain: Drain, watch: _Watch) -> Exception | None:
    """Run up to the end, or until a signal stops the run; returns the error of a run that failed."""
    try:
        with stopping_on_signals(drain.stop, second=exit_at_once):
            drain.run(watch=watch)
    except Exception as error:
        _LOG.debug("The run has failed", exc_info=True)
        return error
    return None


class _Watch:
    """Logs the progress unless a view shows it, and looks up what other processes of the same run have finished."""

    def __init__(self, drain: Drain, log: LogReader, ranges: Ranges, *, has_view: bool) -> None:
        self._drain = drain
        self._has_view = has_view
        self._log = log
        self._topics = sorted({topic_partition.topic for topic_partition in ranges.of})
        self._logged_s = self._looked_up_s = time.monotonic()
        self._last = ""

    def __call__(self) -> None:
        now_s = time.monotonic()
        if not self._has_view and now_s - self._logged_s >= _PROGRESS_INTERVAL_S:
            self._logged_s = now_s
            line = str(self._drain.progress)
            if line != self._last:
                _LOG.info("%s", line)
            self._last = line
        if now_s - self._looked_up_s >= _COMMITTED_INTERVAL_S and not self._drain.course.is_done:
            self._looked_up_s = now_s
            try:
                self._drain.course.finished_elsewhere(self._log.committed(self._topics))
            except Kafka2ParquetError as error:  # the tasks wait for Kafka, and say so
                _LOG.debug("Reading the group's offsets: %s", error)
