"""Audits a topic-partition by the footers of its files and its committed offset."""

from __future__ import annotations

import bisect
import collections
import enum
from collections.abc import Collection, Mapping, Sequence

import attrs

from kafka2parquet.audit.history import OtherFile
from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.parquet.footer import FlushFooter, Role
from kafka2parquet.records import TopicPartition
from kafka2parquet.util.display import counted

_NONE_COVERED: Mapping[str, CoveredFile] = {}
_NONE_DAMAGED: Mapping[str, str] = {}
_NO_OTHERS: Mapping[str, OtherFile] = {}


class Kind(enum.Enum):
    """The kinds of findings."""

    GAP = "gap"
    OVERLAP = "overlap"
    MISSING_FILE = "missing file"
    WRONG_ROWS = "wrong rows"
    UNLISTED_FILE = "unlisted file"
    FOREIGN_FILE = "foreign file"
    DAMAGED_FOOTER = "damaged footer"
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
        row_files: key and role of each file whose rows are records. Files of keys and headers repeat the same records. Empty
            if the anchor was merged and deleted.
        anchor_key: key of the flush's anchor.
    """

    start: int
    end: int
    rows: int
    files: int
    opened_at_ms: int
    reason: str
    row_files: tuple[tuple[str, Role], ...] = attrs.field(repr=False)
    anchor_key: str = attrs.field(default="", repr=False)


@attrs.frozen
class Coverage:
    """The offsets of one topic-partition that files cover.

    Attributes:
        topic_partition: the topic-partition.
        committed: committed offset of the group; None without one.
        flushes: published flushes, ordered by start.
        files: number of files.
        findings: everything that is wrong.
        covered_files: number of files that don't exist any more, and whose rows are in merged files.
        history_files: number of files of another tool that end before `start`. They are not audited, and not in `files`.
    """

    topic_partition: TopicPartition
    committed: int | None
    flushes: tuple[FlushRange, ...]
    files: int
    findings: tuple[Finding, ...]
    covered_files: int = 0
    history_files: int = 0

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
        merged: what is wrong with merged files.
        merged_files: number of merged files that count.
    """

    coverages: tuple[Coverage, ...] = ()
    strays: tuple[Finding, ...] = ()
    merged: tuple[Finding, ...] = ()
    merged_files: int = 0

    def __add__(self, other: Audit) -> Audit:
        """Combine two audits. A stray file in a folder that topics share is found for each topic, and counts once."""
        return Audit(
            self.coverages + other.coverages,
            tuple(dict.fromkeys(self.strays + other.strays)),
            self.merged + other.merged,
            self.merged_files + other.merged_files,
        )

    @property
    def history_files(self) -> int:
        """The number of files of another tool that end before the sink's first offset of their partition."""
        return sum(coverage.history_files for coverage in self.coverages)

    @property
    def findings(self) -> int:
        """The number of findings."""
        return len(self.strays) + len(self.merged) + sum(len(coverage.findings) for coverage in self.coverages)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is wrong."""
        return self.findings == 0


def damaged_footer(key: str, reason: str) -> Finding:
    """Make the finding about a file of this library whose footer can't be read."""
    return Finding(Kind.DAMAGED_FOOTER, 0, 0, f"{key}: its footer can't be read: {reason}. Its rows count as missing")


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


def coverage(
    topic_partition: TopicPartition,
    footers: Mapping[str, FlushFooter | None],
    committed: int | None,
    covered: Mapping[str, CoveredFile] = _NONE_COVERED,
    damaged: Mapping[str, str] = _NONE_DAMAGED,
    others: Mapping[str, OtherFile] = _NO_OTHERS,
) -> Coverage:
    """Audit the files of a topic-partition.

    Args:
        topic_partition: the topic-partition.
        footers: footer of each file by key; None for a file that kafka2parquet didn't write, or with a damaged footer.
        committed: committed offset of the group; None without one.
        covered: files whose rows are in merged files, by key. They may exist or not.
        damaged: why the footers of files can't be read, by key.
        others: what is known of files that kafka2parquet didn't write, by key.
    """
    anchors = sorted(
        ((key, footer) for key, footer in footers.items() if footer is not None and footer.is_anchor),
        key=lambda found: found[1].start,
    )
    gone = {key: file for key, file in covered.items() if key not in footers}
    flushes = sorted(
        [*(_flush(key, anchor) for key, anchor in anchors), *(_gone_flush(file) for file in gone.values() if file.is_anchor)],
        key=lambda flush: flush.start,
    )
    gone_ends = {file.end for file in gone.values() if file.is_anchor}
    start = flushes[0].start if flushes else committed
    history = {key for key, other in others.items() if key in footers and other.is_before(start)}
    others = {key: other for key, other in others.items() if key not in history}
    unknown = damaged.keys() | history
    findings = [
        *(damaged_footer(key, reason) for key, reason in damaged.items() if key in footers),
        *_foreign(topic_partition, {key: footer for key, footer in footers.items() if key not in unknown}, others, start),
        *_changed(footers, covered),
        *(finding for key, anchor in anchors for finding in _incomplete(key, anchor, footers, committed, gone)),
        *(finding for file in gone.values() if file.is_anchor for finding in _incomplete_gone(file, footers, gone)),
        *_unlisted(anchors, footers, gone_ends),
        *_gaps(flushes, committed, sorted(other.first_offset for other in others.values())),
    ]
    files = len(footers) - len(history)
    return Coverage(topic_partition, committed, tuple(flushes), files, tuple(findings), len(gone), len(history))


def _flush(key: str, anchor: FlushFooter) -> FlushRange:
    files = ((key, anchor.role), *((sibling.key, sibling.role) for sibling in anchor.siblings or ()))
    return FlushRange(
        anchor.start,
        anchor.end,
        anchor.flush_rows,
        len(files),
        anchor.opened_at_ms,
        anchor.reason,
        tuple((name, role) for name, role in files if role in ("values", "rejects")),
        key,
    )


def _gone_flush(anchor: CoveredFile) -> FlushRange:
    """Return the flush of an anchor that doesn't exist any more. Its rows are in merged files."""
    rows, files = anchor.flush_rows or 0, anchor.flush_files or 1
    return FlushRange(anchor.start, anchor.end, rows, files, anchor.opened_at_ms, anchor.reason, (), anchor.key)


def _changed(footers: Mapping[str, FlushFooter | None], covered: Mapping[str, CoveredFile]) -> list[Finding]:
    """Find files that are not as they were when they were merged."""
    findings = []
    for key, file in covered.items():
        footer = footers.get(key)
        if footer is not None and not file.agrees_with(footer):
            text = f"{key} is not as it was when it was merged: its footer says something else than the merged file"
            findings.append(Finding(Kind.WRONG_ROWS, file.start, file.end, text))
    return findings


def _incomplete_gone(
    anchor: CoveredFile, footers: Mapping[str, FlushFooter | None], gone: Mapping[str, CoveredFile]
) -> list[Finding]:
    """Find missing files and wrong counts of a flush whose anchor doesn't exist any more."""
    files = [(footer.role, footer.file_rows) for footer in footers.values() if footer is not None and footer.end == anchor.end]
    files += [(file.role, file.rows) for file in gone.values() if file.end == anchor.end]
    rows = sum(rows for role, rows in files if role in ("values", "rejects"))
    if (len(files), rows) == (anchor.flush_files, anchor.flush_rows):
        return []
    had = f"{counted(anchor.flush_files or 1, 'file')} with {counted(anchor.flush_rows or 0, 'row')}"
    text = (
        f"the flush of {anchor.key}, which was merged, had {had}, and there are {len(files)} with {rows}, merged ones included"
    )
    kind = Kind.MISSING_FILE if len(files) < (anchor.flush_files or 1) else Kind.WRONG_ROWS
    return [Finding(kind, anchor.start, anchor.end, text)]


def _foreign(
    topic_partition: TopicPartition,
    footers: Mapping[str, FlushFooter | None],
    others: Mapping[str, OtherFile],
    start: int | None,
) -> list[Finding]:
    """Find files that kafka2parquet didn't write, or wrote for another topic than most of the files.

    Args:
        topic_partition: the topic-partition.
        footers: footers of the files to judge.
        others: what is known of files that kafka2parquet didn't write.
        start: first offset of the sink's files; None if unknown.
    """
    ids = collections.Counter((footer.cluster_id, footer.topic_id) for footer in footers.values() if footer is not None)
    own = ids.most_common(1)[0][0] if ids else ("", "")
    findings = []
    for key, footer in footers.items():
        if footer is None:
            text = f"{key} was not written by kafka2parquet"
            other = others.get(key)
            if other is not None and start is not None and other.first_offset < start:
                text += (
                    f". By its name and its {other.rows:,} rows it reaches past offset {start}, where this sink's files"
                    " begin, so rows may be in both"
                )
            findings.append(Finding(Kind.FOREIGN_FILE, 0, 0, text))
        elif (footer.topic, footer.partition) != (topic_partition.topic, topic_partition.partition) or (
            footer.cluster_id,
            footer.topic_id,
        ) != own:
            whose = f"{footer.topic}-{footer.partition}, topic id {footer.topic_id or 'unknown'}"
            findings.append(Finding(Kind.FOREIGN_FILE, footer.start, footer.end, f"{key} belongs to {whose}"))
    return findings


def _incomplete(
    key: str,
    anchor: FlushFooter,
    footers: Mapping[str, FlushFooter | None],
    committed: int | None,
    gone: Mapping[str, CoveredFile],
) -> list[Finding]:
    """Find missing siblings and wrong counts. Siblings of a flush that is not committed may still be uploading."""
    siblings = anchor.siblings or ()
    findings = []
    if anchor.listed_rows != anchor.flush_rows:
        text = f"{key} counts {counted(anchor.flush_rows, 'row')} for its flush, but its files add up to another number"
        findings.append(Finding(Kind.WRONG_ROWS, anchor.start, anchor.end, text))
    for sibling in siblings:
        footer = footers.get(sibling.key)
        rows = gone[sibling.key].rows if sibling.key in gone else None if footer is None else footer.file_rows
        if rows is None:
            if committed is None or anchor.end <= committed:
                text = f"{sibling.key}, a file of the flush of {key}, does not exist"
                findings.append(Finding(Kind.MISSING_FILE, anchor.start, anchor.end, text))
        elif rows != sibling.rows:
            text = f"{sibling.key} has {counted(rows, 'row')}, but its anchor {key} says {sibling.rows}"
            findings.append(Finding(Kind.WRONG_ROWS, anchor.start, anchor.end, text))
    return findings


def _unlisted(
    anchors: Sequence[tuple[str, FlushFooter]], footers: Mapping[str, FlushFooter | None], gone_ends: Collection[int]
) -> list[Finding]:
    """Find files that no anchor lists. The files of a flush whose anchor was merged and deleted are counted elsewhere."""
    listed = {sibling.key for _, anchor in anchors for sibling in anchor.siblings or ()}
    return [
        Finding(Kind.UNLISTED_FILE, footer.start, footer.end, f"{key} is listed by no anchor")
        for key, footer in footers.items()
        if footer is not None and not footer.is_anchor and key not in listed and footer.end not in gone_ends
    ]


def _gaps(flushes: Sequence[FlushRange], committed: int | None, others: Sequence[int]) -> list[Finding]:
    """Find offsets that are in no flush, or in several.

    Args:
        flushes: the flushes, ordered by start.
        committed: committed offset of the group; None without one.
        others: first offsets of files that kafka2parquet didn't write, as their names say, in order.
    """
    findings = []
    position = flushes[0].start if flushes else None
    for flush in flushes:
        if position is not None and flush.start > position:
            findings.append(_gap(position, flush.start, others))
        elif position is not None and flush.start < position:
            end = min(position, flush.end)
            text = f"[{flush.start}, {end}) is in {flush.anchor_key} and in a flush before it"
            findings.append(Finding(Kind.OVERLAP, flush.start, end, text))
        position = max(position or 0, flush.end)
    if position is not None and committed is not None and committed > position:
        findings.append(_gap(position, committed, others))
    return findings


def _gap(start: int, end: int, others: Sequence[int]) -> Finding:
    text = f"[{start}, {end}) is in no file: lost, or without rows (rejects, tombstones, markers); --deep shows which"
    begin_there = bisect.bisect_left(others, end) - bisect.bisect_left(others, start)
    if begin_there:
        text += f". By their names, {counted(begin_there, 'file')} of another tool begin there"
    return Finding(Kind.GAP, start, end, text)
