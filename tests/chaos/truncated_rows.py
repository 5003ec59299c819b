"""The law for files of a topic whose log is truncated.

An offset has exactly one row. The row holds the record that the log has at the offset, or where a report says so an older one.
It may have none where a report says so, too: the log was truncated when the flush was published in part. The report of a
truncation at `offset`, noticed at `position`, covers the offsets from one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import duckdb
import pyarrow as pa


@attrs.frozen
class Truncated:
    """Facts about a truncated topic.

    Attributes:
        acknowledged: the numbers of the records that the log has taken once, by partition.
        reports: partition, offset and position of each truncation that a member has reported.
    """

    acknowledged: Mapping[int, Sequence[int]]
    reports: Sequence[Mapping[str, int]]


@attrs.frozen
class TruncationCounts:
    """Counts with the meanings of `Verdict`."""

    reports: int
    older: int
    lost_by_log: int
    unreported: int


_OLDER = """
rows.index < rows.i AND EXISTS (FROM reports WHERE reports.p = rows.p AND rows.o >= reports.o AND rows.o < reports.position)
"""

_LOST_BY_LOG = """
SELECT count(*) FROM (SELECT p, i FROM acknowledged EXCEPT SELECT p, i FROM log EXCEPT SELECT p, index FROM rows)
"""


def count_truncations(database: duckdb.DuckDBPyConnection, truncated: Truncated | None) -> TruncationCounts:
    """Compares the number in each row with the number that the log has at its offset.

    Args:
        database: with the tables `log` (partition `p`, offset `o`, number `i`) and `rows` (the same, and `index`, the number in
            the row).
        truncated: None for a topic whose log is never truncated: no row may differ from the log.
    """
    reports = truncated.reports if truncated else ()
    acknowledged = truncated.acknowledged if truncated else {}
    columns = {"p": "partition", "o": "offset", "position": "position"}
    named = {name: pa.array([report[key] for report in reports], pa.int64()) for name, key in columns.items()}
    database.register("reports", pa.table(named))
    partitions = [partition for partition, numbers in acknowledged.items() for _ in numbers]
    numbers = [number for numbers in acknowledged.values() for number in numbers]
    database.register("acknowledged", pa.table({"p": pa.array(partitions, pa.int64()), "i": pa.array(numbers, pa.int64())}))

    def number(query: str) -> int:
        return int(database.execute(query).fetchall()[0][0])

    return TruncationCounts(
        reports=len(reports),
        older=number(f"SELECT count(*) FROM rows WHERE {_OLDER}"),
        lost_by_log=number(_LOST_BY_LOG),
        unreported=number(f"SELECT count(*) FROM rows WHERE NOT coalesce(rows.index = rows.i OR ({_OLDER}), false)"),
    )
