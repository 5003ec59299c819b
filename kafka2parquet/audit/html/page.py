"""Puts the page of an audit together, as one file without a script that loads nothing."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from xml.etree import ElementTree

import attrs

from kafka2parquet.audit.coverage import Audit, Finding
from kafka2parquet.audit.html.elements import element
from kafka2parquet.audit.html.findings import findings_section
from kafka2parquet.audit.html.picture import coverage_section, hatching
from kafka2parquet.audit.html.summary import Subject, header, meaning_section, state
from kafka2parquet.audit.html.tables import flushes_section, partitions_section
from kafka2parquet.units import Shard
from kafka2parquet.util.secrets import without_credentials

_WORDS = {"exact": "exact", "wrong": "NOT EXACT", "empty": "nothing found"}


def page(
    subject: Subject,
    audit: Audit,
    *,
    deep: bool,
    shard: Shard | None = None,
    hide: Callable[[str], str] = without_credentials,
) -> str:
    """Return the page of an audit as HTML.

    Args:
        subject: what the audit was about.
        audit: the audit.
        deep: whether rows were compared with the log.
        shard: the share of the rows that was compared; None for all.
        hide: hides secrets in a text.
    """
    subject = attrs.evolve(
        subject,
        sink=hide(subject.sink),
        topics=hide(subject.topics),
        group_id=hide(subject.group_id),
        place=hide(subject.place),
    )
    audit = _hidden(audit, hide)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{subject.sink}: {_WORDS[state(audit)]}, audit of {subject.checked_at:%Y-%m-%d}"),
    )
    style = ElementTree.SubElement(head, "style")
    style.text = importlib.resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    main = element(
        "main",
        header(subject, audit, deep=deep, shard=shard),
        findings_section(audit) if state(audit) != "empty" else None,
        coverage_section(audit),
        partitions_section(audit),
        flushes_section(audit),
        meaning_section(audit, deep=deep),
    )
    document = element("html", head, element("body", hatching(), main), lang="en")
    return f"<!doctype html>\n{ElementTree.tostring(document, encoding='unicode', method='html')}\n"


def _hidden(audit: Audit, hide: Callable[[str], str]) -> Audit:
    """Hide secrets in the texts of an audit that come from keys and footers."""

    def clean(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(attrs.evolve(finding, text=hide(finding.text)) for finding in findings)

    coverages = tuple(attrs.evolve(coverage, findings=clean(coverage.findings)) for coverage in audit.coverages)
    return attrs.evolve(audit, coverages=coverages, strays=clean(audit.strays), merged=clean(audit.merged))
