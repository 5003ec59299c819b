"""Audits the merged files of a topic: what they say about the sink's files has to be true before it counts."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator, Mapping

import attrs

from kafka2parquet.audit.coverage import Finding, Kind
from kafka2parquet.audit.metadata import is_parquet_name, read_all_metadata
from kafka2parquet.merged.covered import CoveredFile, overlapping
from kafka2parquet.merged.footer import MergedFooter
from kafka2parquet.merged.plan import PlannedOutput
from kafka2parquet.merged.reading import MergedFolder, MergedTopic
from kafka2parquet.merged.result import result_name
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.storage.base import Storage


@attrs.frozen
class MergedFiles:
    """The sink's files that merged files cover.

    Attributes:
        covered: the covered files of each partition, by key.
        files: number of merged files that count.
        findings: what is wrong with merged files. Files that are affected don't count as covered.
    """

    covered: Mapping[int, Mapping[str, CoveredFile]]
    files: int
    findings: tuple[Finding, ...]


def audit_merged(
    storage: Storage, merged: MergedTopic, naming: ObjectNaming, topic_id: str, existing: Collection[str]
) -> MergedFiles:
    """Audit the merged files of a topic. Blocks: a read for each merged file.

    Args:
        storage: where the files are.
        merged: the topic's plans and results. Folders of an earlier topic of the same name get a problem.
        naming: names of the merged files.
        topic_id: id of the topic, "" if unknown.
        existing: keys of the sink's files, listed before.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    for folder in merged.folders.values():
        folder.problem = folder.problem or folder.other_topic(topic_id)
    outputs = [
        (folder, number, output)
        for folder in merged.folders.values()
        if folder.problem is None
        for number in folder.results
        for output in folder.plans[number].outputs
    ]
    metadata = read_all_metadata(storage, [output.key for _, _, output in outputs])
    findings = [
        *_folders(merged),
        *_strays(merged, naming.directory_delimiter),
        *_gone(storage, merged, naming.directory_delimiter, existing),
    ]
    covered: dict[int, dict[str, CoveredFile]] = collections.defaultdict(dict)
    files = 0
    for folder, number, output in outputs:
        wrong = _output(folder, number, output, merged, metadata[output.key])
        if wrong is not None:
            findings.append(wrong)
            continue
        files += 1
        for file in output.inputs:
            if file.key in covered[file.partition]:
                text = f"{file.key} is covered by two merged files, the later one is {output.key}"
                findings.append(Finding(Kind.OVERLAP, file.start, file.end, text))
            covered[file.partition][file.key] = file
    return MergedFiles(covered, files, tuple(findings))


def _folders(merged: MergedTopic) -> Iterator[Finding]:
    """Find folders whose plans and results can't be used, or whose covered files have rows of the same offsets."""
    for folder in merged.folders.values():
        if folder.problem is not None:
            yield Finding(Kind.FOREIGN_FILE, 0, 0, folder.problem)
            continue
        files = [file for number in folder.results for file in folder.plans[number].inputs]
        for before, file in overlapping(files):
            text = f"merged files have rows of {before.key} and of {file.key}, which have the same offsets"
            yield Finding(Kind.OVERLAP, file.first_offset, file.last_offset + 1, text)


def _strays(merged: MergedTopic, delimiter: str) -> Iterator[Finding]:
    """Find Parquet files that are in no plan. Queries over the folder of merged files read them, too.

    Folders whose plans can't be used are findings already.
    """
    unknown = {folder.key for folder in merged.folders.values() if folder.problem is not None}
    planned = {output.key for folder in merged.folders.values() for plan in folder.plans.values() for output in plan.outputs}
    for key in sorted(merged.sizes_bytes.keys() - planned):
        if is_parquet_name(key) and key.rpartition(delimiter)[0] not in unknown:
            text = f"{key} is in no plan, but queries over the merged files read it too. Move it away"
            yield Finding(Kind.STRAY_FILE, 0, 0, text)


def _gone(storage: Storage, merged: MergedTopic, delimiter: str, existing: Collection[str]) -> Iterator[Finding]:
    """Find files that were planned to be merged and don't exist, although nothing says that they are merged."""
    for covers in merged.covers.values():
        for cover in covers:
            if cover.counts or cover.folder.problem is not None or cover.file.key in existing:
                continue
            result_key = f"{cover.folder.key}{delimiter}{result_name(cover.number)}"
            # both may have been written since the listings
            if storage.read_metadata(cover.file.key) is None and storage.read(result_key) is None:
                text = f"{cover.file.key} does not exist, and neither does {result_key}, which would say that it is merged"
                yield Finding(Kind.MISSING_FILE, cover.file.start, cover.file.end, text)


def _output(
    folder: MergedFolder, number: int, output: PlannedOutput, merged: MergedTopic, metadata: Mapping[str, str] | None
) -> Finding | None:
    """Return what is wrong with a merged file; None if it is as its plan and its result say."""
    start, end = min(file.start for file in output.inputs), max(file.end for file in output.inputs)
    if metadata is None:
        text = f"{output.key}, a merged file of {result_name(number)}, does not exist"
        return Finding(Kind.MISSING_FILE, start, end, text)
    size_bytes = merged.sizes_bytes.get(output.key)
    expected = next((each for each in folder.results[number].outputs if each.key == output.key), None)
    if expected is None or size_bytes not in (None, expected.size_bytes):
        return Finding(Kind.WRONG_ROWS, start, end, f"{output.key} is not as large as {result_name(number)} says")
    try:
        footer = MergedFooter.from_metadata(metadata)
    except ValueError as error:
        return Finding(Kind.FOREIGN_FILE, start, end, f"the footer of {output.key} can't be read: {error}")
    if footer != folder.plans[number].footer(output):
        return Finding(Kind.WRONG_ROWS, start, end, f"the footer of {output.key} is not that of its plan")
    return None
