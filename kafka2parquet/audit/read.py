"""Reads the footers of a topic's files, and audits the topic's partitions."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterable, Mapping

from kafka2parquet.audit.coverage import Audit, coverage, damaged_footer, stray
from kafka2parquet.audit.history import read_others
from kafka2parquet.audit.merged import MergedFiles, audit_merged
from kafka2parquet.audit.metadata import flush_footers, is_parquet_name, read_all_metadata
from kafka2parquet.merged.reading import read_merged
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import Storage


def read_coverage(
    storage: Storage,
    naming: ObjectNaming,
    topic: str,
    committed: Mapping[TopicPartition, int],
    *,
    merged: ObjectNaming | None = None,
) -> Audit:
    """Audit all partitions of a topic that have files or a committed offset. Blocks: listings, and a read for each file.

    Args:
        storage: where the files are.
        naming: names of the files.
        topic: the topic.
        committed: committed offsets of the group.
        merged: names of merged files. The sink's files that merged files cover may be deleted then.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    keys: dict[TopicPartition, list[str]] = collections.defaultdict(list)
    names: dict[str, ObjectName] = {}
    strays: list[str] = []
    for prefix in topic_prefixes(naming, topic):
        all_keys = tuple(storage.list(prefix))
        found, others = _split(all_keys, naming, topic)
        for name, key in found:
            keys[TopicPartition(topic, name.partition)].append(key)
            names[key] = name
        if prefix == naming.prefix(topic) and naming.has_several_folders(
            topic
        ):  # other topics' folders may have the same prefix
            folder = functools.partial(_folder_behind, prefix, naming.directory_delimiter)
            own = {folder(key) for _, key in found}
            others = [key for key in others if folder(key) in own]
        strays += [] if _has_table(prefix, all_keys) else others
    wanted = [*(key for of_partition in keys.values() for key in of_partition), *sorted(strays)]
    metadata = read_all_metadata(storage, wanted)
    footers, damaged = flush_footers(metadata)
    of_other_tools = read_others(
        storage,
        {key: name for key, name in names.items() if footers[key] is None and key not in damaged and metadata[key] is not None},
    )
    ids = collections.Counter(footer.topic_id for footer in footers.values() if footer is not None)
    topic_id = ids.most_common(1)[0][0] if ids else ""
    # Merged files after the originals: what is deleted in between is covered by results that are read afterwards.
    merged_files = MergedFiles({}, 0, ())
    if merged is not None:
        merged_files = audit_merged(storage, read_merged(storage, merged, topic), merged, topic_id, footers.keys())
    keys_of = {TopicPartition(topic, partition): found for partition, found in merged_files.covered.items()}
    coverages = (
        coverage(
            topic_partition,
            {
                key: footers[key]
                for key in sorted(keys[topic_partition])
                if metadata[key] is not None or key not in keys_of.get(topic_partition, {})
            },
            committed.get(topic_partition),
            keys_of.get(topic_partition, {}),
            damaged,
            {key: of_other_tools[key] for key in keys[topic_partition] if key in of_other_tools},
        )
        for topic_partition in sorted({*keys, *keys_of, *(found for found in committed if found.topic == topic)})
    )
    return Audit(
        tuple(coverages),
        tuple(damaged_footer(key, damaged[key]) if key in damaged else stray(key, footers[key]) for key in sorted(strays)),
        merged_files.findings,
        merged_files.files,
    )


def topic_prefixes(naming: ObjectNaming, topic: str) -> tuple[str, str]:
    """Return the prefixes of a topic's files: of its records, and of its rejects."""
    return naming.prefix(topic), naming.quarantine_prefix(topic)


def _split(keys: Iterable[str], naming: ObjectNaming, topic: str) -> tuple[list[tuple[ObjectName, str]], list[str]]:
    """Return the keys of a topic's files with their parts, and the keys of Parquet files that don't belong to any topic."""
    own: list[tuple[ObjectName, str]] = []
    strays: list[str] = []
    for key in keys:
        name = naming.parse(key)
        if name is not None and name.topic == topic:
            own.append((name, key))
        elif name is None and is_parquet_name(key):
            strays.append(key)
    return own, strays


def _has_table(prefix: str, keys: Iterable[str]) -> bool:
    """Return whether there is a Delta table in a topic's folder. Other Parquet files are then the table's own."""
    return any(key.startswith(f"{prefix}_delta_log/") for key in keys)


def _folder_behind(prefix: str, delimiter: str, key: str) -> str:
    """Return the rest of the name of the folder in which a prefix of a key ends."""
    return key.removeprefix(prefix).partition(delimiter)[0]
