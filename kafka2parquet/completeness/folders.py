"""TimeFolders: which folders are folders of time, and when the time of a folder ends."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.partitioners.time import TimeBasedPartitioner

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: Clocks are set back by whole quarters of an hour, and by less than three hours.
_CLOCK_CHANGES_MS = tuple(range(900_000, 3 * _HOUR_MS, 900_000))
#: A moment without changes of clocks around it, from which a pattern is tried.
_SAMPLE_MS = round(datetime.datetime(2025, 1, 15, 4, 5, 6, 7000, datetime.timezone.utc).timestamp() * 1000)
#: A pattern that leaves out a unit of time prints the same name again after one of these times.
_REPEATS_MS = (1000, 60_000, _HOUR_MS, 12 * _HOUR_MS, *(days * _DAY_MS for days in (1, 7, 28, 29, 30, 31, 364, 365, 366)))
#: Longer than the time of any folder.
_LONGEST_MS = 800 * _DAY_MS
_LAST_MS = round(datetime.datetime(9999, 1, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)


def check_folders(naming: ObjectNaming, topics: Iterable[str], why: str) -> None:
    """Refuse topics that share a folder.

    Args:
        naming: names of the files.
        topics: the topics.
        why: why each topic needs a folder, as a sentence.

    Raises:
        ConfigurationError: two topics share a folder.
    """
    of_prefix: dict[str, str] = {}
    for topic in topics:
        other = of_prefix.setdefault(naming.prefix(topic), topic)
        if other != topic:
            raise ConfigurationError(
                f"Topics {other} and {topic} share the folder {naming.folder(topic)}. {why} Give each topic a folder."
            )


class TimeFolders:
    """Finds the end of a folder's time by asking the partitioner for the folders of later times.

    So the result fits the partitioner by definition, also where clocks are set back and a folder has two stretches of time.
    """

    def __init__(self, partitioner: TimeBasedPartitioner, directory_delimiter: str = "/") -> None:
        """Try the partitioner.

        Args:
            partitioner: gives rows their folders. If it is nested in other folders, the inner partitioner.
            directory_delimiter: delimiter between folders.

        Raises:
            ConfigurationError: the same folder name stands for several times, so no folder is ever complete.
        """
        self._partitioner = partitioner
        self._delimiter = directory_delimiter
        self._ends_ms: dict[str, int] = {}
        name = partitioner.encode(_SAMPLE_MS)
        end_ms = self._end_of(name, _SAMPLE_MS)
        later_ms = (_SAMPLE_MS + repeat_ms for repeat_ms in _REPEATS_MS)
        if end_ms is None or any(time_ms >= end_ms and partitioner.encode(time_ms) == name for time_ms in later_ms):
            raise ConfigurationError(
                f"The folder {name!r} gets rows of several times again and again, so it is never complete. Name all units of"
                " time in path.format, from the year to the smallest one, such as 'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH."
            )

    def end_ms(self, encoded_partition: str, min_time_ms: int, max_time_ms: int) -> int | None:
        """Return the end of a folder's time, in milliseconds since the epoch: the first moment after all of its times.

        Returns None if the folder is not that of the times. Then it isn't a folder by time, or another configuration wrote it.

        Args:
            encoded_partition: the folder; folders around and in the folder by time don't matter.
            min_time_ms: least time of a row in the folder.
            max_time_ms: greatest time of a row in the folder.
        """
        name = self._partitioner.encode(max_time_ms)
        if name != self._partitioner.encode(min_time_ms) or not self._is_in(name, encoded_partition):
            return None
        if name not in self._ends_ms:
            end_ms = self._end_of(name, max_time_ms)
            if end_ms is None:
                return None
            self._ends_ms[name] = end_ms
        return self._ends_ms[name]

    def _is_in(self, name: str, encoded_partition: str) -> bool:
        delimiter = self._delimiter
        return f"{delimiter}{name}{delimiter}" in f"{delimiter}{encoded_partition}{delimiter}"

    def _end_of(self, name: str, time_ms: int) -> int | None:
        """Return the end of the last stretch of time of a folder; None if the folder doesn't end.

        Args:
            name: the folder.
            time_ms: a time in the folder.
        """
        end_ms = self._stretch_end(name, time_ms)
        while end_ms is not None:
            again_ms = [end_ms - 1 + change_ms for change_ms in _CLOCK_CHANGES_MS]
            later_ms = [each_ms for each_ms in again_ms if each_ms < _LAST_MS and self._partitioner.encode(each_ms) == name]
            if not later_ms:
                break
            end_ms = self._stretch_end(name, later_ms[-1])
        return end_ms

    def _stretch_end(self, name: str, time_ms: int) -> int | None:
        """Return the first moment after a time that has another folder; None if there is none."""
        inside_ms = time_ms
        for power in itertools.count():
            outside_ms = time_ms + (1 << power)
            if outside_ms - time_ms > 2 * _LONGEST_MS or outside_ms >= _LAST_MS:
                return None
            if self._partitioner.encode(outside_ms) != name:
                break
            inside_ms = outside_ms
        while outside_ms - inside_ms > 1:
            middle_ms = (inside_ms + outside_ms) // 2
            if self._partitioner.encode(middle_ms) == name:
                inside_ms = middle_ms
            else:
                outside_ms = middle_ms
        return outside_ms
