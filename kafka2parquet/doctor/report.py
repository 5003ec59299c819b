"""Writes findings for people and for programs."""

from __future__ import annotations

import collections
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kafka2parquet.doctor.check import Finding, Level
from kafka2parquet.doctor.table import group_of
from kafka2parquet.util.figures import counted

#: The version of the form that `as_json` writes. A change that a reader could trip over gets another number.
JSON_VERSION = 1

_SIGNS = {Level.OK: "√", Level.WARNING: "‼", Level.FAILED: "×", Level.SKIPPED: "-"}
_WIDTH = 100
_INDENT = "    "


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the lines of each finding as soon as it is there, with a heading before each group.

    Checks of a group that were skipped one after the other for one reason share a line.
    """
    heading = ""
    skipped: list[Finding] = []
    for finding in findings:
        title = group_of(finding.check).title
        is_same = bool(skipped) and title == heading and (finding.level, finding.text) == (Level.SKIPPED, skipped[0].text)
        if skipped and not is_same:
            yield _skipped(skipped)
            skipped = []
        if title != heading:
            yield f"{chr(10) if heading else ''}{title}\n{'-' * len(title)}"
            heading = title
        if finding.level is Level.SKIPPED:
            skipped.append(finding)
            continue
        yield _line(finding)
        if finding.level is not Level.OK:
            yield from _wrapped(finding.text)
            yield from _wrapped(finding.cure)
            yield from (f"{_INDENT}{_INDENT}{line}" for line in finding.paste.splitlines())
            yield f"{_INDENT}See {finding.page}"
    if skipped:
        yield _skipped(skipped)


def _skipped(findings: Sequence[Finding]) -> str:
    titles = dict.fromkeys(_titled(finding) for finding in findings)
    return f"{_SIGNS[Level.SKIPPED]} Not checked, because {findings[0].text}: {', '.join(titles)}"


def _titled(finding: Finding) -> str:
    return f"{finding.check.title} ({finding.subject})" if finding.subject else finding.check.title


def _line(finding: Finding) -> str:
    detail = f" - {finding.text}" if finding.level is Level.OK and finding.text else ""
    return f"{_SIGNS[finding.level]} {_titled(finding)}{detail}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )


def verdict(findings: Sequence[Finding]) -> str:
    """Return one sentence with the number of findings."""
    counts = collections.Counter(finding.level for finding in findings)
    failed, warnings, skipped = (counts[level] for level in (Level.FAILED, Level.WARNING, Level.SKIPPED))
    parts = [f"{counts[Level.OK]} fine"]
    if warnings:
        parts.append(counted(warnings, "warning"))
    if failed:
        parts.append(f"{failed} failed")
    if skipped:
        parts.append(f"{skipped} not checked")
    return f"{'NOT READY' if failed else 'READY'}: {', '.join(parts)}."


def as_json(name: str, findings: Sequence[Finding], rights: dict[str, Any]) -> dict[str, Any]:
    """Return everything as values that `json.dumps` takes.

    Args:
        name: name of the connector.
        findings: all findings.
        rights: the least rights, as `rights.as_json` returns them.
    """
    return {
        "version": JSON_VERSION,
        "name": name,
        "ready": not any(finding.level is Level.FAILED for finding in findings),
        "verdict": verdict(findings),
        "findings": [
            {
                "check": finding.check.id,
                "group": group_of(finding.check).title,
                "title": finding.check.title,
                "subject": finding.subject,
                "level": finding.level.value,
                "cause": finding.cause,
                "text": finding.text,
                "cure": finding.cure,
                "paste": finding.paste.splitlines(),
                "page": finding.page,
            }
            for finding in findings
        ],
        "rights": rights,
    }
