"""What a look at a topic has found: for each folder, and for the whole topic."""

from __future__ import annotations

import datetime
from typing import Any

import attrs

from kafka2parquet.clock import utc_text
from kafka2parquet.completeness.frontier import PartitionFrontier
from kafka2parquet.completeness.marker import MarkedFile, Marker
from kafka2parquet.records import TopicPartition


@attrs.frozen
class FolderState:
    """A folder with files of a topic.

    Attributes:
        folder: key of the folder.
        ends_at_ms: end of the folder's time, in milliseconds since the epoch; None if the folder isn't one of times.
        markers: the folder's markers in the order of their numbers, with those that this look has written.
        written: number of markers that this look has written.
        unmarked: durable files that no marker lists.
        waits_for: the topic-partitions whose durable records have not passed the end of the folder's time.
        problem: why the folder can't be answered for; None if it can.
        history_files: number of files that another tool wrote before the sink's first file. A folder with such files is left
            out: nothing says what is in them, so the folder gets no marker.
    """

    folder: str
    ends_at_ms: int | None
    markers: tuple[Marker, ...] = attrs.field(repr=False)
    written: int
    unmarked: tuple[MarkedFile, ...] = attrs.field(repr=False)
    waits_for: tuple[TopicPartition, ...]
    problem: str | None
    history_files: int = 0

    @property
    def is_by_time(self) -> bool:
        """Whether the folder is one of times."""
        return self.ends_at_ms is not None

    @property
    def is_complete(self) -> bool:
        """Whether all topic-partitions have passed the end of the folder's time, and all files are known and right."""
        return self.is_by_time and self.problem is None and not self.waits_for and not self.history_files

    @property
    def is_mixed(self) -> bool:
        """Whether the folder is left out, although it has files of the sink, too."""
        return self.problem is None and self.history_files > 0 and bool(self.unmarked or self.markers)

    @property
    def is_due(self) -> bool:
        """Whether a marker is to be written: the folder is complete and has files that no marker lists."""
        return self.is_complete and bool(self.unmarked)

    @property
    def is_settled(self) -> bool:
        """Whether nothing has happened in this look, and nothing is left to do."""
        is_over = self.is_complete or not self.is_by_time or self.history_files > 0
        return is_over and not (self.written or self.is_due or self.problem)

    @property
    def unmarked_rows(self) -> int:
        """Number of rows in the files that no marker lists, without keys and headers."""
        return sum(file.rows for file in self.unmarked if file.role == "values")


@attrs.frozen
class TopicCompleteness:
    """What a look at a topic has found.

    Attributes:
        topic: name of the topic.
        at: when the look began.
        complete_until_ms: all folders whose time ends at this moment or earlier are complete, unless something is wrong with
            them or they are left out, in milliseconds since the epoch. None if some topic-partition has not reached any time.
        partitions: the topic-partitions, ordered.
        folders: the folders with files, ordered by key.
    """

    topic: str
    at: datetime.datetime
    complete_until_ms: int | None
    partitions: tuple[PartitionFrontier, ...]
    folders: tuple[FolderState, ...]

    @property
    def problems(self) -> tuple[FolderState, ...]:
        """The folders that can't be answered for."""
        return tuple(folder for folder in self.folders if folder.problem is not None)

    @property
    def written(self) -> int:
        """Number of markers that this look has written."""
        return sum(folder.written for folder in self.folders)

    def to_json(self, *, settled: bool = True) -> dict[str, Any]:
        """Return everything but the lists of files, for other programs.

        Args:
            settled: whether to list folders in which nothing has happened in this look and nothing is left to do.
        """
        return {
            "topic": self.topic,
            "at": utc_text(self.at),
            "complete_until": time_text(self.complete_until_ms),
            "partitions": [
                {
                    "partition": each.topic_partition.partition,
                    "log_end": each.log_end,
                    "committed": each.committed,
                    "newest_time": time_text(each.newest_time_ms),
                    "idle": each.is_idle,
                    "reached": time_text(each.reached_ms),
                }
                for each in self.partitions
            ],
            "folders": [
                {
                    "folder": each.folder,
                    "ends_at": time_text(each.ends_at_ms),
                    "complete": each.is_complete,
                    "markers": len(each.markers),
                    "written": each.written,
                    "marked_files": sum(len(marker.files) for marker in each.markers),
                    "marked_rows": sum(marker.rows for marker in each.markers),
                    "unmarked_files": len(each.unmarked),
                    "unmarked_rows": each.unmarked_rows,
                    "waits_for": [waited.partition for waited in each.waits_for],
                    "history_files": each.history_files,
                    "problem": each.problem,
                }
                for each in self.folders
                if settled or not each.is_settled
            ],
        }


def time_text(time_ms: int | None) -> str | None:
    """Return a time as ISO 8601 text in UTC; None for no time."""
    if time_ms is None:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return utc_text(epoch + datetime.timedelta(milliseconds=time_ms))
