"""Reports an audit as a table, as JSON, or in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from kafka2parquet.audit.coverage import Audit, Coverage, Finding
from kafka2parquet.units import Shard
from kafka2parquet.util.display import counted, printable

_COLUMNS = ("topic-partition", "from", "to", "committed", "flushes", "files", "rows", "findings")
_MOST_FINDINGS = 20


def table(audit: Audit) -> str:
    """Return a table with a line for each topic-partition, followed by the findings."""
    text = aligned([_COLUMNS, *(_line(coverage) for coverage in audit.coverages)])
    for coverage in audit.coverages:
        text += _findings(f"{coverage.topic_partition}: ", coverage.findings)
    text += _findings("", audit.strays)
    text += _findings("", audit.merged)
    if audit.history_files:
        text.append(
            f"{counted(audit.history_files, 'file')} of another tool, below the first offset of this sink's files: history,"
            " which is not audited"
        )
    return "\n".join(text)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of cells with each column aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def _findings(where: str, findings: tuple[Finding, ...]) -> list[str]:
    shown = [f"{where}{finding.kind.value}: {printable(finding.text)}" for finding in findings[:_MOST_FINDINGS]]
    more = len(findings) - len(shown)
    return [*shown, f"{where}and {more} more findings"] if more else shown


def verdict(audit: Audit, *, deep: bool, shard: Shard | None = None) -> str:
    """Return the result of an audit in one line.

    Args:
        audit: the audit.
        deep: whether rows were compared with the log.
        shard: the share of the rows that was compared; None for all.
    """
    rows = sum(coverage.rows for coverage in audit.coverages)
    files = sum(coverage.files for coverage in audit.coverages)
    what = f"{counted(rows, 'row')} in {counted(files, 'file')} of {counted(len(audit.coverages), 'topic-partition')}"
    gone = sum(coverage.covered_files for coverage in audit.coverages)
    if gone:
        what += f"; merged files {audit.merged_files:,} stand for {gone:,} deleted ones"
    if not audit.coverages and not audit.strays and not audit.merged:
        return (
            "NOTHING FOUND: the topics have no files, and the group has no committed offsets. If the sink has run already, "
            "check topics, topics.dir and the name of the group."
        )
    if audit.is_exact and audit.history_files and not files and not gone:
        return (
            "NOTHING OF THIS SINK YET: all files are of another tool and below the committed offsets, where this sink starts."
        )
    if not audit.is_exact:
        return f"NOT EXACT: {counted(audit.findings, 'finding')}; {what}."
    compared = "compared with the log" if shard is None else f"of which shard {shard} was compared with the log"
    how = compared if deep else "by their footers"
    return f"EXACT: every offset is covered once; {what}, {how}."


def to_json(audit: Audit, *, deep: bool, shard: Shard | None = None) -> dict[str, Any]:
    """Everything, for other programs."""
    return {
        "verdict": verdict(audit, deep=deep, shard=shard),
        "exact": audit.is_exact,
        "deep": deep,
        "partitions": [
            {
                "topic": coverage.topic_partition.topic,
                "partition": coverage.topic_partition.partition,
                "committed": coverage.committed,
                "start": coverage.start,
                "end": coverage.end,
                "files": coverage.files,
                "covered_files": coverage.covered_files,
                "history_files": coverage.history_files,
                "rows": coverage.rows,
                "flushes": [
                    attrs.asdict(
                        flush,
                        filter=attrs.filters.exclude(attrs.fields(type(flush)).row_files, attrs.fields(type(flush)).anchor_key),
                    )
                    for flush in coverage.flushes
                ],
                "findings": _as_dicts(coverage.findings),
            }
            for coverage in audit.coverages
        ],
        "strays": _as_dicts(audit.strays),
        "merged_files": audit.merged_files,
        "merged": _as_dicts(audit.merged),
    }


def _as_dicts(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [{**attrs.asdict(finding), "kind": finding.kind.value} for finding in findings]


def _line(coverage: Coverage) -> tuple[str, ...]:
    numbers = (coverage.start, coverage.end, coverage.committed, len(coverage.flushes), coverage.files, coverage.rows)
    return (
        str(coverage.topic_partition),
        *("-" if number is None else f"{number:,}" for number in numbers),
        str(len(coverage.findings)) if coverage.findings else "none",
    )
