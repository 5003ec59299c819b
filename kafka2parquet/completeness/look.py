"""Completeness: looks at a topic, says which folders of time are complete, and writes their markers."""

from __future__ import annotations

import collections
import datetime
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Protocol

import attrs

from kafka2parquet.audit.history import OtherFile, sink_starts
from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.completeness.folders import TimeFolders
from kafka2parquet.completeness.frontier import PartitionFrontier, frontier, newest_time_ms
from kafka2parquet.completeness.marker import MarkedFile, Marker, marker_name
from kafka2parquet.completeness.reading import Folder, TopicFiles, TopicReader, Unreadable
from kafka2parquet.completeness.state import FolderState, TopicCompleteness
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.reading import may_be_listed, read_merged
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import Storage
from kafka2parquet.util.argument_types import AtLeast
from kafka2parquet.util.arguments import Duration, Name, checked

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MS = datetime.timedelta(milliseconds=1)
_NO_TIME = datetime.timedelta()

_Lateness = Annotated[datetime.timedelta, AtLeast(_NO_TIME)]


class LogOffsets(Protocol):
    """Offsets of a log and of the sink's group. Each call may block, and may raise a `Kafka2ParquetError`."""

    def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return the start and the end of the log of each partition of a topic; {} if the topic doesn't exist."""

    def committed(self, topics: Collection[str]) -> Mapping[TopicPartition, int]:
        """Return the group's committed offsets in these topics, for the partitions that have one."""

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic, "" if unknown. It is asked for after `bounds`."""


@attrs.frozen
class _Facts:
    """What a look has read, and what follows for the topic-partitions."""

    topic_id: str
    committed: Mapping[TopicPartition, int]
    frontiers: tuple[PartitionFrontier, ...]
    missing: Mapping[str, str]
    starts: Mapping[int, int]

    def is_history(self, file: OtherFile) -> bool:
        """Return whether another tool wrote a file before the sink's first file of the partition."""
        return file.is_before(self.starts.get(file.partition))


@checked
class Completeness:
    """Looks at a topic when the caller asks, and writes markers into folders of time that are complete.

    Reads the group's offsets, footers and markers; keeps nothing that can't be read again. For use by one thread at a time.
    The docstring of `kafka2parquet.completeness` says what a marker promises.
    """

    def __init__(
        self,
        storage: Storage,
        topic: Name,
        partitioner: TimeBasedPartitioner,
        *,
        naming: ObjectNaming | None = None,
        lateness: _Lateness = _NO_TIME,
        idle_after: Duration | None = None,
        clock: Clock | None = None,
        merged: ObjectNaming | None = None,
    ) -> None:
        """Prepare looks at a topic. Nothing is read yet.

        Args:
            storage: where the files are.
            topic: the topic.
            partitioner: gives the rows their folders. If the sink nests it in other folders, the inner partitioner.
            naming: how the files are named, as the sink was built with.
            lateness: how much older than an earlier record of its partition a record may be.
            idle_after: how long a partition without new rows holds up the others; None if for ever.
            clock: the time, by default the system's.
            merged: names of merged files. Files that were merged and then deleted are not missing.

        Raises:
            ConfigurationError: an argument is wrong, or a folder of the partitioner is never complete.
        """
        self._storage = storage
        self._topic = topic
        self._naming = naming if naming is not None else ObjectNaming()
        self._folders = TimeFolders(partitioner, self._naming.directory_delimiter)
        self._lateness_ms = lateness // _MS
        self._idle_after_ms = None if idle_after is None else idle_after // _MS
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._merged = merged
        self._reader = TopicReader(storage, self._naming, topic)
        self._first_seen_ms: dict[str, int] = {}

    def look(self, log: LogOffsets, *, write: bool = True) -> TopicCompleteness:
        """Judge each folder, and write the markers that are due.

        Blocks: two listings, a read for each new file and each new marker, a request for the newest file of each partition, and
        a write for each marker. If the look fails, the next one continues.

        Args:
            log: offsets of the sink's group.
            write: whether to write markers. Otherwise the result only says where they are due.

        Raises:
            ConfigurationError: Kafka doesn't have the topic.
            Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a marker.
        """
        now = self._clock.now()
        # Offsets before files, so that all files of the committed flushes are seen; ends before offsets, so that a partition
        # that is read out was read out at `now`.
        bounds = log.bounds(self._topic)
        if not bounds:
            raise ConfigurationError(f"Kafka has no topic {self._topic}, or access to it is denied.")
        committed = log.committed([self._topic])
        topic_id = log.topic_id(self._topic)
        files = self._reader.read()
        facts = _Facts(
            topic_id,
            committed,
            tuple(self._frontiers(files, bounds, committed, topic_id, (now - _EPOCH) // _MS)),
            self._missing(files, committed),
            self._starts(files, committed, topic_id),
        )
        reached_ms = [each.reached_ms for each in facts.frontiers]
        known_ms = [each_ms for each_ms in reached_ms if each_ms is not None]
        return TopicCompleteness(
            self._topic,
            now,
            min(known_ms) - self._lateness_ms if len(known_ms) == len(reached_ms) else None,
            facts.frontiers,
            tuple(self._settled(files.folders[key], files, facts, write=write) for key in sorted(files.folders)),
        )

    def _missing(self, files: TopicFiles, committed: Mapping[TopicPartition, int]) -> Mapping[str, str]:
        """Return the missing files of committed flushes, but not those that were merged and then deleted."""
        missing = _missing_siblings(files, committed, self._naming.directory_delimiter)
        if not missing or self._merged is None or not may_be_listed(self._storage, self._merged, self._topic):
            return missing
        merged = {cover.file.key for cover in read_merged(self._storage, self._merged, self._topic).covered()}
        return _missing_siblings(files, committed, self._naming.directory_delimiter, merged)

    def _starts(self, files: TopicFiles, committed: Mapping[TopicPartition, int], topic_id: str) -> Mapping[int, int]:
        """Return where the files of each partition begin, as footers and markers say. See `sink_starts`."""
        begun = [
            (footer.partition, footer.start)
            for footer in files.footers.values()
            if isinstance(footer, FlushFooter) and not _differ(footer.topic_id, topic_id)
        ]
        begun += (
            (file.partition, file.first_offset)
            for marker in files.markers.values()
            if isinstance(marker, Marker) and not _differ(marker.topic_id, topic_id)
            for file in marker.files
            if file.first_offset >= 0
        )
        return sink_starts(begun, committed)

    def _settled(self, folder: Folder, files: TopicFiles, facts: _Facts, *, write: bool) -> FolderState:
        """Judge a folder, and write its marker if it is due. If another process was faster, its marker counts."""
        markers: dict[int, Marker | Unreadable] = {
            number: files.markers[key] for number, key in folder.markers.items() if key in files.markers
        }
        footers = [files.footers[key] for key in folder.files.keys() & files.footers.keys()]
        topic_id = max((footer.topic_id for footer in footers if isinstance(footer, FlushFooter)), default="")
        written = 0
        while True:
            state = attrs.evolve(self._state(folder, files, facts, markers), written=written)
            if not write or not state.is_due:
                return state
            number = len(state.markers)
            marker = Marker(self._topic, topic_id, folder.key, number, state.unmarked)
            key = f"{folder.key}{self._naming.directory_delimiter}{marker_name(number)}"
            if self._storage.create(key, marker.to_bytes()):
                markers[number], written = marker, written + 1
            else:
                winner = self._reader.read_marker(key)
                if winner is None:  # it was deleted at this moment; the next look sees what is there
                    return state
                markers[number] = winner

    def _state(
        self, folder: Folder, files: TopicFiles, facts: _Facts, markers: Mapping[int, Marker | Unreadable]
    ) -> FolderState:
        """Judge a folder that has certain markers."""
        readable = tuple(marker for _, marker in sorted(markers.items()) if isinstance(marker, Marker))
        marked = [file for marker in readable for file in marker.files]
        names = {file.name for file in marked}
        footers = {
            name: files.footers[key]
            for name, key in sorted((self._name(key), key) for key in folder.files)
            if name not in names and key in files.footers
        }
        known = [(name, footer) for name, footer in footers.items() if isinstance(footer, FlushFooter)]
        unmarked = tuple(MarkedFile.of(name, footer) for name, footer in known if _is_durable(footer, facts.committed))
        all_files = [*marked, *(MarkedFile.of(name, footer) for name, footer in known)]
        ends_at_ms = self._end_of(folder, all_files)
        waits_for = tuple(
            each.topic_partition
            for each in facts.frontiers
            if ends_at_ms is not None and (each.reached_ms is None or each.reached_ms < ends_at_ms + self._lateness_ms)
        )
        history = {name for name, footer in footers.items() if isinstance(footer, OtherFile) and facts.is_history(footer)}
        problem = (
            (None if history else _problem_of_markers(markers, facts.topic_id))
            or _problem_of_footers({name: footer for name, footer in footers.items() if name not in history}, facts.topic_id)
            or self._problem_of_folder(folder, facts)
            or _problem_of_files(marked, unmarked)
        )
        if ends_at_ms is None and _times_ms(all_files):  # a folder of something else, which nobody asked about
            problem = None
        return FolderState(folder.key, ends_at_ms, readable, 0, unmarked, waits_for, problem, len(history))

    def _end_of(self, folder: Folder, files: Iterable[MarkedFile]) -> int | None:
        times_ms = _times_ms(files)
        return self._folders.end_ms(folder.encoded_partition, min(times_ms), max(times_ms)) if times_ms else None

    def _problem_of_folder(self, folder: Folder, facts: _Facts) -> str | None:
        if folder.key in facts.missing:
            return f"{facts.missing[folder.key]}, a file of a committed flush, doesn't exist. `kafka2parquet audit` says more."
        if folder.others:
            return f"the folder also has {self._name(folder.others[0])}, of another topic. A marker speaks of one topic."
        return None

    def _name(self, key: str) -> str:
        return key.rpartition(self._naming.directory_delimiter)[2]

    def _frontiers(
        self,
        files: TopicFiles,
        bounds: Mapping[TopicPartition, tuple[int, int]],
        committed: Mapping[TopicPartition, int],
        topic_id: str,
        now_ms: int,
    ) -> Iterable[PartitionFrontier]:
        durable = self._durable_files(files, committed, topic_id)
        newest = self._newest_keys(files, topic_id)
        self._first_seen_ms = {key: self._first_seen_ms.get(key, now_ms) for key in newest.values()}
        for topic_partition, (log_start, log_end) in sorted(bounds.items()):
            position = max(log_start, committed.get(topic_partition, log_start))
            is_asked = self._idle_after_ms is not None and position >= log_end and topic_partition.partition in newest
            yield frontier(
                topic_partition,
                position=position,
                committed=committed.get(topic_partition),
                log_end=log_end,
                newest_time_ms=newest_time_ms(durable[topic_partition.partition], now_ms),
                written_at_ms=self._written_at_ms(newest[topic_partition.partition]) if is_asked else None,
                now_ms=now_ms,
                idle_after_ms=self._idle_after_ms,
            )

    def _durable_files(
        self, files: TopicFiles, committed: Mapping[TopicPartition, int], topic_id: str
    ) -> Mapping[int, list[MarkedFile]]:
        """Return the durable files in folders of time, in markers or not, by partition.

        Other folders have rows with other times: those of tombstones are Kafka's, even if rows have their times in a field.
        """
        found: dict[int, list[MarkedFile]] = collections.defaultdict(list)
        for marker in files.markers.values():
            if isinstance(marker, Marker) and not _differ(marker.topic_id, topic_id):
                for file in marker.files:
                    found[file.partition].append(file)
        for folder in files.folders.values():
            for key in folder.files.keys() & files.footers.keys():
                footer = files.footers[key]
                if not isinstance(footer, FlushFooter) or not _is_durable(footer, committed):
                    continue
                if _differ(footer.topic_id, topic_id):
                    continue
                file = MarkedFile.of(key, footer)
                if self._end_of(folder, [file]) is not None:
                    found[footer.partition].append(file)
        return found

    def _newest_keys(self, files: TopicFiles, topic_id: str) -> Mapping[int, str]:
        """Return the key of a file of the last flush of each partition: the one with the greatest first offset."""
        names = {key: name for folder in files.folders.values() for key, name in folder.files.items()} | {**files.rejects}
        of_earlier_topics = {
            key
            for key, footer in files.footers.items()
            if isinstance(footer, FlushFooter) and _differ(footer.topic_id, topic_id)
        } | {
            f"{marker.folder}{self._naming.directory_delimiter}{file.name}"
            for marker in files.markers.values()
            if isinstance(marker, Marker) and _differ(marker.topic_id, topic_id)
            for file in marker.files
        }
        newest: dict[int, str] = {}
        for key in sorted(names.keys() - of_earlier_topics, key=lambda key: (names[key].first_offset, key)):
            newest[names[key].partition] = key
        return newest

    def _written_at_ms(self, key: str) -> int:
        """Return when a file was written: by the store's clock, or when this object saw the file first."""
        written_at = getattr(self._storage, "written_at", None)
        moment: datetime.datetime | None = written_at(key) if written_at is not None else None
        return self._first_seen_ms[key] if moment is None else (moment - _EPOCH) // _MS


def _times_ms(files: Iterable[MarkedFile]) -> Sequence[int]:
    """Return the least and the greatest time of each file of values that has times."""
    times_ms = (time_ms for file in files if file.role == "values" for time_ms in (file.min_time_ms, file.max_time_ms))
    return [time_ms for time_ms in times_ms if time_ms is not None]


def _problem_of_markers(markers: Mapping[int, Marker | Unreadable], topic_id: str) -> str | None:
    for marker in markers.values():
        if isinstance(marker, Unreadable):
            return marker.reason
        if _differ(marker.topic_id, topic_id):
            return f"{marker_name(marker.number)} is of an earlier topic of the same name, whose offsets mean other records."
    absent = sorted(set(range(max(markers, default=0))) - markers.keys())
    return f"{marker_name(absent[0])} is missing, although a later marker exists: it was deleted." if absent else None


def _problem_of_footers(footers: Mapping[str, FlushFooter | OtherFile | Unreadable], topic_id: str) -> str | None:
    for name, footer in footers.items():
        if isinstance(footer, Unreadable):
            return footer.reason
        if isinstance(footer, OtherFile):
            return f"{name} was not written by kafka2parquet."
        if _differ(footer.topic_id, topic_id):
            return f"{name} is of an earlier topic of the same name, whose offsets mean other records."
    return None


def _problem_of_files(marked: Collection[MarkedFile], unmarked: Collection[MarkedFile]) -> str | None:
    for file in unmarked:
        if file.role == "values" and file.rows and file.min_time_ms is None:
            return f"{file.name} has no times in its footer: an older version of kafka2parquet wrote it, so nothing is known."
    files = [file for file in (*marked, *unmarked) if file.role == "values" and file.rows]
    files.sort(key=lambda file: (file.partition, file.first_offset))
    for before, file in itertools.pairwise(files):
        if before.partition == file.partition and file.first_offset <= before.last_offset:
            return f"{before.name} and {file.name} have rows of the same offsets. `kafka2parquet audit` says more."
    return None


def _differ(topic_id: str, other: str) -> bool:
    """Whether two topic ids, if both are known, are those of different topics."""
    return "" not in (topic_id, other) and topic_id != other


def _is_durable(footer: FlushFooter, committed: Mapping[TopicPartition, int]) -> bool:
    return footer.end <= committed.get(TopicPartition(footer.topic, footer.partition), 0)


def _missing_siblings(
    files: TopicFiles, committed: Mapping[TopicPartition, int], delimiter: str, merged: Collection[str] = ()
) -> Mapping[str, str]:
    """Return the key of a missing file of a committed flush for the folder where it should be, and for the anchor's folder.

    An anchor is in no marker as long as a file of its flush is missing. So each look reads the anchor again, and finds out.
    """
    there = {key for folder in files.folders.values() for key in folder.files} | files.rejects.keys() | {*merged}
    return {
        place.rpartition(delimiter)[0]: sibling.key
        for key, footer in files.footers.items()
        if isinstance(footer, FlushFooter) and _is_durable(footer, committed)
        for sibling in footer.siblings or ()
        if sibling.key not in there
        for place in (key, sibling.key)
    }
