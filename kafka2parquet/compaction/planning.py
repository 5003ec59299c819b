"""TopicPlanner: plans the merges of a topic's folders."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import attrs

from kafka2parquet.audit.history import sink_starts
from kafka2parquet.clock import Clock
from kafka2parquet.compaction.closed import Closed, missing_siblings
from kafka2parquet.compaction.known import KnownFooters
from kafka2parquet.compaction.originals import Original, OriginalFolder, read_originals
from kafka2parquet.compaction.packing import pack
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.compaction.unit import MergeUnit
from kafka2parquet.completeness.look import LogOffsets
from kafka2parquet.completeness.state import FolderState, TopicCompleteness
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.covered import overlapping
from kafka2parquet.merged.plan import FileFormat, MergePlan, PlannedOutput, plan_name
from kafka2parquet.merged.reading import MergedFolder, MergedTopic, parse_plan, read_merged
from kafka2parquet.merged.result import result_name
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.storage.base import Storage

#: A folder that never ends is merged only if this number of files has come, or enough bytes for a merged file.
_LEAST_FILES = 5


class CompletenessLook(Protocol):
    """Says which folders of time are complete, as `completeness.Completeness` does."""

    def look(self, log: LogOffsets, *, write: bool = True) -> TopicCompleteness:
        """Judge each folder. See `Completeness.look`."""


@attrs.frozen
class PlannedTopic:
    """The plans of a topic that have no result yet, and what can't be planned.

    Attributes:
        topic: name of the topic.
        units: the plans to run, ordered by their keys.
        problems: why folders can't be merged, by encoded partition.
        waiting_files: number of durable files that may not be merged yet.
        done_files: number of files in plans with a result, in folders that still have originals.
        history: folders that are left out although they have files of the sink, each with the number of its files that another
            tool wrote before the sink's first file.
    """

    topic: str
    units: tuple[MergeUnit, ...]
    problems: Mapping[str, str]
    waiting_files: int
    done_files: int
    history: Mapping[str, int] = attrs.field(factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {**attrs.asdict(self, recurse=False), "units": [unit.to_json() for unit in self.units]}


class TopicPlanner:
    """Plans the merges of a topic, from its files, its plans and the offsets of the sink's group.

    Keeps nothing that can't be read again. For use by one thread at a time.
    """

    def __init__(
        self,
        storage: MergeStorage,
        topic: str,
        *,
        naming: ObjectNaming,
        merged: ObjectNaming,
        file_format: FileFormat,
        target_bytes: int,
        older_than: datetime.timedelta,
        completeness: Callable[[Storage], CompletenessLook] | None,
        clock: Clock,
    ) -> None:
        """Prepare. Nothing is read yet.

        Args:
            storage: where the files are.
            topic: the topic.
            naming: names of the sink's files.
            merged: names of the merged files.
            file_format: how merged files are written.
            target_bytes: size in bytes of the originals from which on a merged file is full.
            older_than: how old a folder's end, or in folders without time a flush, has to be.
            completeness: makes what says which folders of time are complete, for a storage; None if the sink has no folders of
                time.
            clock: the time.
        """
        self._storage = storage
        self._topic = topic
        self._naming = naming
        self._merged = merged
        self._format = file_format
        self._target_bytes = target_bytes
        self._older_than = older_than
        self._completeness = completeness
        self._clock = clock

    def plan(self, log: LogOffsets, *, write: bool = True) -> PlannedTopic:
        """Plan the merges of all files that may be merged and are in no plan yet.

        Blocks: listings, a read for each plan and each file that is in no plan, and a write for each new plan. If another
        process has created a plan meanwhile, that plan is taken.

        Args:
            log: offsets of the sink's group.
            write: whether to create plans. Otherwise the result only says what they would be, and the units can't run.

        Raises:
            ConfigurationError: Kafka doesn't have the topic.
            Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a plan.
        """
        # Offsets before files, so that all files of the committed flushes are seen.
        states = self._states(log)
        if not log.bounds(self._topic):
            raise ConfigurationError(f"Kafka has no topic {self._topic}, or access to it is denied.")
        closed = Closed(log.committed([self._topic]), states, self._older_than, self._clock.now())
        topic_id = log.topic_id(self._topic)
        while True:
            sizes_bytes, rejects = self._list()
            merged = self._read_merged(sizes_bytes)
            folders = read_originals(self._storage, self._naming, self._topic, merged.covers.keys(), sizes_bytes)
            missing = self._missing(folders, closed, sizes_bytes.keys() | rejects | merged.covers.keys())
            history = _history(folders, merged, closed)
            plans, problems, waiting_files = self._new_plans(folders, merged, closed, missing, topic_id, history)
            if not write or self._create_all(plans):
                break
        units = [
            self._unit(plan)
            for plan in (*(plan for folder in merged.folders.values() for plan in _without_result(folder)), *plans)
            if plan.folder not in problems
        ]
        done_files = sum(
            len(plan.inputs) for folder in merged.folders.values() for n, plan in folder.plans.items() if n in folder.results
        )
        units.sort(key=lambda unit: unit.id)
        mixed = {name: files for name, files in history.items() if folders[name].new and name not in problems}
        return PlannedTopic(self._topic, tuple(units), problems, waiting_files, done_files, mixed)

    def _states(self, log: LogOffsets) -> Mapping[str, FolderState] | None:
        if self._completeness is None:
            return None
        prefix = self._naming.prefix(self._topic)
        covers = self._read_merged([*self._storage.list(prefix)]).covers
        known = {key: covers_of[0] for key, covers_of in covers.items() if covers_of[0].counts}
        found = self._completeness(KnownFooters(self._storage, known)).look(log, write=False)
        return {state.folder.removeprefix(prefix): state for state in found.folders}

    def _list(self) -> tuple[Mapping[str, int], Collection[str]]:
        """Return the sizes of the topic's files by key, and the keys of its rejects."""
        sizes_bytes = dict(self._storage.list_sizes(self._naming.prefix(self._topic)))
        return sizes_bytes, set(self._storage.list(self._naming.quarantine_prefix(self._topic)))

    def _read_merged(self, originals: Collection[str]) -> MergedTopic:
        """Read the plans and results of folders that have originals. In other folders, all originals are deleted."""
        names = map(self._naming.parse, originals)
        folders = {name.encoded_partition for name in names if name is not None and name.encoded_partition is not None}
        return read_merged(self._storage, self._merged, self._topic, folders)

    def _missing(self, folders: Mapping[str, OriginalFolder], closed: Closed, known: Collection[str]) -> Mapping[str, str]:
        """Return the missing files of flushes, but not those that were merged and deleted with all other files of a folder."""
        missing = missing_siblings(folders, closed, known)
        if not missing:
            return missing
        everything = read_merged(self._storage, self._merged, self._topic)
        return missing_siblings(folders, closed, {*known, *everything.covers})

    def _new_plans(
        self,
        folders: Mapping[str, OriginalFolder],
        merged: MergedTopic,
        closed: Closed,
        missing: Mapping[str, str],
        topic_id: str,
        history: Mapping[str, int],
    ) -> tuple[list[MergePlan], dict[str, str], int]:
        """Return the next plans, the problems of folders, and the number of files that have to wait."""
        plans: list[MergePlan] = []
        found = {name: folder.problem or folder.other_topic(topic_id) for name, folder in merged.folders.items()}
        problems = {name: problem for name, problem in found.items() if problem is not None}
        waiting_files = 0
        for name, folder in sorted(folders.items()):
            earlier = merged.folders.get(name, MergedFolder("", name))
            files = closed.files(folder)
            problem = (
                problems.get(name)
                or folder.problem
                or (None if name in history else folder.problem_of_others())
                or closed.problem(folder)
                or self._problem(files, earlier, missing, topic_id)
            )
            if problem is not None:
                problems[name] = problem
                continue
            if name in history:
                continue
            if not closed.is_by_time(folder) and not self._is_worth_it(files):
                files = []
            waiting_files += len(folder.new) - len(files)
            number = len(earlier.plans)
            for outputs in pack(files, self._merged, self._target_bytes):
                plans.append(self._plan(files[0], name, number, outputs))
                number += 1
        return plans, problems, waiting_files

    def _is_worth_it(self, files: Collection[Original]) -> bool:
        """Return whether files of a folder without an end are enough for a plan."""
        return len(files) >= _LEAST_FILES or sum(each.file.size_bytes for each in files) >= self._target_bytes

    def _problem(
        self, files: Collection[Original], earlier: MergedFolder, missing: Mapping[str, str], topic_id: str
    ) -> str | None:
        """Return why files of a folder can't be merged; None if they can."""
        if not files:
            return None
        folder = next(iter(files)).name.encoded_partition or ""
        if folder in missing:
            return f"{missing[folder]}, a file of a committed flush, doesn't exist. `kafka2parquet audit` says more."
        known = {(plan.cluster_id, plan.topic_id) for plan in earlier.plans.values()}
        known |= {(each.footer.cluster_id, each.footer.topic_id) for each in files}
        if len(known) > 1 or any("" not in (each, topic_id) and each != topic_id for _, each in known):
            return "it has files of an earlier topic of the same name, whose offsets mean other records."
        planned = (file for plan in earlier.plans.values() for file in plan.inputs)
        for before, file in overlapping([*planned, *(each.file for each in files)]):
            return f"{before.key} and {file.key} have rows of the same offsets. `kafka2parquet audit` says more."
        return None

    def _plan(self, first: Original, folder: str, number: int, outputs: Collection[PlannedOutput]) -> MergePlan:
        footer = first.footer
        return MergePlan(footer.cluster_id, footer.topic_id, self._topic, folder, number, self._format, tuple(outputs))

    def _create_all(self, plans: Collection[MergePlan]) -> bool:
        """Create plans in their order. Returns False if another process has created a different one instead.

        A folder's later plans are then not created, because they don't know what the other plan has.
        """
        taken: set[str] = set()
        for plan in plans:
            if plan.folder not in taken and not self._create(plan):
                taken.add(plan.folder)
        return not taken

    def _create(self, plan: MergePlan) -> bool:
        key = self._key(plan, plan_name(plan.number))
        if self._storage.create(key, plan.to_bytes()):
            return True
        found = self._storage.read(key)
        return found is not None and parse_plan(found, key) == plan

    def _key(self, plan: MergePlan, name: str) -> str:
        return f"{self._merged.prefix(plan.topic)}{plan.folder}{self._merged.directory_delimiter}{name}"

    def _unit(self, plan: MergePlan) -> MergeUnit:
        return MergeUnit.of(plan, self._key(plan, plan_name(plan.number)), self._key(plan, result_name(plan.number)))


def _history(folders: Mapping[str, OriginalFolder], merged: MergedTopic, closed: Closed) -> Mapping[str, int]:
    """Return the folders whose files of another tool are all from before the sink's first file, with the number of these files.

    Such folders are left out: nobody knows what is in the old files, and readers of the merged files would miss their rows.
    """
    files = [original.file for folder in folders.values() for original in folder.new]
    files += (cover.file for covers in merged.covers.values() for cover in covers)
    starts = sink_starts(((file.partition, file.start) for file in files), closed.committed)
    return {
        name: len(folder.others)
        for name, folder in folders.items()
        if folder.others and all(other.is_before(starts.get(other.partition)) for other in folder.others.values())
    }


def _without_result(folder: MergedFolder) -> list[MergePlan]:
    return [plan for number, plan in folder.plans.items() if number not in folder.results]
