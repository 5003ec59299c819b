"""Reads what has been merged of a topic: plans and results by folder, and which files the merged files cover."""

from __future__ import annotations

import concurrent.futures
import logging
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

import attrs

from kafka2parquet.errors import ConfigurationError, StoragePermissionError
from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.plan import MergePlan, PlannedOutput, plan_name, plan_number
from kafka2parquet.merged.result import MergeResult, result_name, result_number
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.storage.base import Storage, listed

_LOG = logging.getLogger(__name__)
_THREADS = 16
_T = TypeVar("_T", MergePlan, MergeResult)


def merged_naming(naming: ObjectNaming, into: str | None = None) -> ObjectNaming:
    """Return the names of merged files: those of the originals under another prefix.

    Args:
        naming: names of the originals.
        into: the prefix; None for `<topics.dir>-merged`.

    Raises:
        ConfigurationError: originals and merged files would share folders.
    """
    if into is None:
        into = f"{naming.topics_dir}-merged" if naming.topics_dir.strip() else "merged"
        if _overlap(naming, into):  # with a directory.delim such as -
            into = f"merged-{naming.topics_dir}"
    if not into.strip() or _overlap(naming, into):
        raise ConfigurationError(
            f"Merged files can't be in {into!r}, because the sink's own files are in {naming.topics_dir!r}. Choose a prefix"
            " outside of it."
        )
    return attrs.evolve(naming, topics_dir=into)


def _overlap(naming: ObjectNaming, into: str) -> bool:
    base = attrs.evolve(naming, topics_dir=into).base
    return bool(naming.base) and (base.startswith(naming.base) or naming.base.startswith(base))


@attrs.define
class MergedFolder:
    """What has been merged of a folder.

    Attributes:
        key: key of the folder of merged files, without a delimiter at the end.
        encoded_partition: the folder's name below the topic's folder.
        plans: the plans by number.
        results: the results by the numbers of their plans.
        problem: why the plans and results can't be used; None if they can.
    """

    key: str
    encoded_partition: str
    plans: dict[int, MergePlan] = attrs.Factory(dict)
    results: dict[int, MergeResult] = attrs.Factory(dict)
    problem: str | None = None

    def other_topic(self, topic_id: str) -> str | None:
        """Return which plan is of another topic of the same name; None if no plan is.

        Args:
            topic_id: id of the topic, "" if unknown.
        """
        for number, plan in sorted(self.plans.items()):
            if "" not in (plan.topic_id, topic_id) and plan.topic_id != topic_id:
                return f"{plan_name(number)} in {self.key} is of an earlier topic of the same name. Move its folder away."
        return None


@attrs.frozen
class Cover:
    """A file that a merged file covers.

    Attributes:
        file: the file.
        output: the merged file.
        folder: the folder of the merged file.
        number: number of the plan.
    """

    file: CoveredFile
    output: PlannedOutput = attrs.field(repr=False)
    folder: MergedFolder = attrs.field(repr=False)
    number: int

    @property
    def counts(self) -> bool:
        """Whether the merged file counts, because its plan has a result."""
        return self.number in self.folder.results


@attrs.frozen
class MergedTopic:
    """What has been merged of a topic.

    Attributes:
        topic: name of the topic.
        folders: the folders of merged files, by encoded partition.
        sizes_bytes: size of each object under the topic's prefix, by key.
        covers: for each planned file by key, the merged files that it is planned for; more than one is wrong.
    """

    topic: str
    folders: Mapping[str, MergedFolder]
    sizes_bytes: Mapping[str, int | None]
    covers: Mapping[str, tuple[Cover, ...]]

    def covered(self) -> Iterator[Cover]:
        """Yield the files that are covered by merged files with a result."""
        return (cover for covers in self.covers.values() for cover in covers if cover.counts)


def read_merged(storage: Storage, naming: ObjectNaming, topic: str, only: Collection[str] | None = None) -> MergedTopic:
    """Read the plans and results of a topic. Blocks: a listing, and a read for each plan and each result.

    Args:
        storage: where the files are.
        naming: names of the merged files, `merged_naming(…)`.
        topic: the topic.
        only: the folders to read, as encoded partitions; None for all.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    prefix, delimiter = naming.prefix(topic), naming.directory_delimiter
    sizes_bytes = dict(listed(storage, prefix))
    folders: dict[str, MergedFolder] = {}
    objects: list[tuple[str, MergedFolder]] = []
    for key in sorted(sizes_bytes):
        place, _, name = key.rpartition(delimiter)
        if plan_number(name) is None and result_number(name) is None:
            continue
        encoded_partition = place.removeprefix(prefix)
        if only is not None and encoded_partition not in only:
            continue
        folder = folders.setdefault(encoded_partition, MergedFolder(place, encoded_partition))
        objects.append((key, folder))
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-merged") as pool:
        contents = pool.map(lambda found: storage.read(found[0]), objects)
        for (key, folder), content in zip(objects, contents, strict=True):
            _add(folder, key, key.rpartition(delimiter)[2], content, topic)
    for folder in folders.values():
        folder.problem = folder.problem or _problem(folder)
    if naming.has_several_folders(topic):  # the prefix is that of other topics' folders, too
        folders = {name: folder for name, folder in folders.items() if folder.plans or folder.results}
    covers: dict[str, tuple[Cover, ...]] = {}
    for folder in folders.values():
        for number, plan in folder.plans.items():
            for output in plan.outputs:
                for file in output.inputs:
                    covers[file.key] = (*covers.get(file.key, ()), Cover(file, output, folder, number))
    return MergedTopic(topic, folders, sizes_bytes, covers)


def may_be_listed(storage: Storage, naming: ObjectNaming, topic: str) -> bool:
    """Return whether the credentials allow listing a topic's merged files, and log a warning if they don't. Blocks.

    Rights that end with the sink's own prefix are common, and nobody may have merged anything.
    """
    try:
        next(iter(storage.list(naming.prefix(topic))), None)
    except StoragePermissionError as error:
        _LOG.warning("Merged files of %s don't count, because they can't be listed: %s", topic, error)
        return False
    return True


def parse_plan(content: bytes, key: str) -> MergePlan:
    """Parse the content of a plan's object.

    Raises:
        ValueError: the content is not a plan; the message names the key.
    """
    try:
        return MergePlan.from_bytes(content)
    except ValueError as error:
        raise ValueError(f"{key} is not a plan of this library: {error}. Move it away, if another tool wrote it.") from error


def _add(folder: MergedFolder, key: str, name: str, content: bytes | None, topic: str) -> None:
    """Add a plan or a result to its folder."""
    if content is None:  # it was deleted while it was read
        return
    number = plan_number(name)
    try:
        found: MergePlan | MergeResult = MergeResult.from_bytes(content) if number is None else MergePlan.from_bytes(content)
    except ValueError as error:
        folder.problem = f"{key} is not an object of this library: {error}. Move it away, if another tool wrote it."
        return
    expected = result_name(found.number) if isinstance(found, MergeResult) else plan_name(found.number)
    if (found.topic, found.folder, expected) != (topic, folder.encoded_partition, name):
        folder.problem = f"{key} is of topic {found.topic}, folder {found.folder}, number {found.number}."
    elif isinstance(found, MergeResult):
        folder.results[found.number] = found
    else:
        folder.plans[found.number] = found


def _problem(folder: MergedFolder) -> str | None:
    """Return what is wrong with the numbers of a folder's plans and results."""
    absent = sorted(set(range(max((*folder.plans, *folder.results), default=-1) + 1)) - folder.plans.keys())
    if absent:
        return f"{plan_name(absent[0])} is missing in {folder.key}, although later plans or results exist: it was deleted."
    for number, result in sorted(folder.results.items()):
        if not result.is_of(folder.plans[number]):
            return f"{result_name(number)} in {folder.key} is not the result of {plan_name(number)}."
    return None
