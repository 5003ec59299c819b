"""Reads the footers of a topic's files, and audits the topic's partitions."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
from collections.abc import Iterable, Mapping, Sequence

from kafka2parquet.audit.coverage import Audit, coverage, stray
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.base import Storage

_THREADS = 16
#: A part of the names of files that query engines read as Parquet, including copies such as `x.parquet.bak`.
_PARQUET = ".parq"
_CHECKSUM = ".crc"  # Hadoop writes such a file beside each file


def read_coverage(storage: Storage, naming: ObjectNaming, topic: str, committed: Mapping[TopicPartition, int]) -> Audit:
    """Audit all partitions of a topic that have files or a committed offset. Blocks: two listings, and a read for each file.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    keys: dict[TopicPartition, list[str]] = collections.defaultdict(list)
    strays: list[str] = []
    for prefix in topic_prefixes(naming, topic):
        all_keys = tuple(storage.list(prefix))
        found, others = _split(all_keys, naming, topic)
        for topic_partition, key in found:
            keys[topic_partition].append(key)
        if prefix == naming.prefix(topic) and naming.has_several_folders(
            topic
        ):  # other topics' folders may have the same prefix
            folder = functools.partial(_folder_behind, prefix, naming.directory_delimiter)
            own = {folder(key) for _, key in found}
            others = [key for key in others if folder(key) in own]
        strays += [] if _has_table(prefix, all_keys) else others
    wanted = [*(key for of_partition in keys.values() for key in of_partition), *sorted(strays)]
    metadata = read_all_metadata(storage, wanted)
    coverages = (
        coverage(
            topic_partition,
            {key: FlushFooter.from_metadata(metadata[key]) for key in sorted(keys[topic_partition])},
            committed.get(topic_partition),
        )
        for topic_partition in sorted({*keys, *(found for found in committed if found.topic == topic)})
    )
    return Audit(tuple(coverages), tuple(stray(key, FlushFooter.from_metadata(metadata[key])) for key in sorted(strays)))


def topic_prefixes(naming: ObjectNaming, topic: str) -> tuple[str, str]:
    """Return the prefixes of a topic's files: of its records, and of its rejects."""
    return naming.prefix(topic), naming.quarantine_prefix(topic)


def read_all_metadata(storage: Storage, keys: Sequence[str]) -> Mapping[str, Mapping[str, str] | None]:
    """Read the footer metadata of many objects at once; None for an object that doesn't exist. Blocks."""
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-audit") as pool:
        return dict(zip(keys, pool.map(storage.read_metadata, keys), strict=True))


def _split(keys: Iterable[str], naming: ObjectNaming, topic: str) -> tuple[list[tuple[TopicPartition, str]], list[str]]:
    """Return the keys of a topic's files, and the keys of Parquet files that don't belong to any topic."""
    own: list[tuple[TopicPartition, str]] = []
    strays: list[str] = []
    for key in keys:
        name = naming.parse(key)
        if name is not None and name.topic == topic:
            own.append((TopicPartition(topic, name.partition), key))
        elif name is None and _PARQUET in key.rpartition("/")[2].lower() and not key.endswith(_CHECKSUM):
            strays.append(key)
    return own, strays


def _has_table(prefix: str, keys: Iterable[str]) -> bool:
    """Return whether there is a Delta table in a topic's folder. Other Parquet files are then the table's own."""
    return any(key.startswith(f"{prefix}_delta_log/") for key in keys)


def _folder_behind(prefix: str, delimiter: str, key: str) -> str:
    """Return the rest of the name of the folder in which a prefix of a key ends."""
    return key.removeprefix(prefix).partition(delimiter)[0]
