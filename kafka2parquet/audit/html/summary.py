"""Draws the beginning of the page, what was checked and how, and the end of the page, what the verdict means."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import attrs

from kafka2parquet.audit.coverage import Audit
from kafka2parquet.audit.html.elements import Child, element
from kafka2parquet.audit.report import verdict
from kafka2parquet.units import Shard
from kafka2parquet.version import VERSION

_FOLLOWS_BY_FOOTERS = "Each flush begins at the offset where the flush before it ends, up to the committed offset."
_FOLLOWS_IN_THE_LOG = (
    "Each flush begins at the offset where the flush before it ends, up to the committed offset. Offsets between two flushes "
    "have no record with a value: they are tombstones or markers of transactions."
)
_EACH_FILE_EXISTS = "Each file that a flush lists exists, and its footer has the number of rows that the flush lists."
_NO_OTHER_FILE = "There is no other Parquet file in the folders of the topics, except the files of a Delta table."
_ONLY_HISTORY = (
    "Other Parquet files in the folders of the topics are those of a Delta table, and files of another tool that by their "
    "names and rows end before the first offset of this sink's files. Those are history, and their rows are not audited."
)
_ROWS_ARE_RECORDS = (
    "In the ranges that were compared, the rows of each flush are the records that the log has at its offsets, each of them "
    "once. Offsets are compared if the files have a column of offsets, otherwise numbers of rows. A tombstone may have a row "
    "or not. Records that Kafka has deleted are not compared."
)
_NOT_EXAMINED = "Records at and after the committed offset are not examined: they are not yet in committed files."


@attrs.frozen
class Subject:
    """What an audit was about.

    Attributes:
        sink: name of the sink.
        topics: the audited topics, or the pattern that they match.
        group_id: the consumer group whose committed offsets were used.
        place: URL of the files, without credentials.
        checked_at: when the audit began.
        units: how many units of a comparison with the log were done, and how many there are; None without a comparison.
    """

    sink: str
    topics: str
    group_id: str
    place: str
    checked_at: datetime.datetime
    units: tuple[int, int] | None = None


def header(subject: Subject, audit: Audit, *, deep: bool, shard: Shard | None) -> Element:
    """Draw the verdict, what was checked, and the sums."""
    text = verdict(audit, deep=deep, shard=shard)
    word, _, rest = text.partition(":")
    return element(
        "header",
        element("p", f"kafka2parquet audit of {subject.sink}", class_="kicker"),
        element("h1", element("span", word, class_="word"), f":{rest}", class_=state(audit)),
        element("dl", [_pair(name, *value) for name, value in _facts(subject, deep=deep, shard=shard)], class_="facts"),
        element("dl", [_pair(name, f"{number:,}") for name, number in _sums(audit)], class_="sums"),
    )


def state(audit: Audit) -> str:
    """Return the class of an audit's verdict: `exact`, `wrong`, or `empty` if the sink has no files yet."""
    if not audit.is_exact:
        return "wrong"
    has_files = any(coverage.files or coverage.covered_files for coverage in audit.coverages)
    return "empty" if not audit.coverages or (audit.history_files and not has_files) else "exact"


def meaning_section(audit: Audit, *, deep: bool) -> Element | None:
    """Say what the verdict means; None if there was nothing to audit."""
    if state(audit) == "empty":
        return None
    follows = _FOLLOWS_IN_THE_LOG if deep else _FOLLOWS_BY_FOOTERS
    no_other_file = _ONLY_HISTORY if audit.history_files else _NO_OTHER_FILE
    proved = [follows, _EACH_FILE_EXISTS, no_other_file, *((_ROWS_ARE_RECORDS,) if deep else ())]
    return element(
        "section",
        element("h2", "What an exact audit proves", id="meaning"),
        element("p", "This audit is exact:" if audit.is_exact else "This audit is not exact. If it were, then:"),
        element("ul", [element("li", each) for each in proved]),
        element("p", _NOT_EXAMINED),
        None if deep else element("p", "No rows were read. ", element("code", "--deep"), " compares them with the log."),
        aria_labelledby="meaning",
    )


def _facts(subject: Subject, *, deep: bool, shard: Shard | None) -> Iterator[tuple[str, tuple[Child, ...]]]:
    yield "Checked", (_time(subject.checked_at),)
    yield "Topics", (subject.topics,)
    yield "Files", (subject.place,)
    yield "Consumer group", (subject.group_id,)
    if not deep:
        yield "Compared", ("names and footers of all files with the committed offsets",)
    else:
        yield "Compared", ("names, footers and rows of the files with the committed offsets and the log",)
        done, planned = subject.units or (0, 0)
        share = "" if shard is None else f", shard {shard}"
        yield "Ranges compared with the log", (f"{done:,} of {planned:,}{share}",)
    yield "Version", (f"kafka2parquet {VERSION}",)


def _sums(audit: Audit) -> Iterator[tuple[str, int]]:
    yield "findings", audit.findings
    yield "rows", sum(coverage.rows for coverage in audit.coverages)
    yield "files", sum(coverage.files for coverage in audit.coverages)
    yield "flushes", sum(len(coverage.flushes) for coverage in audit.coverages)
    yield "topic-partitions", len(audit.coverages)
    gone = sum(coverage.covered_files for coverage in audit.coverages)
    if audit.merged_files or gone:
        yield "merged files", audit.merged_files
        yield "files that were merged and deleted", gone
    if audit.history_files:
        yield "older files of another tool", audit.history_files


def _time(moment: datetime.datetime) -> Element:
    utc = moment.astimezone(datetime.timezone.utc)
    return element("time", f"{utc:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")


def _pair(name: str, *value: Child) -> Element:
    return element("div", element("dt", name), element("dd", *value))
