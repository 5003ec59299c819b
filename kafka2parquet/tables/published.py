"""PublishedFlushes: a topic's flushes in the order of their offsets, from one listing and the footers of anchors."""

from __future__ import annotations

import bisect
import collections
from collections.abc import Iterator

import attrs

from kafka2parquet.audit.coverage import Finding, Kind
from kafka2parquet.audit.history import OtherFile, read_other
from kafka2parquet.audit.read import topic_prefixes
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.tables.files import location_of, read_parquet_metadata
from kafka2parquet.tables.log import CommittedOffsets, TopicLog
from kafka2parquet.tables.target import DataFile
from kafka2parquet.util.display import counted


@attrs.frozen
class ValuesFile:
    """A file of record values, as its anchor lists it."""

    key: str
    folder: str
    rows: int


@attrs.frozen
class CoveredRange:
    """A whole flush, or a range of offsets without rows. `files` are its files of values that have rows.

    Attributes:
        start: first offset.
        end: offset after the last one.
        files: the files to register.
    """

    start: int
    end: int
    files: tuple[ValuesFile, ...] = ()


@attrs.frozen(order=True)
class _Listed:
    """A listed file. In the order of a partition's files, a flush's anchor comes before its siblings and views."""

    first_offset: int
    is_view: bool
    key: str


class PublishedFlushes:
    """The published flushes of a topic below the group's committed offsets.

    A flush is published before its end is committed. So the committed offsets have to be read *before* the listing: every flush
    that ends at or below a committed offset is then listed, with all its files.
    """

    def __init__(
        self,
        storage: FsspecStorage,
        naming: ObjectNaming,
        topic: str,
        log: TopicLog,
        committed: CommittedOffsets,
        others: dict[tuple[str, int], OtherFile] | None = None,
    ) -> None:
        """List the topic's files. Blocks: two listings.

        Args:
            storage: where the files are.
            naming: how the files are named.
            topic: the topic.
            log: the topic in Kafka, for offsets that are in no file.
            committed: the group's offsets, read before.
            others: files of another tool that are known already, by key and size in bytes: if such a file is moved away, the
                sink may write its own file under the same key. New ones are added.
        """
        self._others = others if others is not None else {}
        self._storage = storage
        self._naming = naming
        self._topic = topic
        self._log = log
        self._committed = committed
        self._files: dict[int, list[_Listed]] = collections.defaultdict(list)
        self._sizes_bytes: dict[str, int] = {}
        for prefix in topic_prefixes(naming, topic):
            for key, size_bytes in storage.list_sizes(prefix):
                name = naming.parse(key)
                if name is not None and name.topic == topic:
                    self._files[name.partition].append(_Listed(name.first_offset, name.view is not None, key))
                    self._sizes_bytes[key] = size_bytes
        for files in self._files.values():
            files.sort()

    def after(self, partition: int, position: int | None, *, pass_gaps: bool = False) -> Iterator[CoveredRange | Finding]:
        """Yield what follows a position, contiguously, up to the committed offset. A finding ends the iteration.

        Lazy: each step reads the footer of one anchor, and reads the log if offsets are in no file. Files of another tool
        before the first flush are passed over.

        Args:
            partition: the partition.
            position: the offset to continue at; None for the first flush that there is.
            pass_gaps: whether offsets that are in no file count as a range without rows, whatever the log says and whatever
                files of another tool are there.
        """
        end = self._committed.offsets.get(partition)
        if end is None:
            return
        files = self._files.get(partition, [])
        index = 0 if position is None else bisect.bisect_left(files, _Listed(position, False, ""))
        listed: set[str] = set()
        passed: dict[str, OtherFile] = {}
        for file in files[index:]:
            if file.first_offset >= end:
                break
            if file.key in listed:
                continue
            anchor = self._anchor(partition, file.key)
            if isinstance(anchor, OtherFile):
                if position is None:
                    passed[file.key] = anchor
                elif not pass_gaps:
                    yield _foreign(file.key)
                    return
                continue
            if isinstance(anchor, Finding):
                yield anchor
                return
            if anchor is None:
                if position is None:
                    text = f"{file.key} is listed by no anchor, and no flush before it says where the topic's files begin"
                    yield Finding(Kind.UNLISTED_FILE, file.first_offset, file.first_offset + 1, text)
                    return
                continue  # whatever it is, the flushes have to follow each other without it
            if anchor.end > end:
                return  # not committed
            if position is None:
                position = anchor.start
                past = next((key for key, other in passed.items() if not other.is_before(position)), None)
                if past is not None:
                    text = (
                        f"by its name and rows, {past} of another tool reaches past offset {position}, where {file.key} begins:"
                        " rows may be in both. Move the other tool's file away"
                    )
                    yield Finding(Kind.FOREIGN_FILE, position, anchor.end, text)
                    return
            if anchor.start > position:
                gap = self._gap(partition, position, anchor.start, pass_gaps)
                yield gap
                if isinstance(gap, Finding):
                    return
            flush = self._flush(file.key, anchor, position)
            yield flush
            if isinstance(flush, Finding):
                return
            position = anchor.end
            listed = {sibling.key for sibling in anchor.siblings or ()}
        if position is not None and position < end:
            yield self._gap(partition, position, end, pass_gaps)

    def data_file(self, partition: int, file: ValuesFile) -> DataFile | Finding:
        """Read a file's Parquet metadata. Blocks: one request or two. May be called from any thread."""
        try:
            parquet = read_parquet_metadata(self._storage, file.key)
        except ValueError as error:
            return Finding(Kind.WRONG_ROWS, 0, 0, f"{file.key} can't be read: {error}")
        if parquet is None:
            return Finding(Kind.MISSING_FILE, 0, 0, f"{file.key} was deleted while it was read")
        if parquet.num_rows != file.rows:
            text = f"{file.key} has {counted(parquet.num_rows, 'row')}, but its anchor says {file.rows}"
            return Finding(Kind.WRONG_ROWS, 0, 0, text)
        return DataFile(
            file.key,
            location_of(self._storage, file.key),
            file.folder,
            file.rows,
            self._sizes_bytes[file.key],
            TopicPartition(self._topic, partition),
            parquet,
        )

    def _anchor(self, partition: int, key: str) -> FlushFooter | OtherFile | Finding | None:
        """Read a file's footer; None if the file is not an anchor."""
        known = self._others.get((key, self._sizes_bytes[key]))
        if known is not None:
            return known
        metadata = self._storage.read_metadata(key)
        try:
            footer = FlushFooter.from_metadata(metadata)
        except ValueError as error:
            return Finding(Kind.DAMAGED_FOOTER, 0, 0, f"{key} has a footer that can't be used: {error}")
        if metadata is None:
            return Finding(Kind.MISSING_FILE, 0, 0, f"{key} was deleted while it was read")
        if footer is None:
            return self._other(key) or _foreign(key)
        if (
            (footer.topic, footer.partition) != (self._topic, partition)
            or footer.topic_id not in ("", self._committed.topic_id)
            or not (footer.cluster_id == self._committed.cluster_id or "" in (footer.cluster_id, self._committed.cluster_id))
        ):
            whose = f"{footer.topic}-{footer.partition}, topic id {footer.topic_id or 'unknown'}"
            text = f"{key} belongs to {whose}, but the topic's id is {self._committed.topic_id}"
            return Finding(Kind.FOREIGN_FILE, footer.start, footer.end, text)
        return footer if footer.is_anchor else None

    def _other(self, key: str) -> OtherFile | None:
        """Return what is known of a file that another tool wrote; None if it isn't a readable Parquet file."""
        name = self._naming.parse(key)
        other = None if name is None else read_other(self._storage, key, name)
        if other is not None:
            self._others[key, self._sizes_bytes[key]] = other
        return other

    def _flush(self, key: str, anchor: FlushFooter, position: int) -> CoveredRange | Finding:
        """Return the flush of an anchor that should start at `position`."""
        if anchor.start < position:
            end = min(position, anchor.end)
            text = f"[{anchor.start}, {end}) is in {key} and in a flush before it"
            return Finding(Kind.OVERLAP, anchor.start, end, text)
        if anchor.listed_rows != anchor.flush_rows:
            text = f"{key} counts {counted(anchor.flush_rows, 'row')} for its flush, but its files add up to another number"
            return Finding(Kind.WRONG_ROWS, anchor.start, anchor.end, text)
        siblings = anchor.siblings or ()
        missing = next((sibling.key for sibling in siblings if sibling.key not in self._sizes_bytes), None)
        if missing is not None:
            text = f"{missing}, a file of the flush of {key}, does not exist"
            return Finding(Kind.MISSING_FILE, anchor.start, anchor.end, text)
        files = [(key, anchor.role, anchor.file_rows), *((sibling.key, sibling.role, sibling.rows) for sibling in siblings)]
        return CoveredRange(
            anchor.start,
            anchor.end,
            tuple(ValuesFile(name, self._folder(name), rows) for name, role, rows in files if role == "values" and rows),
        )

    def _folder(self, key: str) -> str:
        name = self._naming.parse(key)
        return "" if name is None else name.encoded_partition or ""

    def _gap(self, partition: int, start: int, end: int, pass_gaps: bool) -> CoveredRange | Finding:
        """Return a range without rows, if the log shows that [start, end) has no record with a value."""
        has_values = None if pass_gaps else self._log.has_values(TopicPartition(self._topic, partition), start, end)
        if pass_gaps or has_values is False:
            return CoveredRange(start, end)
        why = "the log has records with a value there" if has_values else "the log no longer has these offsets"
        return Finding(Kind.GAP, start, end, f"[{start}, {end}) is in no file, and {why}")


def _foreign(key: str) -> Finding:
    return Finding(Kind.FOREIGN_FILE, 0, 0, f"{key} was not written by kafka2parquet")
