"""Makes the tables of the page: the numbers of each topic-partition, and its flushes."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from kafka2parquet.audit.coverage import Audit, Coverage, FlushRange
from kafka2parquet.audit.html.elements import Child, element, fold, table, utc
from kafka2parquet.audit.html.picture import times

#: More topic-partitions than this are folded.
_MOST_UNFOLDED = 24
#: Rows for flushes on the whole page, so that browsers and mail programs can open it.
_MOST_FLUSHES = 10_000
_LEAST_FLUSHES_OF_PARTITION = 20


def partitions_section(audit: Audit) -> Element | None:
    """Make the table of topic-partitions; None if there are none."""
    if not audit.coverages:
        return None
    has_covered = any(coverage.covered_files for coverage in audit.coverages)
    columns = ["topic-partition", "first offset", "end offset", "committed offset", "flushes", "files", "rows", "findings"]
    if has_covered:
        columns.insert(6, "merged and deleted files")
    rows = (_numbers(coverage, has_covered=has_covered) for coverage in audit.coverages)
    numbers = table(columns, rows, label="Topic-partitions", class_="numbers")
    if len(audit.coverages) > _MOST_UNFOLDED:
        numbers = fold(f"All {len(audit.coverages):,} topic-partitions", numbers, class_="printed")
    explained = (
        "An end offset and a committed offset are the next offset: the records before it are in files. "
        "Rows include rejects that were quarantined."
    )
    return element(
        "section",
        element("h2", "Topic-partitions", id="partitions"),
        element("p", explained, class_="muted"),
        numbers,
        aria_labelledby="partitions",
    )


def flushes_section(audit: Audit) -> Element | None:
    """Make a folded table of the flushes of each topic-partition; None if there are no flushes."""
    found = [coverage for coverage in audit.coverages if coverage.flushes]
    if not found:
        return None
    most = max(_LEAST_FLUSHES_OF_PARTITION, _MOST_FLUSHES // len(found))
    folds: Child | list[Element] = [_flushes(coverage, most) for coverage in found]
    if len(found) > _MOST_UNFOLDED:
        folds = fold(f"Flushes of {len(found):,} topic-partitions", folds, class_="screen")
    return element(
        "section",
        element("h2", "Flushes", id="flushes"),
        element(
            "p",
            "A flush is a run of offsets that became visible together, in one file or several. Its end offset belongs to the "
            "next flush.",
            class_="muted",
        ),
        element("p", "Left out on paper: open the page in a browser to see them.", class_="only-printed"),
        folds,
        aria_labelledby="flushes",
    )


def _numbers(coverage: Coverage, *, has_covered: bool) -> Iterator[str]:
    yield str(coverage.topic_partition)
    yield f"{coverage.start:,}"
    yield f"{coverage.end:,}"
    yield "none" if coverage.committed is None else f"{coverage.committed:,}"
    yield f"{len(coverage.flushes):,}"
    yield f"{coverage.files:,}"
    if has_covered:
        yield f"{coverage.covered_files:,}"
    yield f"{coverage.rows:,}"
    yield f"{len(coverage.findings):,}" if coverage.findings else "none"


def _flushes(coverage: Coverage, most: int) -> Element:
    shown = _chosen(coverage, most)
    title = f"{coverage.topic_partition}: {len(coverage.flushes):,} flushes"
    left_out = len(coverage.flushes) - len(shown)
    note = f"{left_out:,} of {len(coverage.flushes):,} flushes are left out here: the oldest ones without findings."
    first = min(flush.opened_at_ms for flush in coverage.flushes)
    last = max(flush.opened_at_ms for flush in coverage.flushes)
    columns = ("first offset", "end offset", "rows", "files", "opened, UTC", "ended by")
    return fold(
        title,
        element("p", f"Opened from {utc(first)} to {utc(last)} UTC:"),
        times(coverage.flushes),
        element("p", note, " ", element("code", "kafka2parquet audit --json"), " has all of them.") if left_out else None,
        table(columns, map(_flush, shown), label=f"Flushes of {coverage.topic_partition}", class_="numbers flushes"),
        class_="screen",
    )


def _flush(flush: FlushRange) -> Sequence[Child]:
    numbers = (f"{number:,}" for number in (flush.start, flush.end, flush.rows, flush.files))
    return (*numbers, utc(flush.opened_at_ms), flush.reason)


def _chosen(coverage: Coverage, most: int) -> Sequence[FlushRange]:
    """Choose the flushes that findings touch, and the newest of the others."""
    if len(coverage.flushes) <= most:
        return coverage.flushes
    found = [finding for finding in coverage.findings[:most] if finding.end > finding.start]
    starts, ends = sorted(each.start for each in found), sorted(each.end for each in found)
    touched = {  # more findings have begun at the flush's end than have ended before its start
        number
        for number, flush in enumerate(coverage.flushes)
        if bisect.bisect_right(starts, flush.end) > bisect.bisect_left(ends, flush.start)
    }
    chosen = set(sorted(touched)[:most])
    for number in range(len(coverage.flushes) - 1, -1, -1):
        if len(chosen) >= most:
            break
        chosen.add(number)
    return [coverage.flushes[number] for number in sorted(chosen)]
