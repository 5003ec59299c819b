"""Deletes originals whose rows are in merged files, days later, and only those that nobody can need again.

On an object store, nothing swaps two files for one atomically. So merging and deleting are two acts, and in between both copies
exist, under different prefixes. A file is deleted only if

1. a merged file covers it whose result is old enough, and the merged file is there and is as its plan says;
2. its footer still says what the merged file says about it;
3. all other files of its flush that can be merged are covered, too;
4. the group's committed offset is at or after the end of its flush;
5. Kafka's log doesn't have any record of the flush any more. If the group or its offsets are lost or reset, the sink takes
   records without a file for unwritten. It can't write them again if Kafka doesn't have them;
6. its flush is not the newest one of its partition. The sink finds out from that flush how far it has come, and whether the
   topic was deleted and created again;
7. if a table is named, its partition was moved to the merged files long enough ago, see `switching`. Queries that began before
   the move read originals.

Everything else is refused, and counted by reason. Deleting is idempotent, and may be killed at any moment: of each flush the
anchor goes first, and the audit counts the rest.
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from kafka2parquet.audit.merged import audit_merged
from kafka2parquet.audit.metadata import flush_footers, read_all_metadata
from kafka2parquet.audit.read import topic_prefixes
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.compaction.switching import PartitionSwitch
from kafka2parquet.completeness.look import LogOffsets
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.reading import MergedTopic, read_merged
from kafka2parquet.merged.result import result_name
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import TopicPartition

_THREADS = 16

NOT_MERGED = "not in a merged file with a result"
TOO_YOUNG = "the result is younger than --older-than"
NO_TIME = "the store doesn't say when the result was written"
CHANGED = "the file is not as it was when it was merged"
FLUSH_NOT_MERGED = "other files of the same flush are not merged"
NOT_COMMITTED = "the group's committed offset is before the end of the flush"
STILL_IN_KAFKA = "Kafka still has records of the flush"
NEWEST = "the flush is the newest of its partition"
NOT_MOVED = "the table's partition is not at the merged files"
MOVED_LATELY = "the table's partition was moved to the merged files less than --older-than ago"
NOT_MOVED_HERE = "the table doesn't say when its partition was moved to the merged files"
MERGED_WRONG = "something is wrong with the topic's merged files"


@attrs.frozen
class Deletion:
    """The files of a topic that may be deleted, and why others may not.

    Attributes:
        topic: name of the topic.
        anchors: keys of the anchors that may be deleted. They have to go first.
        keys: keys of the other files that may be deleted.
        size_bytes: size of these files.
        refused: number of files that may not be deleted, by reason.
        problems: what is wrong with merged files.
    """

    topic: str
    anchors: tuple[str, ...] = attrs.field(repr=False)
    keys: tuple[str, ...] = attrs.field(repr=False)
    size_bytes: int
    refused: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def files(self) -> int:
        """Number of files that may be deleted."""
        return len(self.anchors) + len(self.keys)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return attrs.asdict(self)


@attrs.frozen
class _Flushes:
    """The flushes of a partition, of which some files are covered: by their ends, because flushes don't overlap."""

    covered: Mapping[int, list[CoveredFile]]
    rejects: Mapping[int, list[FlushFooter]]
    footers: Mapping[str, FlushFooter | None]
    first_offsets: Collection[int]

    def are_merged(self, end: int) -> bool:
        """Return whether all files of a flush, other than rejects, are covered."""
        covered, rejects = self.covered[end], self.rejects.get(end, [])
        keys = {file.key for file in covered}
        anchors = [footer for footer in (*rejects, *map(self.footers.get, keys)) if footer is not None and footer.is_anchor]
        if len(anchors) > 1:  # flushes overlap, and the audit says so
            return False
        if anchors:
            return all(sibling.key in keys for sibling in anchors[0].siblings or () if sibling.role != "rejects")
        counts = [file.flush_files for file in covered if file.is_anchor]  # the anchor is deleted already
        return counts == [len(covered) + len(rejects)]

    def is_newest(self, end: int) -> bool:
        """Return whether no file of a later flush exists."""
        return all(first_offset < end for first_offset in self.first_offsets)

    def why_kept(self, end: int, committed: int, log_start: int) -> str | None:
        """Return why the files of a flush may not be deleted; None if they may, as far as the flush decides.

        Args:
            end: the end of the flush.
            committed: the group's committed offset.
            log_start: the first offset that Kafka has.
        """
        if not self.are_merged(end):
            return FLUSH_NOT_MERGED
        if committed < end:
            return NOT_COMMITTED
        if log_start < end:
            return STILL_IN_KAFKA
        return NEWEST if self.is_newest(end) else None


@attrs.frozen
class _Listed:
    """The files of a topic that exist.

    Attributes:
        sizes_bytes: size of each file by key, without rejects.
        rejects: keys of the files of rejects.
        first_offsets: offset of the first row of each file, by partition.
    """

    sizes_bytes: dict[str, int] = attrs.Factory(dict)
    rejects: list[str] = attrs.Factory(list)
    first_offsets: dict[int, set[int]] = attrs.Factory(lambda: collections.defaultdict(set))

    @classmethod
    def of(cls, storage: MergeStorage, naming: ObjectNaming, topic: str) -> _Listed:
        """List the files. Blocks."""
        listed = cls()
        for prefix in topic_prefixes(naming, topic):
            for key, size_bytes in storage.list_sizes(prefix):
                name = naming.parse(key)
                if name is None or name.topic != topic:
                    continue
                listed.first_offsets[name.partition].add(name.first_offset)
                if name.encoded_partition is None:
                    listed.rejects.append(key)
                else:
                    listed.sizes_bytes[key] = size_bytes
        return listed


def find_deletable(
    storage: MergeStorage,
    topic: str,
    log: LogOffsets,
    *,
    naming: ObjectNaming,
    merged: ObjectNaming,
    older_than: datetime.timedelta,
    now: datetime.datetime,
    table: PartitionSwitch | None = None,
) -> Deletion:
    """Find the originals that may be deleted. Blocks: listings, and a read for each plan, result, merged file and candidate.

    Args:
        storage: where the files are.
        topic: the topic.
        log: offsets of the log and of the sink's group.
        naming: names of the sink's files.
        merged: names of the merged files.
        older_than: how old a result has to be.
        now: the moment from which the age counts.
        table: the table whose queries must not miss the files; None for none.

    Raises:
        ConfigurationError: Kafka doesn't have the topic.
        Kafka2ParquetError: Kafka, the store or the catalogue can't be read.
    """
    bounds = log.bounds(topic)
    if not bounds:
        raise ConfigurationError(f"Kafka has no topic {topic}, or access to it is denied.")
    committed = log.committed([topic])
    listed = _Listed.of(storage, naming, topic)
    sizes_bytes = listed.sizes_bytes
    plans = read_merged(storage, merged, topic)
    found = audit_merged(storage, plans, merged, log.topic_id(topic), sizes_bytes.keys())
    candidates = [key for covered in found.covered.values() for key in covered if key in sizes_bytes]
    footers, _ = flush_footers(read_all_metadata(storage, [*candidates, *listed.rejects]))
    refused = collections.Counter({NOT_MERGED: len(sizes_bytes) - len(candidates)})
    ages = _ages(storage, plans, merged.directory_delimiter)
    unmoved = {} if table is None else _unmoved(table, plans, {*candidates}, now - older_than)
    keys: list[str] = []
    for partition, covered in sorted(found.covered.items()):
        topic_partition = TopicPartition(topic, partition)
        flushes = _flushes(covered.values(), footers, partition, listed)
        log_start = bounds.get(topic_partition, (0, 0))[0]
        for end, files in sorted(flushes.covered.items()):
            flush_reason = flushes.why_kept(end, committed.get(topic_partition, 0), log_start)
            reasons = {
                file.key: flush_reason
                or _reason(file, footers[file.key], ages.get(file.key), older_than, now)
                or unmoved.get(file.key)
                for file in files
                if file.key in sizes_bytes
            }
            refused.update(reason for reason in reasons.values() if reason is not None)
            if not any(reasons.values()):  # a flush goes as a whole
                keys += reasons
            else:
                refused[FLUSH_NOT_MERGED] += sum(reason is None for reason in reasons.values())
    problems = tuple(finding.text for finding in found.findings)
    if problems:
        refused[MERGED_WRONG], keys = len(keys), []
    return Deletion(
        topic,
        tuple(key for key in sorted(keys) if _is_anchor(footers[key])),
        tuple(key for key in sorted(keys) if not _is_anchor(footers[key])),
        sum(sizes_bytes[key] for key in keys),
        {reason: count for reason, count in sorted(refused.items()) if count},
        problems,
    )


def delete(storage: MergeStorage, deletion: Deletion) -> None:
    """Delete files, in parallel, but the anchors before the other files. Blocks: a request for each file.

    Raises:
        StoragePermissionError: the right to delete is missing.
        Kafka2ParquetError: the store doesn't answer or refuses access. A later call deletes the rest.
    """
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-delete") as pool:
        for keys in (deletion.anchors, deletion.keys):
            collections.deque(pool.map(storage.delete, keys), maxlen=0)  # raises what a call has raised


def _flushes(
    covered: Iterable[CoveredFile],
    footers: Mapping[str, FlushFooter | None],
    partition: int,
    listed: _Listed,
) -> _Flushes:
    covered_at: dict[int, list[CoveredFile]] = collections.defaultdict(list)
    for file in covered:
        covered_at[file.end].append(file)
    rejects_at: dict[int, list[FlushFooter]] = collections.defaultdict(list)
    for key in listed.rejects:
        footer = footers[key]
        if footer is not None and footer.partition == partition:
            rejects_at[footer.end].append(footer)
    return _Flushes(covered_at, rejects_at, footers, listed.first_offsets[partition])


def _ages(storage: MergeStorage, merged: MergedTopic, delimiter: str) -> Mapping[str, datetime.datetime | None]:
    """Return when the result was written that makes each covered file count; None if the store can't say. Blocks."""
    results = {
        (folder.encoded_partition, number): f"{folder.key}{delimiter}{result_name(number)}"
        for folder in merged.folders.values()
        for number in folder.results
    }
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-delete") as pool:
        written_at = dict(zip(results, pool.map(storage.written_at, results.values()), strict=True))
    return {cover.file.key: written_at[cover.folder.encoded_partition, cover.number] for cover in merged.covered()}


def _unmoved(
    table: PartitionSwitch, merged: MergedTopic, candidates: Collection[str], before: datetime.datetime
) -> Mapping[str, str]:
    """Return why queries over a table may need files, by key. Blocks."""
    folders = {cover.file.key: cover.folder.encoded_partition for cover in merged.covered() if cover.file.key in candidates}
    found = table.catalog.find(sorted({*folders.values()}))
    reasons: dict[str, str] = {}
    for key, folder in folders.items():
        partition = found.get(folder)
        if partition is None or not partition.is_at(table.merged_location(folder)):
            reasons[key] = NOT_MOVED
        elif partition.moved_at is None:
            reasons[key] = NOT_MOVED_HERE
        elif partition.moved_at > before:
            reasons[key] = MOVED_LATELY
    return reasons


def _reason(
    file: CoveredFile,
    footer: FlushFooter | None,
    written_at: datetime.datetime | None,
    older_than: datetime.timedelta,
    now: datetime.datetime,
) -> str | None:
    """Return why a file of a flush that may go may not be deleted; None if it may."""
    if footer is None or not file.agrees_with(footer):
        return CHANGED
    if written_at is None:
        return NO_TIME
    return TOO_YOUNG if written_at > now - older_than else None


def _is_anchor(footer: FlushFooter | None) -> bool:
    return footer is not None and footer.is_anchor
