"""Steps that look at the files that are already below the sink's prefix: other sinks, other topics, other layouts."""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Iterator, Sequence

import attrs

from kafka2parquet.connect.config import PartitionerKind
from kafka2parquet.connect.describe import example_folder
from kafka2parquet.doctor.broker.cluster import TopicInfo
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.object_names import ObjectName
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.util.display import counted

_FILE = {"topic": "orders", "key": "topics/orders/partition=0/orders+0+0000000000.snappy.parquet"}

FILES = Check(
    "store-files",
    "Files of other sinks",
    "Reads the footers of some files below each topic's prefix, and compares the consumer group, the cluster and the topic"
    " that wrote them with this sink. Two sinks that write to one place write records twice. Of at most 50 topics, at most"
    " 20,000 names are listed and 32 footers are read for each topic.",
    (
        Cause(
            "other-group",
            {**_FILE, "theirs": "connect-old-sink", "ours": "connect-orders-to-s3"},
            "The file {key} was written by a sink of the group {theirs}, and this sink belongs to {ours}. The sink refuses to"
            " start, because two groups that write to one place write records twice.",
            "Write to another place (first line), or let this sink take over, if the other one has ended for good (second"
            " line).",
            paste="topics.dir=<another folder>\nkafka2parquet.take.over=true",
        ),
        Cause(
            "other-cluster",
            {**_FILE, "theirs": "MkU3OEVBNTcwNTJENDM2Qg", "ours": "Xb0jbSbWT-mhIKmyGYxvkQ"},
            "The file {key} was written from the cluster {theirs}, and this one is {ours}: the same offsets mean other"
            " records.",
            "Write to another place.",
            paste="topics.dir=<another folder>",
        ),
        Cause(
            "recreated-topic",
            {**_FILE, "theirs": "6Yv3vVEbQ0yUVnIgFgWCkA", "ours": "VZ8LyqSbQ4GR31H1mxKXhw"},
            "The file {key} was written when the topic {topic} had the id {theirs}, and it is {ours} now: the topic was deleted"
            " and created again, so the same offsets mean other records.",
            "Write to another place, or move the old files away.",
            paste="topics.dir=<another folder>",
        ),
        Cause(
            "damaged",
            {**_FILE, "reason": "its text is damaged"},
            "The footer of {key} can't be used: {reason}.",
            "If a newer version wrote the file, run that version. To see which files are concerned:",
            Level.WARNING,
            paste="kafka2parquet audit <configuration>",
        ),
    ),
)
LAYOUT = Check(
    "store-layout",
    "Layout of folders",
    "Compares the folders of the published files with each other and with the folders that this configuration makes. Query"
    " engines expect one layout below a prefix.",
    (
        Cause(
            "several",
            {"topic": "orders", "layouts": "partition=… (as in partition=0); year=…/month=…/day=… (as this sink writes)"},
            "Below the prefix of {topic} there are folders of several layouts: {layouts}. Hive, Athena and Spark refuse that,"
            " or lose partitions.",
            "Write to another place, or move the files of the other layout away.",
            Level.WARNING,
            paste="topics.dir=<another folder>",
        ),
    ),
)
PREFIX_CHECKS = (FILES, LAYOUT)

_MOST_TOPICS = 50
_MOST_NAMES = 20_000
_MOST_FOOTERS = 32
_THREADS = 8


def look_at_files(facts: Facts) -> Iterator[Finding]:
    """Look at the files that are there. Blocks: one listing and some reads for each topic."""
    topics = facts.topics or tuple(TopicInfo(name, 0) for name in facts.named_topics)
    found: list[Finding] = []
    files = 0
    for topic in topics[:_MOST_TOPICS]:
        names = _names(facts, topic.name)
        files += len(names)
        found += _other_writers(facts, topic, _sample(names))
        found += _layouts(facts, topic.name, names)
    for check in PREFIX_CHECKS:
        of_check = [finding for finding in found if finding.check is check]
        if of_check:
            yield from of_check
        else:
            yield check.ok(text="none yet" if not files else f"{counted(files, 'file')} seen")


@attrs.frozen
class _File:
    key: str
    name: ObjectName


def _names(facts: Facts, topic: str) -> list[_File]:
    """Return the topic's files, by partition and offset."""
    keys = itertools.islice(facts.storage.store.list(facts.naming.prefix(topic)), _MOST_NAMES)
    parsed = (_File(key, name) for key in keys if (name := facts.naming.parse(key)) is not None)
    return sorted((each for each in parsed if each.name.topic == topic), key=lambda each: (each.name.first_offset, each.key))


def _sample(files: Sequence[_File]) -> Sequence[_File]:
    """Return files that are spread evenly, with the first and the last."""
    if len(files) <= _MOST_FOOTERS:
        return files
    step = (len(files) - 1) / (_MOST_FOOTERS - 1)
    return [files[round(number * step)] for number in range(_MOST_FOOTERS)]


def _other_writers(facts: Facts, topic: TopicInfo, files: Sequence[_File]) -> Iterator[Finding]:
    """Yield one finding for each way in which files differ from what this sink would write."""
    with concurrent.futures.ThreadPoolExecutor(_THREADS, "kafka2parquet-doctor") as pool:
        metadata = list(pool.map(lambda file: facts.storage.read_metadata(file.key), files))
    seen: set[str] = set()
    for file, of_file in zip(files, metadata, strict=True):
        values = {"topic": topic.name, "key": file.key}
        try:
            footer = FlushFooter.from_metadata(of_file)
        except ValueError as error:
            finding: Finding | None = FILES.found("damaged", topic.name, **values, reason=error)
        else:
            finding = None if footer is None else _difference(facts, topic, footer, values)
        if finding is not None and finding.cause not in seen:
            seen.add(finding.cause)
            yield finding


def _difference(facts: Facts, topic: TopicInfo, footer: FlushFooter, values: dict[str, str]) -> Finding | None:
    cluster_id = facts.cluster.cluster_id if facts.cluster is not None else ""
    pairs = (
        ("other-cluster", footer.cluster_id, cluster_id),
        ("recreated-topic", footer.topic_id, topic.topic_id),
        ("other-group", footer.group_id, "" if facts.config.flag("kafka2parquet.take.over") else facts.group_id),
    )
    for cause, theirs, ours in pairs:
        if theirs and ours and theirs != ours:
            return FILES.found(cause, topic.name, **values, theirs=theirs, ours=ours)
    return None


def _layouts(facts: Facts, topic: str, files: Sequence[_File]) -> Iterator[Finding]:
    delimiter = facts.naming.directory_delimiter
    found: dict[tuple[str, ...], str] = {}
    for file in files:
        folder = file.name.encoded_partition
        if folder is not None:
            found.setdefault(layout(folder, delimiter), f"as in {folder}")
    planned = None if _is_unknown(facts, topic) else example_folder(facts.config)
    if found and planned is not None:
        found.setdefault(layout(planned, delimiter), "as this sink writes")
    if len(found) > 1:
        shown = "; ".join(f"{delimiter.join(parts)} ({how})" for parts, how in found.items())
        yield LAYOUT.found("several", topic, topic=topic, layouts=shown)


def _is_unknown(facts: Facts, topic: str) -> bool:
    """Return whether only records show which folders the sink makes."""
    has_schema_names = facts.config.provider == "s3" and facts.config.text("s3.schema.partition.affix.type") != "NONE"
    is_custom = facts.config.partitioner is PartitionerKind.CUSTOM
    return is_custom or has_schema_names or facts.naming.has_several_folders(topic)


def layout(folder: str, delimiter: str) -> tuple[str, ...]:
    """Return the parts of a folder without their values: `year=…` for `year=2026`, `…` for a part without a name.

    Where some parts have names, the others are left out: they are the rest of a value with a delimiter in it.
    """
    parts = folder.split(delimiter)
    named = tuple(f"{part.partition('=')[0]}=…" for part in parts if "=" in part)
    return named or ("…",) * len(parts)
