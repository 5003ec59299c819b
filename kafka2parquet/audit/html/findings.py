"""Draws the findings of an audit by kind, each kind with its meaning and its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from kafka2parquet.audit.coverage import Audit, Finding, Kind
from kafka2parquet.audit.html.elements import element, fold, table
from kafka2parquet.util.display import counted

#: Findings of a kind that are always visible. The others are folded.
_MOST_VISIBLE = 12

_PUT_BACK = "Put the file back from a backup, or restore the object's older version if the bucket keeps versions."
_WRITE_AGAIN = (
    "If Kafka still has the records, write them again: `kafka2parquet run` with `--from`, `--to` and another `topics.dir`."
)
#: What each kind means, and what to do.
EXPLANATIONS: Mapping[Kind, tuple[str, str]] = {
    Kind.GAP: (
        "These offsets are in no file, although the sink has gone past them. Their records are lost, or they had only records "
        "that make no rows: rejects, tombstones, markers of transactions.",
        f"Run the audit with `--deep`. It reads the log, and says which of the offsets have records. {_WRITE_AGAIN}",
    ),
    Kind.MISSING_RECORDS: (
        "These records are in the log, and in no file. A reject that was neither quarantined nor written counts too, because "
        "the log doesn't say that a record was rejected.",
        f"Look for the offsets in the dead-letter topic and in the log of the sink: rejected records are there. {_WRITE_AGAIN}",
    ),
    Kind.OVERLAP: (
        "These offsets are in two flushes, so queries count their records twice.",
        "Compare the files: `kafka2parquet files --json` says which group wrote each of them, and when. Move the copy, or the "
        "files of the other group, out of the folder.",
    ),
    Kind.REPEATED_RECORDS: (
        "These rows are in the files more often than the records are in the log.",
        "A file was copied or changed after it was published. Move the copy out of the folder, or put the original back.",
    ),
    Kind.MISSING_FILE: ("A file that a flush lists does not exist.", f"{_PUT_BACK} {_WRITE_AGAIN}"),
    Kind.WRONG_ROWS: (
        "A file and the flush that it belongs to disagree about the number of rows. Files are never changed after they are "
        "published, so another program has replaced one of them.",
        _PUT_BACK,
    ),
    Kind.UNLISTED_FILE: (
        "A file belongs to a flush whose first file, the anchor, does not exist or does not list it.",
        f"The anchor was moved, deleted or replaced. {_PUT_BACK}",
    ),
    Kind.DAMAGED_FOOTER: (
        "The footer of a file can't be read, so its rows count as missing.",
        _PUT_BACK,
    ),
    Kind.FOREIGN_FILE: (
        "A file has a name of this sink, but was not written for this topic-partition: by another program, for another topic, "
        "or for an earlier topic of the same name.",
        "Move the file out of the folder. After a topic was deleted and created again, give the sink another `topics.dir`.",
    ),
    Kind.STRAY_FILE: (
        "A Parquet file in a topic's folder has a name that this sink would not give. The sink never looks at it, but queries "
        "over the folder read it.",
        "Move the file out of the folder.",
    ),
    Kind.REFUSED_FILE: (
        "A table refuses a file, because a column or a partition doesn't fit.",
        "Change the table, or start a new one.",
    ),
}


def findings_section(audit: Audit) -> Element:
    """Draw all findings, in the order in which people should look at them."""
    by_kind: dict[Kind, list[tuple[str, Finding]]] = {kind: [] for kind in EXPLANATIONS}
    for where, finding in _all(audit):
        by_kind[finding.kind].append((where, finding))
    found = [_kind(kind, findings) for kind, findings in by_kind.items() if findings]
    nothing = element("p", "None: nothing is missing, and nothing is there twice.", class_="none")
    return element("section", element("h2", "Findings", id="findings"), found or nothing, aria_labelledby="findings")


def _all(audit: Audit) -> Iterator[tuple[str, Finding]]:
    for coverage in audit.coverages:
        yield from ((str(coverage.topic_partition), finding) for finding in coverage.findings)
    yield from (("folder of a topic", finding) for finding in audit.strays)
    yield from (("merged files", finding) for finding in audit.merged)


def _kind(kind: Kind, findings: list[tuple[str, Finding]]) -> Element:
    meaning, cure = EXPLANATIONS[kind]
    name = kind.value.capitalize()
    shown, folded = findings[:_MOST_VISIBLE], findings[_MOST_VISIBLE:]
    return element(
        "section",
        element("h3", f"{name} ", element("span", counted(len(findings), "finding"), class_="count"), id=_id(kind)),
        element("p", _with_code(meaning)),
        element("p", element("strong", "What to do: "), _with_code(cure), class_="cure"),
        _table(shown, name),
        fold(f"{len(folded):,} more", _table(folded, f"{name}, continued"), class_="printed") if folded else None,
        class_="finding",
        aria_labelledby=_id(kind),
    )


def _id(kind: Kind) -> str:
    return kind.value.replace(" ", "-")


def _table(findings: list[tuple[str, Finding]], label: str) -> Element:
    rows = ((where, _offsets(finding), finding.text) for where, finding in findings)
    return table(("where", "offsets", "what was found"), rows, label=label, class_="findings")


def _offsets(finding: Finding) -> str:
    if finding.start == finding.end:
        return "–"
    return f"[{finding.start:,}, {finding.end:,})"


def _with_code(text: str) -> Iterator[Element | str]:
    """Make elements of the parts between backticks."""
    for number, part in enumerate(text.split("`")):
        yield element("code", part) if number % 2 else part
