"""Says which files of a folder may be merged: those of closed folders of time, and those of old flushes elsewhere."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Collection, Mapping

import attrs

from kafka2parquet.compaction.originals import Original, OriginalFolder
from kafka2parquet.completeness.state import FolderState
from kafka2parquet.records import TopicPartition


@attrs.frozen
class Closed:
    """What may be merged at a moment.

    Attributes:
        committed: the committed offsets of the sink's group, read before the files were listed.
        states: what completeness says of each folder by encoded partition; None if the sink has no folders of time.
        older_than: how old a folder or a flush has to be.
        now: the moment.
    """

    committed: Mapping[TopicPartition, int]
    states: Mapping[str, FolderState] | None
    older_than: datetime.timedelta
    now: datetime.datetime

    def problem(self, folder: OriginalFolder) -> str | None:
        """Return why nothing of a folder may be merged, although it may be closed; None if nothing is wrong."""
        state = self._state(folder)
        return None if state is None else state.problem

    def files(self, folder: OriginalFolder) -> list[Original]:
        """Return the files of a folder that may be merged."""
        before_ms = (self.now - self.older_than).timestamp() * 1000
        durable = [each for each in folder.new if self.is_durable(each)]
        state = self._state(folder)
        if state is not None and state.ends_at_ms is not None:
            return durable if state.is_complete and state.ends_at_ms <= before_ms else []
        if self.states is not None and state is None:  # files that were published after completeness has looked
            return []
        return [each for each in durable if each.footer.opened_at_ms <= before_ms]

    def is_by_time(self, folder: OriginalFolder) -> bool:
        """Return whether a folder ends at some time, so that nothing but late rows follows."""
        state = self._state(folder)
        return state is not None and state.is_by_time

    def _state(self, folder: OriginalFolder) -> FolderState | None:
        return None if self.states is None else self.states.get(folder.encoded_partition)

    def is_durable(self, original: Original) -> bool:
        """Return whether a file's flush is committed."""
        footer = original.footer
        return footer.end <= self.committed.get(TopicPartition(footer.topic, footer.partition), 0)


def missing_siblings(folders: Mapping[str, OriginalFolder], closed: Closed, known: Collection[str]) -> Mapping[str, str]:
    """Return a missing file of a committed flush for each folder that has a file of the flush.

    Args:
        folders: the folders.
        closed: knows which flushes are committed.
        known: keys of all files that exist, or that merged files cover.
    """
    missing: dict[tuple[int, int], str] = {}
    folders_of: dict[tuple[int, int], set[str]] = collections.defaultdict(set)
    for folder in folders.values():
        for original in filter(closed.is_durable, folder.new):
            footer = original.footer
            flush = (footer.partition, footer.end)
            folders_of[flush].add(folder.encoded_partition)
            absent = next((sibling.key for sibling in footer.siblings or () if sibling.key not in known), None)
            if absent is not None:
                missing[flush] = absent
    return {folder: key for flush, key in missing.items() for folder in folders_of[flush]}
