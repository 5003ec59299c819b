"""Merges the small files of a sink into larger ones, beside the originals: `kafka2parquet compact`.

**What is merged.** Only files of whole flushes below the committed offset of the sink's group, in folders that are closed: a
folder of time is closed if it is complete (see `kafka2parquet.completeness`) and its end is some time ago. In other folders, a
file may be merged some time after its flush was opened. Files of record values are merged, and the files of keys and headers
beside them likewise, so that the merged files have the same rows in the same order, too. Rejects are never merged. Files with
different schemas are never merged with each other.

**How it is done.** For each folder there are plans, see `kafka2parquet.merged`. A planner reads all plans of a folder, makes
the next one of the files that are in none, and creates it if nobody else has. A plan is a unit of work (`MergeUnit`): whoever
runs it creates the merged files that don't exist yet, reads them back from the store, compares all their values with the
originals, and creates the result. Only a plan with a result counts. A process may die at any moment, several may work at once,
and a unit may run twice, because everything is create-only and what a merged file contains depends on its plan alone.

**What is promised.** No reader of the originals sees a difference, because nothing is changed in their folders. A reader of the
merged files sees each row at most once, and all rows of a plan that has a result. What is *not* promised is that a merged file
is visible at the same moment as the others of its plan: read results, or files that are older than a run.

**Moving a table** from the originals to the merged files is a second act, see `switching`. **Deleting originals** is a third,
see `deletion`.

`originals` reads the sink's files, `closed` says which may be merged, `packing` puts them together, and `planning` makes the
plans. `merging` writes a merged file, `comparing` compares it with its originals, and `unit` does both for a plan. `sink` does
everything for a configuration.
"""

from kafka2parquet.compaction.deletion import Deletion, delete
from kafka2parquet.compaction.planning import PlannedTopic
from kafka2parquet.compaction.sink import SinkCompaction
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.compaction.switching import SwitchedTopic
from kafka2parquet.compaction.unit import MergeUnit, UnitResult, run_unit, verify

__all__ = [
    "Deletion",
    "MergeStorage",
    "MergeUnit",
    "PlannedTopic",
    "SinkCompaction",
    "SwitchedTopic",
    "UnitResult",
    "delete",
    "run_unit",
    "verify",
]
