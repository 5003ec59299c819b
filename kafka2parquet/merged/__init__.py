"""Files that `kafka2parquet compact` has merged from a sink's small files, and the JSON objects beside them.

Merged files are under a prefix, by default `<topics.dir>-merged`, in folders named as the originals' folders:

    topics-merged/orders/year=2026/month=05/day=17/hour=10/
        _merge-0000.json                     the plan: which files are merged into which
        orders+0+0000000000.snappy.parquet   merged files, named after the first file in each
        _merged-0000.json                    the result: the merged files of this plan count from now on
        _merge-0001.json                     the plan for files that came later

All objects are create-only and never change. A folder's plans are numbered, and no file is in two plans: whoever creates a plan
has read all earlier ones. What a plan's merged files contain depends on the plan alone. A result is written after the merged
files were read back and compared with their originals. Files without a result don't count.

`covered` describes an original, `plan` and `result` are the contents of the JSON objects, `footer` is what a merged file says
about itself, and `reading` finds all of them for a topic.
"""

from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.footer import MergedFooter
from kafka2parquet.merged.plan import MergePlan, PlannedOutput
from kafka2parquet.merged.result import MergedOutput, MergeResult

__all__ = ["CoveredFile", "MergePlan", "MergeResult", "MergedFooter", "MergedOutput", "PlannedOutput"]
