"""Audits a topic-partition by the footers of its files and its committed offset."""

from __future__ import annotations

import collections
import enum
from collections.abc import Mapping, Sequence

import attrs

from kafka2parquet.parquet.footer import FlushFooter, Role
from kafka2parquet.records import TopicPartition


class Kind(enum.Enum):
    """The kinds of findings."""

    GAP = "gap"
    OVERLAP = "overlap"
    MISSING_FILE = "missing file"
    WRONG_ROWS = "wrong rows"
    UNLISTED_FILE = "unlisted file"
    FOREIGN_FILE = "foreign file"
    STRAY_FILE = "stray file"
    MISSING_RECORDS = "missing records"
    REPEATED_RECORDS = "repeated records"
    REFUSED_FILE = "refused file"


@attrs.frozen
class Finding:
    """Something that is wrong, with the affected offsets [start, end)."""

    kind: Kind
    start: int
    end: int
    text: str


@attrs.frozen
class FlushRange:
    """A published flush: offsets [start, end).

    Attributes:
        start: first offset of the flush.
        end: offset after the last one.
        rows: number of rows in all files of the flush.
        files: number of files.
        opened_at_ms: wall-clock time when the flush was opened, in milliseconds since the epoch.
        reason: reason why the flush ended.
        row_files: key and role of each file whose rows are records. Files of keys and headers repeat the same records.
    """

    start: int
    end: int
    rows: int
    files: int
    opened_at_ms: int
    reason: str
    row_files: tuple[tuple[str, Role], ...] = attrs.field(repr=False)


@attrs.frozen
class Coverage:
    """The offsets of one topic-partition that files cover.

    Attributes:
        topic_partition: the topic-partition.
        committed: committed offset of the group; None without one.
        flushes: published flushes, ordered by start.
        files: number of files.
        findings: everything that is wrong.
    """

    topic_partition: TopicPartition
    committed: int | None
    flushes: tuple[FlushRange, ...]
    files: int
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> int:
        """The number of rows in all flushes."""
        return sum(flush.rows for flush in self.flushes)

    @property
    def start(self) -> int:
        """The first offset that is covered."""
        return self.flushes[0].start if self.flushes else self.committed or 0

    @property
    def end(self) -> int:
        """The offset after the last one that is covered."""
        return max((flush.end for flush in self.flushes), default=self.committed or 0)


@attrs.frozen
class Audit:
    """The result of an audit of one or several topics.

    Attributes:
        coverages: coverage of each topic-partition.
        strays: Parquet files in the topics' folders whose names are not this sink's. Queries over a folder read them too.
    """

    coverages: tuple[Coverage, ...] = ()
    strays: tuple[Finding, ...] = ()

    def __add__(self, other: Audit) -> Audit:
        """Combine two audits. A stray file in a folder that topics share is found for each topic, and counts once."""
        return Audit(self.coverages + other.coverages, tuple(dict.fromkeys(self.strays + other.strays)))

    @property
    def findings(self) -> int:
        """The number of findings."""
        return len(self.strays) + sum(len(coverage.findings) for coverage in self.coverages)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is wrong."""
        return self.findings == 0


def stray(key: str, footer: FlushFooter | None) -> Finding:
    """Make the finding about a Parquet file whose name is not this sink's.

    Args:
        key: key of the file.
        footer: footer of the file; None if kafka2parquet did not write the file.
    """
    if footer is None:
        text = f"{key} is not a file of this sink, but queries over the folder read it too. Move it away"
        return Finding(Kind.STRAY_FILE, 0, 0, text)
    whose = f"{footer.topic}-{footer.partition}, offsets [{footer.start}, {footer.end})"
    text = f"{key} is a copied or renamed file of {whose}: queries over the folder count a copy's rows twice. Move it away"
    return Finding(Kind.STRAY_FILE, footer.start, footer.end, text)


def coverage(topic_partition: TopicPartition, footers: Mapping[str, FlushFooter | None], committed: int | None) -> Coverage:
    """Audit the files of a topic-partition.

    Args:
        topic_partition: the topic-partition.
        footers: footer of each file by key; None for a file that kafka2parquet didn't write.
        committed: committed offset of the group; None without one.
    """
    anchors = sorted(
        ((key, footer) for key, footer in footers.items() if footer is not None and footer.is_anchor),
        key=lambda found: found[1].start,
    )
    findings = [
        *_foreign(topic_partition, footers),
        *(finding for key, anchor in anchors for finding in _incomplete(key, anchor, footers, committed)),
        *_unlisted(anchors, footers),
        *_gaps(anchors, committed),
    ]
    flushes = tuple(
        FlushRange(
            anchor.start,
            anchor.end,
            anchor.flush_rows,
            1 + len(anchor.siblings or ()),
            anchor.opened_at_ms,
            anchor.reason,
            tuple(
                (name, role)
                for name, role in ((key, anchor.role), *((sibling.key, sibling.role) for sibling in anchor.siblings or ()))
                if role in ("values", "rejects")
            ),
        )
        for key, anchor in anchors
    )
    return Coverage(topic_partition, committed, flushes, len(footers), tuple(findings))


def _foreign(topic_partition: TopicPartition, footers: Mapping[str, FlushFooter | None]) -> list[Finding]:
    """Find files that kafka2parquet didn't write, or wrote for another topic than most of the files."""
    ids = collections.Counter((footer.cluster_id, footer.topic_id) for footer in footers.values() if footer is not None)
    own = ids.most_common(1)[0][0] if ids else ("", "")
    findings = []
    for key, footer in footers.items():
        if footer is None:
            findings.append(Finding(Kind.FOREIGN_FILE, 0, 0, f"{key} was not written by kafka2parquet"))
        elif (footer.topic, footer.partition) != (topic_partition.topic, topic_partition.partition) or (
            footer.cluster_id,
            footer.topic_id,
        ) != own:
            whose = f"{footer.topic}-{footer.partition}, topic id {footer.topic_id or 'unknown'}"
            findings.append(Finding(Kind.FOREIGN_FILE, footer.start, footer.end, f"{key} belongs to {whose}"))
    return findings


def _incomplete(
    key: str, anchor: FlushFooter, footers: Mapping[str, FlushFooter | None], committed: int | None
) -> list[Finding]:
    """Find missing siblings and wrong counts. Siblings of a flush that is not committed may still be uploading."""
    siblings = anchor.siblings or ()
    findings = []
    if anchor.listed_rows != anchor.flush_rows:
        text = f"{key} counts {anchor.flush_rows} rows for its flush, but its files add up to another number"
        findings.append(Finding(Kind.WRONG_ROWS, anchor.start, anchor.end, text))
    for sibling in siblings:
        footer = footers.get(sibling.key)
        if footer is None:
            if committed is None or anchor.end <= committed:
                text = f"{sibling.key}, a file of the flush of {key}, does not exist"
                findings.append(Finding(Kind.MISSING_FILE, anchor.start, anchor.end, text))
        elif footer.file_rows != sibling.rows:
            text = f"{sibling.key} has {footer.file_rows} rows, but its anchor {key} says {sibling.rows}"
            findings.append(Finding(Kind.WRONG_ROWS, anchor.start, anchor.end, text))
    return findings


def _unlisted(anchors: Sequence[tuple[str, FlushFooter]], footers: Mapping[str, FlushFooter | None]) -> list[Finding]:
    listed = {sibling.key for _, anchor in anchors for sibling in anchor.siblings or ()}
    return [
        Finding(Kind.UNLISTED_FILE, footer.start, footer.end, f"{key} is listed by no anchor")
        for key, footer in footers.items()
        if footer is not None and not footer.is_anchor and key not in listed
    ]


def _gaps(anchors: Sequence[tuple[str, FlushFooter]], committed: int | None) -> list[Finding]:
    findings = []
    position = anchors[0][1].start if anchors else None
    for key, anchor in anchors:
        if position is not None and anchor.start > position:
            findings.append(_gap(position, anchor.start))
        elif position is not None and anchor.start < position:
            end = min(position, anchor.end)
            text = f"[{anchor.start}, {end}) is in {key} and in a flush before it"
            findings.append(Finding(Kind.OVERLAP, anchor.start, end, text))
        position = max(position or 0, anchor.end)
    if position is not None and committed is not None and committed > position:
        findings.append(_gap(position, committed))
    return findings


def _gap(start: int, end: int) -> Finding:
    text = f"[{start}, {end}) is in no file: lost, or without rows (rejects, tombstones, markers); --deep shows which"
    return Finding(Kind.GAP, start, end, text)
