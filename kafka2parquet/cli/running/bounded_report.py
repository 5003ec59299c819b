"""What a run that ends prints before and after it, and the file that `--result` names."""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kafka2parquet.audit.flushes import flushes_table
from kafka2parquet.bounded.course import Course
from kafka2parquet.bounded.ranges import Ranges
from kafka2parquet.bounded.result import DrainResult
from kafka2parquet.clock import SystemClock, utc_text
from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import Storage
from kafka2parquet.util.display import counted, duration

_LOG = logging.getLogger(__name__)
_VERSION = 1
_MOST_LINES = 20
_COUNTS = ("rows", "files", "bytes", "rejects")

Counts = Mapping[str, int]
"""Rows, files, bytes and rejects, by these names."""


class Report:
    """The file that `--result` names. It is right at any moment, so a killed process leaves `"complete": false` behind."""

    def __init__(self, path: str | None, connector: str, ranges: Ranges, start: str | None, end: str | None) -> None:
        """Prepare the report.

        Args:
            path: of the file; None writes nothing.
            connector: name of the connector.
            ranges: the ranges of the run.
            start: `--from`, as it was given.
            end: `--to`, as it was given.
        """
        self.began_s = time.monotonic()
        self._path = path
        self._ranges = ranges
        self._head = {
            "version": _VERSION,
            "connector": connector,
            "group": ranges.group_id,
            "from": start,
            "to": end,
            "started_at": utc_text(SystemClock().now()),
        }

    def begin(self) -> None:
        """Write that nothing is done yet.

        Raises:
            ConfigurationError: the file can't be written.
        """
        if self._path is not None:
            write_json(self._path, {**self._head, **_without_completion(Course(self._ranges.limits()).result.to_json())})

    def end(self, result: DrainResult, error: str, find_published: Callable[[], Mapping[TopicPartition, Counts]]) -> None:
        """Write the result.

        Args:
            result: what the run did.
            error: the text of the error that ended the run; "" without one.
            find_published: returns what is published of the ranges.

        Raises:
            ConfigurationError: the file can't be written.
        """
        if self._path is None:
            return
        found = result.to_json()
        if result.is_complete:
            try:
                by_partition = find_published()
            except Kafka2ParquetError as problem:
                _LOG.warning("The published files can't be counted for %s: %s", self._path, problem)
            else:
                found["published"] = _sum(by_partition.values())
                for each in found["partitions"]:
                    each["published"] = by_partition[TopicPartition(each["topic"], each["partition"])]
        ended = {"ended_at": utc_text(SystemClock().now()), "duration_s": round(time.monotonic() - self.began_s, 3)}
        write_json(self._path, {**self._head, **ended, **({"error": error} if error else {}), **found})


def _without_completion(found: dict[str, Any]) -> dict[str, Any]:
    """Return a result of a run that has not begun: a run over nothing isn't complete before it has ended."""
    return {**found, "complete": False}


def published(storage: Storage, naming: ObjectNaming, ranges: Ranges) -> Mapping[TopicPartition, Counts]:
    """Count the published files whose first row is in a range, whichever run wrote them. Blocks: lists, and reads footers.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """

    def is_wanted(name: ObjectName) -> bool:
        range_ = ranges.of.get(TopicPartition(name.topic, name.partition))
        return range_ is not None and range_.start <= name.first_offset < range_.end

    found: dict[TopicPartition, collections.Counter[str]] = {each: collections.Counter() for each in ranges.of}
    for topic in sorted({topic_partition.topic for topic_partition in ranges.of}):
        for row in flushes_table(storage, naming, topic, is_wanted).to_pylist():
            counts = found[TopicPartition(topic, row["partition"])]
            counts.update(files=1, bytes=row["bytes"] or 0)
            if row["role"] in ("values", "rejects"):
                counts["rows" if row["role"] == "values" else "rejects"] += row["rows"]
    return {topic_partition: {name: counts[name] for name in _COUNTS} for topic_partition, counts in found.items()}


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all, in place of an older one.

    Raises:
        ConfigurationError: the file can't be written.
    """
    with _written(path, content) as temporary:
        temporary.replace(path)


def create_json(path: str, content: Mapping[str, Any]) -> bool:
    """Create a file whole or not at all. Returns False and changes nothing if the file exists.

    Raises:
        ConfigurationError: the file can't be written.
    """
    with _written(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        return True


@contextlib.contextmanager
def _written(path: str, content: Mapping[str, Any]) -> Iterator[Path]:
    """Write a temporary file beside `path`, which is gone at the end of the block."""
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error


def plan_text(name: str, ranges: Ranges) -> str:
    """Return what a run is about to do: a line for each topic-partition, as far as they are few."""
    what = f"{counted(ranges.offsets, 'offset')} in {counted(len(ranges.of), 'topic-partition')}"
    lines = [f"{name}: {what}, consumer group {ranges.group_id}"]
    shown = list(ranges)[:_MOST_LINES]
    width = max((len(str(topic_partition)) for topic_partition, _ in shown), default=0)
    lines += [f"  {str(each).ljust(width)}  from {range_.start:,} to {range_.end:,}" for each, range_ in shown]
    if len(ranges.of) > len(shown):
        left_out = counted(len(ranges.of) - len(shown), "more topic-partition")
        lines.append(f"  and {left_out}; --range FILE writes all to a file")
    return "\n".join(lines)


def summary_text(result: DrainResult, duration_s: float) -> str:
    """Return what a run did, in one line."""
    done = (
        f"{counted(result.files, 'file')}, {counted(result.committed_rows, 'row')}, {counted(result.file_bytes, 'byte')},"
        f" {counted(result.rejected, 'reject')} in {duration(duration_s)}"
    )
    complete, total = sum(each.is_complete for each in result.partitions), len(result.partitions)
    if not result.is_complete:
        ends = (
            "its topic-partition is not at its end"
            if total == 1
            else f"{complete} of {total} topic-partitions are at their end"
        )
        return f"ENDED BEFORE: {ends}; this run: {done}. Run the same command again to continue."
    if not result.files and not result.committed_rows:
        ends = "its topic-partition was at its end" if total == 1 else f"all {total} topic-partitions were at their end"
        return f"COMPLETE before: {ends}, and this run wrote nothing."
    ends = "its topic-partition is at its end" if total == 1 else f"all {total} topic-partitions are at their end"
    return f"COMPLETE: {ends}; this run: {done}."


def _sum(counts: Any) -> Counts:
    total: collections.Counter[str] = collections.Counter()
    for each in counts:
        total.update(each)
    return {name: total[name] for name in _COUNTS}
