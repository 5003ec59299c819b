"""The step that looks for files of another tool, such as Confluent's sink, and compares them with the committed offsets."""

from __future__ import annotations

import concurrent.futures
import itertools
import re
from collections.abc import Iterator

import attrs

from kafka2parquet.audit.history import read_other
from kafka2parquet.doctor.broker.cluster import TopicInfo
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import TopicPartition
from kafka2parquet.util.display import counted

_FILE = {"key": "topics/orders/partition=0/orders+0+0000000300.snappy.parquet"}

OLDER_FILES = Check(
    "store-older-files",
    "Files of another tool",
    "Compares the files that another tool, such as Confluent's sink, has written below each topic's prefix with the group's"
    " committed offsets. As far as Kafka knows, the records of a file that begins at the committed offset or later are unread,"
    " so this sink would write them again. The same is true of the last file before the offset, if its rows reach past the"
    " offset. Of at most 50 topics, at most 200,000 names are listed and 128 footers are read for each topic.",
    (
        Cause(
            "past-offset",
            {**_FILE, "first": "300", "partition": "orders-0", "committed": "the committed offset 300", "count": "2 files"},
            "Another tool wrote {key}. By its name, the file begins at offset {first} of {partition}, not below"
            " {committed}. This concerns at least {count}. This sink would write the records again, or stop at such a file with"
            " a ForeignObjectError.",
            'Before the first start, move such files out of topics.dir, or set the offsets after them. Step 3 of the page "From'
            " Confluent's sink\" (migrating-from-confluent) says how, and its script prints all of these files.",
        ),
        Cause(
            "across-offset",
            {**_FILE, "rows": "100", "partition": "orders-0", "committed": "350"},
            "Another tool wrote {key}, whose {rows} rows reach past the committed offset {committed} of {partition}. This sink"
            " would write the records from that offset on again.",
            "Set the offset after the file, or before the file and move the file out of topics.dir. Step 3 of the page"
            ' "From Confluent\'s sink" (migrating-from-confluent) says how.',
        ),
        Cause(
            "no-offsets",
            {**_FILE, "topic": "orders", "group": "connect-orders-to-s3", "start": "earliest", "count": "48 files"},
            "Another tool wrote files of {topic}, such as {key}, at least {count}, and the group {group} has no committed"
            " offsets in this topic. This sink would start at {start}, and not where the other tool has stopped.",
            "If this sink takes over from a connector, correct name, which decides the group (first line), or hand the"
            ' connector\'s offsets over, as the section "Under another group name" of the page "From Confluent\'s sink"'
            " (migrating-from-confluent) says. Otherwise write to another place (second line).",
            paste="name=<the connector's name>\ntopics.dir=<another folder>",
        ),
        Cause(
            "too-many",
            {"topic": "orders", "most": "200,000"},
            "The folder of {topic} has more than {most} files, and only the first ones were looked at.",
            "If this sink takes over from Confluent's sink, run the script in step 3 of the page \"From Confluent's sink\""
            " (migrating-from-confluent), which looks at all files.",
            Level.WARNING,
        ),
    ),
)

_MOST_TOPICS = 50
_MOST_NAMES = 200_000
_MOST_FOOTERS = 64
_THREADS = 8


@attrs.frozen(order=True)
class _Named:
    """A file whose name has a partition and the offset of its first row."""

    partition: int
    first_offset: int
    key: str


def look_for_older_files(facts: Facts) -> Iterator[Finding]:
    """Look for files of another tool at and past the committed offsets. Blocks: one listing and some reads for each topic."""
    is_fine = True
    for topic in facts.topics[:_MOST_TOPICS]:
        for finding in _of_topic(facts, topic):
            is_fine = False
            yield finding
    if is_fine:
        yield OLDER_FILES.ok(text="none past the committed offsets")


def _of_topic(facts: Facts, topic: TopicInfo) -> Iterator[Finding]:
    keys = iter(facts.storage.store.list(facts.naming.prefix(topic.name)))
    ahead: list[_Named] = []
    last: dict[int, _Named] = {}
    for named in _named(facts, topic.name, itertools.islice(keys, _MOST_NAMES)):
        committed = facts.committed.get(TopicPartition(topic.name, named.partition))
        if committed is None or named.first_offset >= committed.offset:
            ahead.append(named)
        else:
            last[named.partition] = max(named, last.get(named.partition, named))
    others = _of_another_tool(facts, sorted(ahead))
    if others:
        yield _ahead_of_offsets(facts, topic.name, others)
    yield from _across_offsets(facts, topic.name, sorted(last.values())[:_MOST_FOOTERS])
    if next(keys, None) is not None:
        yield OLDER_FILES.found("too-many", topic.name, topic=topic.name, most=f"{_MOST_NAMES:,}")


def _named(facts: Facts, topic: str, keys: Iterator[str]) -> Iterator[_Named]:
    """Yield the files whose names have a partition and an offset, whatever their format is."""
    delimiter = re.escape(facts.naming.file_delimiter)
    pattern = re.compile(rf"{re.escape(topic)}{delimiter}(\d+){delimiter}(\d+)\.[^.].*")
    for key in keys:
        name = pattern.fullmatch(key.rpartition(facts.naming.directory_delimiter)[2])
        if name is not None:
            yield _Named(int(name[1]), int(name[2]), key)


def _ahead_of_offsets(facts: Facts, topic: str, others: list[_Named]) -> Finding:
    """Return the finding about files of another tool at and past the committed offsets."""
    first = others[0]
    values = {"key": first.key, "count": counted(len(others), "file")}
    if not any(each.topic == topic for each in facts.committed):
        start = facts.consumer.first_start
        return OLDER_FILES.found("no-offsets", topic, **values, topic=topic, group=facts.group_id, start=start)
    partition = TopicPartition(topic, first.partition)
    found = facts.committed.get(partition)
    committed = "the first offset, as nothing is committed" if found is None else f"the committed offset {found.offset}"
    return OLDER_FILES.found("past-offset", topic, **values, first=first.first_offset, partition=partition, committed=committed)


def _across_offsets(facts: Facts, topic: str, files: list[_Named]) -> Iterator[Finding]:
    """Yield findings about Parquet files of another tool whose rows reach past a committed offset."""
    for file in _of_another_tool(facts, [file for file in files if facts.naming.parse(file.key) is not None]):
        name, partition = facts.naming.parse(file.key), TopicPartition(topic, file.partition)
        other = None if name is None else read_other(facts.storage, file.key, name)
        committed = facts.committed[partition].offset
        if other is not None and not other.is_before(committed):
            values = {"key": file.key, "rows": f"{other.rows:,}", "partition": partition, "committed": committed}
            yield OLDER_FILES.found("across-offset", str(partition), **values)


def _of_another_tool(facts: Facts, files: list[_Named]) -> list[_Named]:
    """Return the files that another tool wrote. Of Parquet files, only the first and the last ones are read."""
    parquet = [file for file in files if facts.naming.parse(file.key) is not None]
    others = [file for file in files if facts.naming.parse(file.key) is None]
    if len(parquet) > _MOST_FOOTERS:
        parquet = [*parquet[: _MOST_FOOTERS // 2], *parquet[-_MOST_FOOTERS // 2 :]]
    with concurrent.futures.ThreadPoolExecutor(_THREADS, "kafka2parquet-doctor") as pool:
        are_others = pool.map(lambda file: _is_of_another_tool(facts, file.key), parquet)
        others += [file for file, is_other in zip(parquet, are_others, strict=True) if is_other]
    return sorted(others)


def _is_of_another_tool(facts: Facts, key: str) -> bool:
    metadata = facts.storage.read_metadata(key)
    try:
        return metadata is not None and FlushFooter.from_metadata(metadata) is None
    except ValueError:  # of this library, and damaged: the check of other sinks says so
        return False
