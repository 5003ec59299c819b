"""Draws the coverage as a page: the flushes of each topic-partition over its offsets, with missing and repeated ones in red."""

from __future__ import annotations

import datetime
import html
from collections.abc import Sequence

from kafka2parquet.audit.coverage import Audit, Coverage, Finding, FlushRange
from kafka2parquet.audit.report import verdict
from kafka2parquet.units import Shard

_WIDTH, _HEIGHT = 1000, 22
#: Flushes that would be narrower are merged.
_LEAST_PIXELS = 1.0
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1120px; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.35rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
.verdict { padding: .6rem .9rem; border-radius: 6px; font-weight: 600; }
.exact { background: #e2f3e6; color: #14532d; } .wrong { background: #fde4e4; color: #8f1414; }
svg { display: block; width: 100%; height: auto; margin: .25rem 0; } text { font: 11px system-ui, sans-serif; fill: #52606d; }
.facts { color: #52606d; } ul { margin: .3rem 0 0; padding-left: 1.2rem; color: #8f1414; }
.key span { display: inline-block; width: .9em; height: .9em; margin: 0 .35em 0 1em; border-radius: 2px; vertical-align: -1px; }
"""


def page(title: str, audit: Audit, *, deep: bool, shard: Shard | None = None) -> str:
    """Return a self-contained HTML page."""
    state = "exact" if audit.is_exact else "wrong"
    parts = [
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>',
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="verdict {state}">{html.escape(verdict(audit, deep=deep, shard=shard))}</p>',
        '<p class="key">The first bar shows a partition&#8217;s offsets, the second the times at which flushes were opened.'
        '<span style="background:#3b7dd8"></span>flush<span style="background:#7fb0ef"></span>the next one'
        '<span style="background:#d92626"></span>missing or repeated'
        '<span style="background:#1c2733"></span>committed offset</p>',
        _list((*audit.strays, *audit.merged)),
        *(_partition(coverage) for coverage in audit.coverages),
        "</html>\n",
    ]
    return "\n".join(parts)


def _partition(coverage: Coverage) -> str:
    committed = "none" if coverage.committed is None else f"{coverage.committed:,}"
    return (
        f"<h2>{html.escape(str(coverage.topic_partition))}</h2>"
        f'<div class="facts">{coverage.rows:,} rows, {coverage.files:,} files, {len(coverage.flushes):,} flushes, '
        f"committed offset {committed}</div>{_by_offset(coverage)}{_by_time(coverage.flushes)}"
        f"{_list(coverage.findings)}"
    )


def _list(findings: Sequence[Finding]) -> str:
    items = "".join(f"<li>{html.escape(finding.kind.value)}: {html.escape(finding.text)}</li>" for finding in findings)
    return f"<ul>{items}</ul>" if items else ""


def _by_offset(coverage: Coverage) -> str:
    start, end = coverage.start, max(coverage.end, coverage.committed or 0)
    scale = _WIDTH / max(1, end - start)
    marks = [_bar(x, width, shade) for x, width, shade in _merged(coverage.flushes, start, scale)]
    for finding in coverage.findings:
        if finding.end > finding.start:
            x = (finding.start - start) * scale
            marks.append(_rectangle(x, max(2.0, (finding.end - finding.start) * scale), "#d92626", html.escape(finding.text)))
    if coverage.committed is not None:
        x = min(_WIDTH - 2.0, max(0.0, (coverage.committed - start) * scale))
        marks.append(_rectangle(x, 2.0, "#1c2733", f"committed offset {coverage.committed:,}"))
    return _drawing("".join(marks), f"{start:,}", f"{end:,}")


def _merged(flushes: Sequence[FlushRange], start: int, scale: float) -> list[tuple[float, float, int]]:
    bars: list[tuple[float, float, int]] = []
    for number, flush in enumerate(flushes):
        x, width = (flush.start - start) * scale, (flush.end - flush.start) * scale
        if bars and width < _LEAST_PIXELS and x <= bars[-1][0] + bars[-1][1] + 0.01:
            bars[-1] = (bars[-1][0], x + width - bars[-1][0], bars[-1][2])
        else:
            bars.append((x, width, number % 2))
    return bars


def _by_time(flushes: Sequence[FlushRange]) -> str:
    """Draw the times at which flushes were opened, so that pauses are visible."""
    if not flushes:
        return ""
    times = sorted(flush.opened_at_ms for flush in flushes)
    scale = (_WIDTH - 2) / max(1, times[-1] - times[0])
    places = sorted({round((time - times[0]) * scale) for time in times})
    return _drawing("".join(_bar(x, 2.0, 0) for x in places), _moment(times[0]), _moment(times[-1]))


def _bar(x: float, width: float, shade: int) -> str:
    return _rectangle(x, width, ("#3b7dd8", "#7fb0ef")[shade], "")


def _rectangle(x: float, width: float, color: str, title: str) -> str:
    inner = f"<title>{title}</title>" if title else ""
    return f'<rect x="{x:.1f}" y="0" width="{max(width, 0.5):.1f}" height="{_HEIGHT}" fill="{color}">{inner}</rect>'


def _drawing(marks: str, left: str, right: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 16}" role="img"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#eef1f4"/>'
        f'{marks}<text x="0" y="{_HEIGHT + 13}">{left}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 13}" text-anchor="end">{right}</text></svg>'
    )


def _moment(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
