"""The command `kafka2parquet complete`: says which folders of time are complete, and writes their markers."""

from __future__ import annotations

import argparse
import json
import logging
import threading
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from kafka2parquet.audit.report import aligned
from kafka2parquet.cli.options import add_completeness, add_configuration, duration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.completeness.marker import marker_name
from kafka2parquet.completeness.sink import SinkCompleteness
from kafka2parquet.completeness.state import FolderState, TopicCompleteness, time_text
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import TransientError
from kafka2parquet.util.display import counted
from kafka2parquet.util.display import duration as duration_text
from kafka2parquet.util.stop_signals import stopping_on_signals, wait_for_stop

EXIT_OK = 0
EXIT_NOT_ANSWERED = 4
_JSON_VERSION = 1
_COLUMNS = ("topic", "folder", "ends at", "files", "rows", "marker")

_LOG = logging.getLogger(__name__)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    how_often = command.add_mutually_exclusive_group()
    how_often.add_argument("--once", action="store_true", help="look once, and end; this is the default")
    how_often.add_argument("--follow", action="store_true", help="look again and again, until SIGINT or SIGTERM")
    command.add_argument(
        "--every",
        metavar="DURATION",
        type=duration,
        default="1m",
        help="pause between looks of --follow (default: %(default)s)",
    )
    add_completeness(command)
    command.add_argument("--merged", metavar="PREFIX", help="prefix of merged files (default: topics.dir with -merged)")
    command.add_argument("--dry-run", action="store_true", help="write no markers, and only say where they are due")
    command.add_argument(
        "--json",
        action="store_true",
        help="print everything as JSON; with --follow, each look is a line without settled folders",
    )


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Look at the configuration's topics once or repeatedly, print what was found, and return the exit code.

    Raises:
        Kafka2ParquetError: the configuration has no folders of time, or Kafka or the store can't be read.
    """
    sink = SinkCompleteness(config, worker, lateness=options.lateness, idle_after=options.idle_after, merged=options.merged)
    if options.follow:
        return _follow(sink, options)
    found = sink.look(write=not options.dry_run)
    if options.json:
        tell(json.dumps(_to_json(sink, found, settled=True), indent=1))
    else:
        _print(found, dry_run=options.dry_run)
    return EXIT_NOT_ANSWERED if any(each.problems for each in found) else EXIT_OK


def _to_json(sink: SinkCompleteness, found: Sequence[TopicCompleteness], *, settled: bool) -> dict[str, Any]:
    topics = [each.to_json(settled=settled) for each in found]
    return {"version": _JSON_VERSION, "group_id": sink.group_id, "topics": topics}


def _follow(sink: SinkCompleteness, options: argparse.Namespace) -> int:
    stop = threading.Event()
    notes: set[tuple[str, str | None]] = set()
    with stopping_on_signals(stop.set, log="ending after this look"):
        while not stop.is_set():
            try:
                found = sink.look(write=not options.dry_run)
            except TransientError as error:
                _LOG.warning("The next look follows in %s: %s", duration_text(options.every.total_seconds()), error)
            else:
                now = {(folder.folder, _note(folder)) for each in found for folder in each.folders if _note(folder)}
                if options.json:
                    tell(json.dumps(_to_json(sink, found, settled=False)))
                else:
                    for line in _news(found, now - notes, dry_run=options.dry_run):
                        tell(line)
                notes = now
            wait_for_stop(stop, options.every.total_seconds())
    return EXIT_OK


def _news(found: Sequence[TopicCompleteness], new_notes: Collection[tuple[str, str | None]], *, dry_run: bool) -> Iterator[str]:
    """Yield a line for each folder that has changed."""
    for each in found:
        for folder in each.folders:
            if folder.written or (dry_run and folder.is_due):
                yield f"{folder.folder}: {_marker(folder)}, {counted(_files(folder), 'file')}, {counted(_rows(folder), 'row')}"
            elif (folder.folder, _note(folder)) in new_notes:
                yield f"{folder.folder}: {_note(folder)}"


def _print(found: Sequence[TopicCompleteness], *, dry_run: bool) -> None:
    lines = [
        (
            each.topic,
            folder.folder,
            _short(folder.ends_at_ms),
            f"{_files(folder):,}",
            f"{_rows(folder):,}",
            _marker(folder),
        )
        for each in found
        for folder in each.folders
        if not folder.is_settled and folder.problem is None
    ]
    if lines:
        tell("\n".join(aligned([_COLUMNS, *lines])))
    for each in found:
        for folder in each.folders:
            if note := _note(folder):
                tell(f"{folder.folder}: {note}")
    for each in found:
        tell(_summary(each, dry_run=dry_run))


def _note(folder: FolderState) -> str | None:
    """Return why a folder can't be answered for or is left out; None if it is neither, or has nothing of the sink."""
    if not folder.is_mixed:
        return folder.problem
    return f"left out, because it also has {counted(folder.history_files, 'file')} of another tool, from before this sink"


def _marker(folder: FolderState) -> str:
    """Return the marker that was written or is due, or what the folder waits for."""
    if folder.written:
        return marker_name(len(folder.markers) - 1)
    if folder.is_due:
        return f"{marker_name(len(folder.markers))} is due"
    return f"waits for partition {', '.join(str(each.partition) for each in folder.waits_for)}"


def _files(folder: FolderState) -> int:
    return sum(len(marker.files) for marker in folder.markers[-folder.written :]) if folder.written else len(folder.unmarked)


def _rows(folder: FolderState) -> int:
    return sum(marker.rows for marker in folder.markers[-folder.written :]) if folder.written else folder.unmarked_rows


def _short(time_ms: int | None) -> str:
    return (time_text(time_ms) or "-").replace(".000Z", "Z")


def _summary(found: TopicCompleteness, *, dry_run: bool) -> str:
    """Return sentences about a topic: until when it is complete, the numbers of folders, and who holds up the rest."""
    complete = sum(folder.is_complete for folder in found.folders)
    answered = [folder for folder in found.folders if folder.problem is None and not folder.history_files]
    waiting = sum(bool(folder.waits_for) for folder in answered)
    other = sum(not folder.is_by_time for folder in answered)
    history = sum(folder.problem is None and folder.history_files > 0 for folder in found.folders)
    due = sum(folder.is_due for folder in found.folders)
    numbers = [f"folders complete {complete:,}", f"waiting {waiting:,}", f"without an answer {len(found.problems):,}"]
    numbers += [f"not of time {other:,}"] if other else []
    numbers += [f"with older files of another tool {history:,}"] if history else []
    numbers += [f"markers due {due:,}" if dry_run else f"markers written {found.written:,}"]
    until = "unknown" if found.complete_until_ms is None else _short(found.complete_until_ms)
    text = f"{found.topic}: complete until {until}; {', '.join(numbers)}."
    if waiting:
        last = min(found.partitions, key=lambda each: -(1 << 63) if each.reached_ms is None else each.reached_ms)
        reached = "no row is durable yet" if last.reached_ms is None else f"it has reached {_short(last.reached_ms)}"
        text += f" Partition {last.topic_partition.partition} is last: {reached}."
    return text
