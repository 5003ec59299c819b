"""What an audit has found: as a table, as JSON, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from kafka2parquet.audit.coverage import Coverage
from kafka2parquet.printable import printable

_COLUMNS = ("topic-partition", "from", "to", "committed", "flushes", "files", "rows", "findings")
_MOST_FINDINGS = 20


def table(coverages: Sequence[Coverage]) -> str:
    """A line for each topic-partition, then what is wrong."""
    lines = [_COLUMNS, *(_line(coverage) for coverage in coverages)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    for coverage in coverages:
        shown = coverage.findings[:_MOST_FINDINGS]
        text += [f"{coverage.topic_partition}: {finding.kind.value}: {printable(finding.text)}" for finding in shown]
        if len(coverage.findings) > len(shown):
            text.append(f"{coverage.topic_partition}: and {len(coverage.findings) - len(shown)} findings more")
    return "\n".join(text)


def verdict(coverages: Sequence[Coverage], *, deep: bool) -> str:
    """One line."""
    findings = sum(len(coverage.findings) for coverage in coverages)
    rows = sum(coverage.rows for coverage in coverages)
    files = sum(coverage.files for coverage in coverages)
    what = f"{rows:,} rows in {files:,} files of {len(coverages)} topic-partitions"
    if not coverages:
        return (
            "NOTHING FOUND: the topics have no files, and the group has no committed offsets. If it has run already, check "
            "topics, topics.dir and the name of the group."
        )
    if findings:
        return f"NOT EXACT: {findings} findings; {what}."
    how = "compared with the log" if deep else "by their footers"
    return f"EXACT: every offset is covered once; {what}, {how}."


def to_json(coverages: Sequence[Coverage], *, deep: bool) -> dict[str, Any]:
    """Everything, for other programs."""
    return {
        "verdict": verdict(coverages, deep=deep),
        "exact": is_exact(coverages),
        "deep": deep,
        "partitions": [
            {
                "topic": coverage.topic_partition.topic,
                "partition": coverage.topic_partition.partition,
                "committed": coverage.committed,
                "start": coverage.start,
                "end": coverage.end,
                "files": coverage.files,
                "rows": coverage.rows,
                "flushes": [
                    attrs.asdict(flush, filter=attrs.filters.exclude(attrs.fields(type(flush)).row_files))
                    for flush in coverage.flushes
                ],
                "findings": [{**attrs.asdict(finding), "kind": finding.kind.value} for finding in coverage.findings],
            }
            for coverage in coverages
        ],
    }


def is_exact(coverages: Sequence[Coverage]) -> bool:
    """Whether nothing is wrong."""
    return not any(coverage.findings for coverage in coverages)


def _line(coverage: Coverage) -> tuple[str, ...]:
    numbers = (coverage.start, coverage.end, coverage.committed, len(coverage.flushes), coverage.files, coverage.rows)
    return (
        str(coverage.topic_partition),
        *("-" if number is None else f"{number:,}" for number in numbers),
        str(len(coverage.findings)) if coverage.findings else "none",
    )
