"""Says when a folder of time, such as an hour, is complete, and writes a marker into it: `kafka2parquet complete`.

**When a folder is complete.** The rows of a topic-partition that are in files of committed flushes are durable. A partition has
*reached* the time of its newest durable row, leaving out times in the future. A folder is complete when each partition of the
topic has reached the end of the folder's time plus the allowed lateness. A partition is *idle* if all records in its log are
durable, and no file of it was written for the time `idle_after`. It counts as having reached the present minus `idle_after`. An
empty partition is idle, too. Without `idle_after`, a partition is never idle, and a quiet one holds up all folders.

**What is promised.** No marker is early: the folder never gets another row after its first marker, if

1. no record is older than an earlier record of its partition by more than the allowed lateness, and
2. a record that ends the idle time of its partition is visible to readers at most `idle_after` plus the allowed lateness after
   its own time, by the clock of this machine, which agrees with the store's.

Neither can be checked beforehand. A row that breaks one of them is late: it is in its folder all the same, and a later marker
lists it. So markers add up: all markers of a folder together list each durable file of the folder once. What is *not* promised:
that a folder with a marker gets no late rows, that a folder without rows gets a marker, and that nobody deletes files. `audit`
proves that nothing is missing.

**How processes agree.** The store creates an object only once (`Storage.create`). A marker's content depends on its list of
files and on nothing else, and files never change. Two processes that see the same files write the same bytes. If they see
different files, because a late file became durable in between, the marker that was created first counts. The other process
reads that marker, and lists the rest in the next one: `_SUCCESS`, `_SUCCESS-1`, `_SUCCESS-2`. Before a process writes a marker,
it has read all earlier ones of the folder. So no file is in two markers, and a process may die at any moment.

`folders` finds the end of a folder's time, and `frontier` what a partition has reached. `marker` has the content of a marker.
`reading` reads files and markers, and `look` decides and writes. `sink` does that for all topics of a configuration.
"""

from kafka2parquet.completeness.frontier import PartitionFrontier
from kafka2parquet.completeness.look import Completeness, LogOffsets
from kafka2parquet.completeness.marker import MarkedFile, Marker
from kafka2parquet.completeness.sink import SinkCompleteness
from kafka2parquet.completeness.state import FolderState, TopicCompleteness

__all__ = [
    "Completeness",
    "FolderState",
    "LogOffsets",
    "MarkedFile",
    "Marker",
    "PartitionFrontier",
    "SinkCompleteness",
    "TopicCompleteness",
]
