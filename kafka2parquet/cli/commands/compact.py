"""The command `kafka2parquet compact`: merges small files of closed folders, moves a table's partitions, deletes originals."""

from __future__ import annotations

import argparse
import collections
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka2parquet.cli.options import add_completeness, add_configuration, add_units, duration, size
from kafka2parquet.cli.terminal import tell
from kafka2parquet.compaction.deletion import Deletion, delete
from kafka2parquet.compaction.planning import PlannedTopic
from kafka2parquet.compaction.sink import SinkCompaction
from kafka2parquet.compaction.switching import SwitchedTopic
from kafka2parquet.compaction.unit import MergeUnit, UnitResult, verify
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.destination import TOPIC
from kafka2parquet.units import run_units
from kafka2parquet.util.display import counted
from kafka2parquet.util.display import size as size_text

EXIT_OK = 0
EXIT_NOT_MERGED = 4
_JSON_VERSION = 1
_OLDER_THAN, _DELETE_OLDER_THAN = "2h", "2d"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command)
    command.add_argument(
        "--older-than",
        metavar="DURATION",
        type=duration,
        help="merge a folder this long after its time has ended, or a flush of other folders this long after it was opened"
        f" (default: {_OLDER_THAN}). With --delete-originals: delete files this long after they were merged (default:"
        f" {_DELETE_OLDER_THAN})",
    )
    command.add_argument(
        "--target-bytes",
        metavar="SIZE",
        type=size,
        default="256MiB",
        help="size of the originals that become one merged file (default: %(default)s)",
    )
    command.add_argument(
        "--into", metavar="PREFIX", help="prefix of the merged files, in place of topics.dir (default: topics.dir with -merged)"
    )
    command.add_argument(
        "--switch",
        metavar="TABLE",
        help="then move the partitions of this table, glue:DATABASE.TABLE, from the originals to the merged files;"
        f" {TOPIC} in a name stands for the topic. With --delete-originals: delete only files whose partition was moved"
        " --older-than ago",
    )
    add_completeness(command)
    what = command.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="write nothing, and only say what would be merged or deleted")
    what.add_argument("--yes", action="store_true", help="with --delete-originals: delete, instead of only saying what")
    command.add_argument(
        "--delete-originals",
        action="store_true",
        help="merge nothing, and delete originals that were merged, are not in Kafka any more, and are not needed to go on",
    )
    add_units(command)
    command.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(options: argparse.Namespace, config: ConnectConfig, worker: WorkerConfig) -> int:
    """Plan merges, run those of this shard, print the outcome, and return the exit code.

    Raises:
        ConfigurationError: the options contradict each other.
        Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a file.
    """
    default = _DELETE_OLDER_THAN if options.delete_originals else _OLDER_THAN
    compaction = SinkCompaction(
        config,
        worker,
        into=options.into,
        older_than=duration(default) if options.older_than is None else options.older_than,
        target_bytes=options.target_bytes,
        lateness=options.lateness,
        idle_after=options.idle_after,
        switch=options.switch,
    )
    if options.yes and not options.delete_originals:
        raise ConfigurationError("--yes is only for --delete-originals: merging changes no file, so it needs no confirmation.")
    if options.delete_originals:
        return _delete(options, compaction)
    planned = compaction.plan(write=not options.dry_run)
    units = [unit for topic in planned for unit in topic.units if options.shard is None or options.shard.takes(unit)]
    switched: Sequence[SwitchedTopic] = ()
    if options.dry_run:
        switched = compaction.switch(write=False)
        _report(options, planned, units, [], {}, switched)
        return _exit_code({}, planned, switched)
    results: list[UnitResult] = []
    for unit, result in run_units(compaction.run, units, workers=options.workers):
        results.append(result)
        if not options.json:
            tell(_line(unit, result))
    wrong = verify(units, results, compaction.storage)
    try:
        switched = compaction.switch()
    finally:  # hours of merging are reported, whatever the catalogue answers
        _report(options, planned, units, results, wrong, switched)
    return _exit_code(wrong, planned, switched)


def _exit_code(wrong: Mapping[str, str], planned: Sequence[PlannedTopic], switched: Sequence[SwitchedTopic]) -> int:
    problems = [wrong, *(topic.problems for topic in planned), *(topic.problems for topic in switched)]
    return EXIT_NOT_MERGED if any(problems) else EXIT_OK


def _delete(options: argparse.Namespace, compaction: SinkCompaction) -> int:
    """Delete originals, or say which would be deleted."""
    if options.shard is not None or options.workers > 1:
        raise ConfigurationError("--delete-originals takes neither --workers nor --shard: deleting takes one request per file.")
    found = compaction.deletions()
    for deletion in found:
        if options.yes:
            delete(compaction.storage, deletion)
    if options.json:
        shown = {"version": _JSON_VERSION, "deleted": options.yes, "topics": [deletion.to_json() for deletion in found]}
        tell(json.dumps(shown, indent=1))
    else:
        for deletion in found:
            tell("\n".join(_deletion_lines(deletion, deleted=options.yes)))
        if not options.yes and not options.dry_run and any(deletion.files for deletion in found):
            tell("Nothing was deleted. Add --yes to delete these files.")
    return EXIT_NOT_MERGED if any(deletion.problems for deletion in found) else EXIT_OK


def _deletion_lines(deletion: Deletion, *, deleted: bool) -> Iterator[str]:
    what = f"{counted(deletion.files, 'file')}, {size_text(deletion.size_bytes)}"
    yield f"{deletion.topic}: {'deleted' if deleted else 'would delete'} {what}"
    for reason, files in deletion.refused.items():
        yield f"  kept {counted(files, 'file')}: {reason}"
    for problem in deletion.problems:
        yield f"  problem: {problem}"


def _line(unit: MergeUnit, result: UnitResult) -> str:
    what = f"{unit.plan_key}: {counted(unit.files, 'file')}, {size_text(unit.input_bytes)}"
    if result.problem is not None:
        return f"{what}: not merged: {result.problem}"
    return f"{what} -> {counted(result.merged_files, 'file')}, {size_text(result.output_bytes)}, {counted(result.rows, 'row')}"


def _report(
    options: argparse.Namespace,
    planned: Sequence[PlannedTopic],
    units: Sequence[MergeUnit],
    results: Sequence[UnitResult],
    wrong: Any,
    switched: Sequence[SwitchedTopic],
) -> None:
    if options.json:
        shown = {
            "version": _JSON_VERSION,
            "shard": None if options.shard is None else str(options.shard),
            "topics": [topic.to_json() for topic in planned],
            "units": [unit.id for unit in units],
            "results": [result.to_json() for result in results],
            "problems": dict(wrong),
            "tables": [topic.to_json() for topic in switched],
        }
        tell(json.dumps(shown, indent=1))
        return
    if options.dry_run:
        for unit in units:
            tell(f"{unit.plan_key}: would merge {counted(unit.files, 'file')}, {size_text(unit.input_bytes)}")
    for topic in planned:
        for folder, problem in topic.problems.items():
            tell(f"{topic.topic}/{folder}: not merged: {problem}")
        for folder, files in topic.history.items():
            older = f"{counted(files, 'file')} of another tool, from before this sink"
            tell(f"{topic.topic}/{folder}: left out, because it also has {older}")
    for unit_id, problem in wrong.items():
        tell(f"{unit_id}: not done: {problem}")
    tell(_summary(planned, units, results, dry_run=options.dry_run))
    for table in switched:
        tell("\n".join(_switch_lines(table, dry_run=options.dry_run)))


def _switch_lines(table: SwitchedTopic, *, dry_run: bool) -> Iterator[str]:
    yield (
        f"{table.table}: {'would move' if dry_run else 'moved'} {counted(len(table.moved), 'partition')} to merged files; moved"
        f" before {table.moved_before:,}"
    )
    for reason, partitions in sorted(collections.Counter(table.kept.values()).items()):
        yield f"  kept {counted(partitions, 'partition')}: {reason}"
    for folder, problem in table.problems.items():
        yield f"  kept {folder}: {problem}"
    if table.unseen:
        files, folders = counted(sum(table.unseen.values()), "late file"), counted(len(table.unseen), "partition")
        yield f"  queries don't see {files} in {folders} until the next run has merged them"


def _summary(
    planned: Sequence[PlannedTopic], units: Sequence[MergeUnit], results: Sequence[UnitResult], *, dry_run: bool
) -> str:
    before = f"{counted(sum(unit.files for unit in units), 'file')} of {size_text(sum(unit.input_bytes for unit in units))}"
    waiting = f"files that have to wait {sum(topic.waiting_files for topic in planned):,}"
    done = f"merged before {sum(topic.done_files for topic in planned):,}"
    if dry_run:
        return f"Would merge {before}; {waiting}; {done}."
    merged = [result for result in results if result.problem is None]
    after = (
        f"{counted(sum(result.merged_files for result in merged), 'file')} of"
        f" {size_text(sum(result.output_bytes for result in merged))}"
    )
    return f"Merged {before} into {after}; {waiting}; {done}."
