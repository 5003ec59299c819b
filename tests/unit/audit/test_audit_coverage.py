"""What an audit makes of footers and a committed offset."""

from __future__ import annotations

from kafka2parquet.audit.coverage import Audit, Coverage, Kind, coverage, stray
from kafka2parquet.audit.report import table, to_json, verdict
from kafka2parquet.parquet.footer import FlushFooter, Sibling
from kafka2parquet.records import TopicPartition

PARTITION = TopicPartition("events", 0)


def footer(
    start: int, end: int, *, siblings: tuple[Sibling, ...] | None = (), rows: int | None = None, **changes: object
) -> FlushFooter:
    values = {
        "cluster_id": "c",
        "topic_id": "t",
        "topic": "events",
        "partition": 0,
        "start": start,
        "end": end,
        "flush_rows": end - start,
        "file_rows": end - start - sum(sibling.rows for sibling in siblings or ()) if rows is None else rows,
        "first_offset": start,
        "last_offset": end - 1,
        "fingerprint": "f",
        "opened_at_ms": 1_779_012_000_000 + start,
        "reason": "rows",
        "siblings": siblings,
        **changes,
    }
    return FlushFooter(**values)  # type: ignore[arg-type]


def judge(footers: dict[str, FlushFooter | None], committed: int | None) -> Coverage:
    return coverage(PARTITION, footers, committed)


def kinds(found: Coverage) -> list[Kind]:
    return [finding.kind for finding in found.findings]


def test_flushes_that_follow_each_other_are_exact() -> None:
    """Coverage is exact from the first file to the committed offset."""
    siblings = (Sibling("b2", 4, 1),)
    found = judge({"a": footer(0, 10), "b": footer(10, 20, siblings=siblings), "b2": footer(10, 20, siblings=None, rows=4)}, 20)

    assert [] == kinds(found)
    assert (20, 3, 0, 20) == (found.rows, found.files, found.start, found.end)
    assert verdict(Audit((found,)), deep=False).startswith("EXACT: every offset is covered once; 20 rows in 3 files")


def test_a_gap_is_found() -> None:
    """A gap between flushes, or before the committed offset, is a finding."""
    found = judge({"a": footer(0, 10), "b": footer(15, 20)}, 30)

    assert [(Kind.GAP, 10, 15), (Kind.GAP, 20, 30)] == [(f.kind, f.start, f.end) for f in found.findings]
    assert verdict(Audit((found,)), deep=False).startswith("NOT EXACT: 2 findings")


def test_an_overlap_is_found() -> None:
    """An overlap is a finding with the repeated range of offsets."""
    found = judge({"a": footer(0, 10), "b": footer(7, 20)}, 20)
    assert [(Kind.OVERLAP, 7, 10)] == [(f.kind, f.start, f.end) for f in found.findings]


def test_a_missing_sibling_is_found() -> None:
    """A missing sibling is a finding, unless its flush is just being delivered."""
    footers: dict[str, FlushFooter | None] = {"a": footer(0, 10, siblings=(Sibling("a2", 3, 1),))}

    assert [Kind.MISSING_FILE] == kinds(judge(footers, 10))
    assert [] == kinds(judge(footers, 0))


def test_wrong_counts_are_found() -> None:
    """Wrong counts of a sibling or of a flush are findings."""
    sibling = footer(0, 10, siblings=None, rows=2)
    assert [Kind.WRONG_ROWS] == kinds(judge({"a": footer(0, 10, siblings=(Sibling("a2", 3, 1),)), "a2": sibling}, 10))
    assert [Kind.WRONG_ROWS] == kinds(judge({"a": footer(0, 10, rows=9)}, 10))


def test_files_of_others_are_found() -> None:
    """Foreign files, files of another topic with the same name, and files that no anchor lists are findings."""
    other = footer(0, 10, siblings=None, topic_id="old")
    found = judge({"a": footer(0, 10), "b": footer(10, 20), "x": None, "y": other}, 20)
    assert [Kind.FOREIGN_FILE, Kind.FOREIGN_FILE, Kind.UNLISTED_FILE] == kinds(found)


def test_a_partition_without_files() -> None:
    """A partition without files has no findings."""
    found = judge({}, 5)
    assert Audit((found,)).is_exact
    assert "events-0" in table(Audit((found,)))


def test_reports_agree() -> None:
    """The table and the JSON report have the same findings."""
    found = judge({"a": footer(0, 10), "b": footer(15, 20)}, 20)

    assert "gap: [10, 15) is in no file" in table(Audit((found,)))
    assert [{"kind": "gap", "start": 10, "end": 15}] == [
        {name: finding[name] for name in ("kind", "start", "end")}
        for finding in to_json(Audit((found,)), deep=False)["partitions"][0]["findings"]
    ]


def test_strays_are_findings() -> None:
    """A stray file doesn't belong to a partition; a copy of the sink's file and another program's file have different texts."""
    found = judge({"a": footer(0, 10)}, 10)
    audit = Audit((found,), (stray("topics/events/<a>-copy.parquet", footer(0, 10)), stray("topics/events/x.parquet", None)))

    assert not audit.is_exact
    assert verdict(audit, deep=False).startswith("NOT EXACT: 2 findings; 10 rows in 1 file of 1 topic-partition.")
    *_, copied, foreign = table(audit).splitlines()
    assert copied.startswith(
        "stray file: topics/events/<a>-copy.parquet is a copied or renamed file of events-0, offsets [0, 10)"
    )
    assert foreign.startswith("stray file: topics/events/x.parquet is not a file of this sink")
    assert ["stray file", "stray file"] == [finding["kind"] for finding in to_json(audit, deep=False)["strays"]]
