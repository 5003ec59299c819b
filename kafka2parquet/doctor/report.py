"""Writes findings for people and for programs."""

from __future__ import annotations

import collections
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kafka2parquet.doctor.check import Finding, Level
from kafka2parquet.doctor.table import group_of
from kafka2parquet.util.display import amount, counted

#: The version of the form that `as_json` writes. A change that a reader could trip over gets another number.
JSON_VERSION = 1

_SIGNS = {Level.OK: "√", Level.WARNING: "‼", Level.FAILED: "×", Level.SKIPPED: "-"}
_WIDTH = 100
_INDENT = "    "
#: As many subjects that passed one check have a line each.
_MOST_LINES = 4


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the lines of the findings as soon as they are there, with a heading before each group.

    Checks that were skipped one after the other for one reason share a line. So do many subjects that passed one check, or for
    which a check found one cause.
    """
    heading = ""
    for alike in _runs(findings):
        title = group_of(alike[0].check).title
        if title != heading:
            yield f"{chr(10) if heading else ''}{title}\n{'-' * len(title)}"
            heading = title
        if alike[0].level is Level.SKIPPED:
            yield _skipped(alike)
        elif len(alike) <= _MOST_LINES:
            yield from (line for finding in alike for line in _of_one(finding))
        elif alike[0].level is Level.OK:
            yield _passed(alike)
        else:
            yield from (line for finding in alike[: _MOST_LINES - 1] for line in _of_one(finding))
            yield _rest(alike[_MOST_LINES - 1 :])


def _runs(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    """Yield runs of findings that may share a line. A run ends before the first finding that is different."""
    run: list[Finding] = []
    for finding in findings:
        if run and not _may_share(run[0], finding):
            yield run
            run = []
        run.append(finding)
    if run:
        yield run


def _may_share(first: Finding, second: Finding) -> bool:
    if first.level is not second.level or group_of(first.check) is not group_of(second.check):
        return False
    if first.level is Level.SKIPPED:
        return first.text == second.text
    return (first.check, first.cause) == (second.check, second.cause)


def _of_one(finding: Finding) -> Iterator[str]:
    detail = f" - {finding.text}" if finding.level is Level.OK and finding.text else ""
    yield f"{_SIGNS[finding.level]} {_titled(finding)}{detail}"
    if finding.level is not Level.OK:
        yield from _wrapped(finding.text)
        yield from _wrapped(finding.cure)
        yield from (f"{_INDENT}{_INDENT}{line}" for line in finding.paste.splitlines())
        yield f"{_INDENT}See {finding.check.id} on the page Doctor of the documentation"


def _passed(findings: Sequence[Finding]) -> str:
    """Return the line of many subjects that passed one check, which names the first ones."""
    named = ", ".join(finding.subject for finding in findings[: _MOST_LINES - 1])
    more = len(findings) - _MOST_LINES + 1
    return f"{_SIGNS[Level.OK]} {findings[0].check.title} ({named} and {amount(more)} more)"


def _rest(findings: Sequence[Finding]) -> str:
    """Return the line of further subjects with one cause."""
    first = findings[0]
    return f"{_SIGNS[first.level]} {first.check.title} ({amount(len(findings))} more with the same cause; --json lists them)"


def _skipped(findings: Sequence[Finding]) -> str:
    titles = dict.fromkeys(_titled(finding) for finding in findings)
    return f"{_SIGNS[Level.SKIPPED]} Not checked, because {findings[0].text}: {', '.join(titles)}"


def _titled(finding: Finding) -> str:
    return f"{finding.check.title} ({finding.subject})" if finding.subject else finding.check.title


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
