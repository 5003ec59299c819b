"""Draws which offsets of each topic-partition are in files: a bar for each topic-partition, with gaps and duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.etree.ElementTree import Element

from kafka2parquet.audit.coverage import Audit, Coverage, Finding, FlushRange, Kind
from kafka2parquet.audit.html.elements import element, fold, svg
from kafka2parquet.util.display import counted

_WIDTH, _HEIGHT = 600, 20
#: Flushes that would be narrower share a bar.
_LEAST_WIDTH = 2.0
_LEAST_WIDTH_OF_FINDING = 4.0
#: More topic-partitions without findings than this are drawn small, in columns.
_MOST_LARGE = 16
#: More than this are folded.
_MOST_UNFOLDED = 250
_TWICE = frozenset({Kind.OVERLAP, Kind.REPEATED_RECORDS})
_NOWHERE = frozenset({Kind.GAP, Kind.MISSING_RECORDS})
#: Places of the bars: left, top, width, height.
_LEGEND = (
    ("a flush", "flush0", (0, 5, 30, 10)),
    ("the next flush", "flush1", (0, 5, 30, 10)),
    ("in no file", "nowhere", (0, 2, 30, 16)),
    ("in files twice", "twice", (0, 0, 30, 20)),
    ("another finding", "other", (0, 16, 30, 4)),
    ("committed offset", "committed", (13, 0, 4, 20)),
)


def coverage_section(audit: Audit) -> Element | None:
    """Draw the coverage of all topic-partitions, those with findings first; None if there are none."""
    if not audit.coverages:
        return None
    wrong = [coverage for coverage in audit.coverages if coverage.findings]
    good = [coverage for coverage in audit.coverages if not coverage.findings]
    small = len(good) > _MOST_LARGE
    bars = _bars(good, "bars small" if small else "bars")
    if small:
        title = f"{counted(len(good), 'topic-partition')} without findings"
        bars = fold(title, bars, is_open=len(good) <= _MOST_UNFOLDED, class_="printed")
    return element(
        "section",
        element("h2", "Coverage of the offsets", id="coverage"),
        element(
            "p",
            "Each bar runs from the first offset of a topic-partition that is in a file to the last, or to the committed one.",
            class_="muted",
        ),
        element("ul", [_entry(*entry) for entry in _LEGEND], class_="legend"),
        _bars(wrong, "bars") if wrong else None,
        bars if good else None,
        aria_labelledby="coverage",
    )


def hatching() -> Element:
    """Return the definition of the pattern that gaps are filled with. The page needs it once."""
    drawn = svg(0, 0, class_="hidden")
    lines = element("path", class_="hatch", d="M0 8L8 0M-2 2L2 -2M6 10L10 6")
    pattern = element("pattern", lines, id="hatch", width="8", height="8", patternUnits="userSpaceOnUse")
    drawn.append(element("defs", pattern))
    return drawn


def times(flushes: Sequence[FlushRange]) -> Element | None:
    """Draw the times at which flushes were opened, so that pauses are visible. None without flushes."""
    if not flushes:
        return None
    begin = min(flush.opened_at_ms for flush in flushes)
    end = max(flush.opened_at_ms for flush in flushes)
    scale = (_WIDTH - 2) / max(1, end - begin)
    places = sorted({round((flush.opened_at_ms - begin) * scale) for flush in flushes})
    ticks = element("path", class_="flush0", d="".join(_box(x, 5, 2, 10) for x in places))
    return svg(_WIDTH, _HEIGHT, _ground(), ticks, label="Times at which the flushes were opened", class_="bar")


def _bars(coverages: Iterable[Coverage], class_: str) -> Element:
    return element("ol", [_row(coverage) for coverage in coverages], class_=class_)


def _row(coverage: Coverage) -> Element:
    found = counted(len(coverage.findings), "finding") if coverage.findings else "no findings"
    return element(
        "li",
        element("span", str(coverage.topic_partition), class_="name"),
        element("span", found, class_="state"),
        _bar(coverage, found),
        element("span", f"{coverage.start:,}", class_="from"),
        element("span", f"{max(coverage.end, coverage.committed or 0):,}", class_="to"),
        class_="wrong" if coverage.findings else None,
    )


def _bar(coverage: Coverage, found: str) -> Element:
    start, end = coverage.start, max(coverage.end, coverage.committed or 0)
    scale = _WIDTH / max(1, end - start)
    ends = ["", ""]
    for x, width, shade in _merged(coverage.flushes, start, scale):
        ends[shade] += _box(x, 5, width, 10)
    marks = [element("path", class_=f"flush{shade}", d=path) for shade, path in enumerate(ends) if path]
    if coverage.committed is not None:
        x = min(_WIDTH - 3.0, max(0.0, (coverage.committed - start) * scale - 1.5))
        marks.append(element("path", class_="committed", d=_box(x, 0, 3, _HEIGHT)))
    marks += [_finding(finding, start, scale) for finding in coverage.findings if finding.end > finding.start]
    label = f"{coverage.topic_partition}: offsets {start:,} to {end:,}, flushes {len(coverage.flushes):,}, {found}"
    return svg(_WIDTH, _HEIGHT, _ground(), marks, label=label, class_="bar")


def _finding(finding: Finding, start: int, scale: float) -> Element:
    width = max(_LEAST_WIDTH_OF_FINDING, (finding.end - finding.start) * scale)
    x = min(max(0.0, (finding.start - start) * scale), _WIDTH - width)
    title = element("title", f"{finding.kind.value}: {finding.text}")
    if finding.kind in _NOWHERE:
        return element("path", title, class_="nowhere", d=_box(x, 2, width, 16))
    if finding.kind in _TWICE:
        return element("path", title, class_="twice", d=_box(x, 0, width, _HEIGHT))
    return element("path", title, class_="other", d=_box(x, 16, width, 4))


def _merged(flushes: Sequence[FlushRange], start: int, scale: float) -> Iterator[tuple[float, float, int]]:
    """Yield left edge, width and shade of the bars. Adjacent flushes share a bar until it is wide enough to be seen."""
    left = width = 0.0
    shade = 1
    for flush in flushes:
        x, of_flush = (flush.start - start) * scale, (flush.end - flush.start) * scale
        if 0 < width < _LEAST_WIDTH and abs(x - left - width) < 0.01:
            width += of_flush
            continue
        if width:
            yield left, width, shade
        left, width, shade = x, of_flush, 1 - shade
    if width:
        yield left, width, shade


def _ground() -> Element:
    return element("path", class_="ground", d=_box(0, 5, _WIDTH, 10))


def _entry(text: str, class_: str, box: tuple[int, int, int, int]) -> Element:
    return element("li", svg(30, _HEIGHT, element("path", class_=class_, d=_box(*box)), class_="key"), text)


def _box(x: float, y: float, width: float, height: float) -> str:
    """Return the path of a rectangle."""
    wide = f"{max(width, 0.5):.1f}".removesuffix(".0")
    return f"M{f'{x:.1f}'.removesuffix('.0')} {y}h{wide}v{height}h-{wide}z"
