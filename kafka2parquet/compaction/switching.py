"""Moves the partitions of a table from the folders of originals to the folders of merged files.

A partition of a table in a catalogue is at one folder, and a query reads what is in this folder. A catalogue changes a
partition's location in one step. So a query sees the originals of a folder or its merged files, and never both. The rest is the
question whether the merged files have all rows that the originals have. A partition is moved only if

1. each plan of the folder has a result: the merged files were compared with their originals;
2. the folder of merged files has exactly the files that the results list, with the sizes that the results say;
3. each file in the folder of originals is in one of the plans. This is looked up last, right before the move;
4. the folder is one of time, so that nothing but late rows can follow;
5. the partition is at the originals. A partition that is elsewhere is left alone.

**Late files.** The sink knows nothing of the catalogue. It publishes a late file among the originals, where no query sees its
rows once the partition is moved. The next run merges the file, and then its rows are in the partition. No row is lost or read
twice, but late rows are seen late. The look at the originals and the move are two steps. So this also happens to a file that is
published between them, although queries may have seen its rows for a moment.

**Never back.** A partition that is moved is not moved back when a late file comes. Glue has no conditional update of a
partition. So a process that moves it back can't know whether another process has begun to delete the originals, and queries
would find only some of the rows. Forward moves are safe in any order and any number: once each original is merged, the folder
of merged files has all its rows for ever, because merged files are never changed or deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.merged.plan import plan_number
from kafka2parquet.merged.reading import MergedFolder, read_merged
from kafka2parquet.merged.result import result_number
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.tables.partition_catalog import CatalogPartition, PartitionCatalog

NO_PARTITION = "the table has no partition for the folder yet"
ELSEWHERE = "the partition is neither at the originals nor at the merged files"
NOT_MERGED = "files of the folder are not merged yet"
NOT_BY_TIME = "the folder never ends, so new files may come at any time"
CHANGED = "the partition was changed meanwhile"


class FolderEnds(Protocol):
    """Says when the time of a folder ends, as `completeness.folders.TimeFolders` does."""

    def end_ms(self, encoded_partition: str, min_time_ms: int, max_time_ms: int) -> int | None:
        """Return the end of a folder's time, in milliseconds since the epoch; None if the folder isn't one of time."""


@attrs.frozen
class SwitchedTopic:
    """What the partitions of a topic's table are at.

    Attributes:
        topic: name of the topic.
        table: name of the table.
        moved: folders whose partitions this call has moved, or would move, to the merged files.
        moved_before: number of partitions that were at the merged files already.
        kept: why partitions were not moved, by folder.
        problems: what is wrong with merged files, by folder. These partitions were not moved either.
        unseen: number of files that queries don't see until the next run has merged them, by folder.
    """

    topic: str
    table: str
    moved: tuple[str, ...]
    moved_before: int
    kept: Mapping[str, str]
    problems: Mapping[str, str]
    unseen: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return attrs.asdict(self)


class PartitionSwitch:
    """Moves the partitions of one topic's table. Keeps nothing that can't be read again."""

    def __init__(
        self,
        storage: MergeStorage,
        topic: str,
        catalog: PartitionCatalog,
        *,
        naming: ObjectNaming,
        merged: ObjectNaming,
        ends: FolderEnds,
        locate: Callable[[str], str],
        clock: Clock,
    ) -> None:
        """Prepare. Nothing is read yet.

        Args:
            storage: where the files are.
            topic: the topic.
            catalog: the table.
            naming: names of the sink's files.
            merged: names of the merged files. Both have `/` between folders.
            ends: knows which folders are folders of time.
            locate: returns the URL of an object by its key.
            clock: the time.
        """
        self._storage = storage
        self._topic = topic
        self.catalog = catalog
        """The table."""
        self._originals = naming.prefix(topic)
        self._merged = merged
        self._ends = ends
        self._locate = locate
        self._clock = clock

    def run(self, topic_id: str, *, write: bool = True) -> SwitchedTopic:
        """Move each partition whose folder is merged completely. Blocks.

        Needs three listings, the plans and results of partitions that are not moved yet or that have originals, for each
        partition that is moved three small listings and two requests to the catalogue. May be killed at any moment, and several
        processes may do this at once.

        Args:
            topic_id: id of the topic, "" if unknown.
            write: whether to move partitions. Otherwise the result says what could be moved.

        Raises:
            ConfigurationError: the table doesn't exist, or its partitions can't be moved.
            Kafka2ParquetError: the catalogue or the store doesn't answer or refuses access.
        """
        prefix = self._merged.prefix(self._topic)
        results = (key.removeprefix(prefix).rpartition("/") for key in self._storage.list(prefix))
        folders = sorted({folder for folder, _, name in results if result_number(name) is not None})
        found = self.catalog.find(folders)
        kept = {folder: NO_PARTITION for folder in folders if folder not in found}
        moved_before = {folder for folder, partition in found.items() if partition.is_at(self.merged_location(folder))}
        originals = self._originals_in(moved_before)
        to_move = [folder for folder in folders if folder in found and folder not in moved_before]
        read = read_merged(self._storage, self._merged, self._topic, {*to_move, *originals})
        moved: list[str] = []
        problems: dict[str, str] = {}
        for folder in to_move:
            merged = read.folders.get(folder)
            if merged is None:  # it was deleted meanwhile
                continue
            problem = merged.problem or merged.other_topic(topic_id)
            reason = None if problem is not None else self._why_kept(merged, found[folder])
            if problem is None and reason is None:
                problem, reason = self._wrong_files(merged)
            if problem is None and reason is None and self._unmerged(merged, self._originals_of(folder)):
                reason = NOT_MERGED
            if problem is None and reason is None and write and not self._move(folder, found[folder]):
                reason = CHANGED
            if problem is not None:
                problems[folder] = problem
            elif reason is not None:
                kept[folder] = reason
            else:
                moved.append(folder)
        if write:  # a late file may have come between the look and the move
            originals |= {folder: self._originals_of(folder) for folder in moved}
        # What plans and results with a problem cover is unknown. `TopicPlanner.plan` reports such a problem.
        usable = [each for each in map(read.folders.get, sorted(originals)) if each is not None and each.problem is None]
        unseen = {each.encoded_partition: len(self._unmerged(each, originals[each.encoded_partition])) for each in usable}
        return SwitchedTopic(
            self._topic,
            self.catalog.name,
            tuple(moved),
            len(moved_before),
            dict(sorted(kept.items())),
            problems,
            {folder: files for folder, files in unseen.items() if files},
        )

    def merged_location(self, folder: str) -> str:
        """Return the URL of a folder of merged files."""
        return f"{self._locate(f'{self._merged.prefix(self._topic)}{folder}')}/"

    def _why_kept(self, folder: MergedFolder, partition: CatalogPartition) -> str | None:
        """Return why a partition has to stay where it is, as far as the plans say; None if nothing speaks against a move."""
        if not partition.is_at(self._locate(f"{self._originals}{folder.encoded_partition}")):
            return ELSEWHERE
        if folder.plans.keys() != folder.results.keys():
            return NOT_MERGED
        files = [file for plan in folder.plans.values() for file in plan.inputs]
        times_ms = [each for file in files for each in (file.min_time_ms, file.max_time_ms) if each is not None]
        is_by_time = bool(times_ms) and self._ends.end_ms(folder.encoded_partition, min(times_ms), max(times_ms)) is not None
        return None if is_by_time else NOT_BY_TIME

    def _wrong_files(self, folder: MergedFolder) -> tuple[str | None, str | None]:
        """Compare a folder of merged files with its results. Returns what is wrong, or why the partition has to stay."""
        sizes_bytes = dict(self._storage.list_sizes(f"{folder.key}/"))
        numbers = (plan_number(key.rpartition("/")[2]) for key in sizes_bytes)
        if any(number is not None and number not in folder.plans for number in numbers):  # another process has planned more
            return None, NOT_MERGED
        expected = {output.key: output.size_bytes for result in folder.results.values() for output in result.outputs}
        stray = next((key for key in _visible(sizes_bytes, folder.key) if key not in expected), None)
        if stray is not None:
            return f"{stray} is in no plan, but queries would read it. Move it away.", None
        for key, size_bytes in expected.items():
            if sizes_bytes.get(key) != size_bytes:
                return f"{key} doesn't exist, or is not as large as its result says. `kafka2parquet audit` says more.", None
        return None, None

    def _unmerged(self, folder: MergedFolder, originals: Iterable[str]) -> Collection[str]:
        """Return the keys of the files in the folder of originals that no plan with a result has."""
        covered = {file.key for number in folder.results for file in folder.plans[number].inputs}
        return {*_visible(originals, f"{self._originals}{folder.encoded_partition}")} - covered

    def _originals_of(self, folder: str) -> Sequence[str]:
        """List the keys in a folder of originals."""
        return [*self._storage.list(f"{self._originals}{folder}/")]

    def _move(self, folder: str, partition: CatalogPartition) -> bool:
        return self.catalog.move(folder, partition, self.merged_location(folder), self._clock.now())

    def _originals_in(self, folders: Collection[str]) -> dict[str, Sequence[str]]:
        """List the keys in folders of originals, by folder: one listing of the topic. A folder without keys is left out."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for key in self._storage.list(self._originals):
            name = key.removeprefix(self._originals)
            while name := name.rpartition("/")[0]:
                if name in folders:
                    found[name].append(key)
        return dict(found)


def _visible(keys: Iterable[str], folder: str) -> Iterable[str]:
    """Yield the keys in a folder that queries read.

    Engines ignore names that begin with `_` or `.`, and the objects with `/` at the end that consoles create for folders.
    """
    for key in keys:
        segments = key.removeprefix(f"{folder}/").split("/")
        if segments[-1] and not any(segment.startswith(("_", ".")) for segment in segments):
            yield key
