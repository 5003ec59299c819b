"""The page of an audit: well-formed, safe, legible, and with the facts of the JSON report."""

from __future__ import annotations

import datetime
import importlib.resources
import itertools
import re
from typing import Any
from xml.etree.ElementTree import Element

import attrs
import pytest

from kafka2parquet.audit.coverage import Audit, Coverage, Finding, FlushRange, Kind, stray
from kafka2parquet.audit.html.findings import EXPLANATIONS
from kafka2parquet.audit.html.page import page
from kafka2parquet.audit.html.summary import Subject
from kafka2parquet.audit.report import to_json, verdict
from kafka2parquet.records import TopicPartition
from kafka2parquet.units import Shard
from tests.support.html_pages import parse_html, text_of, with_class

BEGIN_MS = 1_779_012_000_000
SUBJECT = Subject(
    "orders-to-s3",
    "orders",
    "connect-orders-to-s3",
    "s3://lake/topics/",
    datetime.datetime(2026, 5, 18, 16, 2, 11, tzinfo=datetime.timezone.utc),
)
HOSTILE = "</style></td><script>alert(1)</script>&lt;b&gt;<img src=x onerror='alert(1)'>\"'\x1b[31m\u202e"


def flushes(count: int, *, start: int = 0, offsets: int = 1000) -> tuple[FlushRange, ...]:
    return tuple(
        FlushRange(
            start + number * offsets,
            start + (number + 1) * offsets,
            offsets - number % 7,
            1 + number % 3,
            BEGIN_MS + number * 3_600_000,
            ("schedule", "rows", "stop")[number % 3],
            (),
        )
        for number in range(count)
    )


def coverage(partition: int, count: int = 5, *findings: Finding, topic: str = "orders", gone: int = 0) -> Coverage:
    found = flushes(count, start=partition * 100)
    return Coverage(TopicPartition(topic, partition), found[-1].end, found, sum(f.files for f in found), findings, gone)


def one_of_each_kind() -> Audit:
    """An audit with a finding of each kind, with merged files, and with a partition without files and offsets."""
    findings = [Finding(kind, 1000, 2000, f"{kind.value} of a/b.parquet") for kind in Kind]
    return Audit(
        (
            coverage(0),
            coverage(1, 5, *findings),
            coverage(2, 5, gone=3),
            Coverage(TopicPartition("orders", 3), None, (), 0, ()),
            Coverage(TopicPartition("orders", 4), 70, (), 0, ()),
        ),
        (stray("topics/orders/x.parquet", None),),
        (Finding(Kind.STRAY_FILE, 0, 0, "topics-merged/orders/x.parquet is in no plan"),),
        4,
    )


AUDITS = {
    "exact": Audit((coverage(0), coverage(1))),
    "one of each kind": one_of_each_kind(),
    "many partitions": Audit(
        tuple(coverage(number, 60, *([Finding(Kind.GAP, 5, 9, "gap")] * 30 * (number % 50 == 7))) for number in range(200))
    ),
    "nothing": Audit(),
}


@pytest.fixture(params=AUDITS, scope="module")
def audit(request: pytest.FixtureRequest) -> Audit:
    return AUDITS[request.param]


@pytest.fixture(scope="module")
def text(audit: Audit) -> str:
    """The page of the audit."""
    return page(SUBJECT, audit, deep=False)


@pytest.fixture(scope="module")
def root(text: str) -> Element:
    """The parsed page of the audit."""
    return parse_html(text)


def cells(table: Element) -> list[list[str]]:
    return [[text_of(cell) for cell in row] for row in table.iterfind("./tbody/tr")]


def labelled(root: Element, label: str) -> Element:
    (found,) = (each for each in root.iter() if each.get("aria-label") == label)
    return found


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_page_is_well_formed_and_loads_nothing(text: str, root: Element) -> None:
    """Tags are nested, ids are unique and references have targets; no script, and nothing from elsewhere."""
    assert text.startswith("<!doctype html>\n<html ")
    assert ("en", ["head", "body"]) == (root.get("lang"), [each.tag for each in root])
    ids = [each.get("id") for each in root.iter() if each.get("id") is not None]
    assert sorted(set(ids), key=str) == sorted(ids, key=str)
    assert set() == {each.get("aria-labelledby") for each in root.iter() if each.get("aria-labelledby")} - {*ids}
    assert set() == {"script", "link", "img", "iframe", "object", "a", "form"} & {each.tag for each in root.iter()}
    assert set() == {name for each in root.iter() for name in each.attrib if name in ("src", "href") or name.startswith("on")}
    assert ["url(#hatch)"] == re.findall(r"url\([^)]*\)", text)
    assert "@import" not in text


def test_headings_and_tables_are_accessible(root: Element) -> None:
    """One heading is the verdict, no level is left out, tables have headings of columns and rows, and drawings have labels."""
    levels = [int(each.tag[1]) for each in root.iter() if re.fullmatch("h[1-6]", each.tag)]

    assert (1, 1) == (levels[0], levels.count(1))
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for table in root.iter("table"):
        assert {"col"} == {each.get("scope") for each in table.iterfind("./thead/tr/th")}
        assert {"row"} == {row[0].get("scope") for row in table.iterfind("./tbody/tr")}
    assert all(each.get("aria-hidden") == "true" or each.get("aria-label") for each in root.iter("svg"))


def test_the_verdict_and_what_was_checked_come_first() -> None:
    """The heading is the verdict of the other reports; what, when and how follow, before any finding."""
    audit = one_of_each_kind()
    root = parse_html(page(SUBJECT, audit, deep=False))
    (heading,) = root.iter("h1")
    facts = {text_of(each[0]): text_of(each[1]) for each in next(with_class(root, "facts"))}

    assert verdict(audit, deep=False) == text_of(heading)
    assert {
        "Checked": "2026-05-18 16:02:11 UTC",
        "Topics": "orders",
        "Files": "s3://lake/topics/",
        "Consumer group": "connect-orders-to-s3",
        "Compared": "names and footers of all files with the committed offsets",
    }.items() <= facts.items()
    sections = [each.get("aria-labelledby") for each in root.iterfind("./body/main/section")]
    assert ["findings", "coverage", "partitions", "flushes", "meaning"] == sections


def test_a_comparison_with_the_log_says_how_much_was_compared() -> None:
    """A page of a deep audit says which ranges were compared, and of which shard."""
    subject = attrs.evolve(SUBJECT, units=(12, 36))
    root = parse_html(page(subject, AUDITS["exact"], deep=True, shard=Shard(0, 3)))
    facts = {text_of(each[0]): text_of(each[1]) for each in next(with_class(root, "facts"))}

    assert "12 of 36, shard 0/3" == facts["Ranges compared with the log"]
    assert "rows of the files" in facts["Compared"]
    assert "of which shard 0/3 was compared with the log" in text_of(next(root.iter("h1")))


def test_the_page_says_what_the_verdict_means() -> None:
    """An audit by footers proves less than a comparison with the log, and the page claims no more than that."""
    by_footers, by_rows = (
        text_of(next(each for each in root.iter("section") if each.get("aria-labelledby") == "meaning"))
        for root in (parse_html(page(SUBJECT, AUDITS["exact"], deep=deep)) for deep in (False, True))
    )

    assert "This audit is exact:" in by_footers
    assert (True, False) == ("No rows were read." in by_footers, "No rows were read." in by_rows)
    assert (False, True) == tuple("In the ranges that were compared" in each for each in (by_footers, by_rows))
    assert "If it were, then:" in page(SUBJECT, one_of_each_kind(), deep=False)


def test_files_of_another_tool() -> None:
    """The page counts older files of another tool, and doesn't claim that there is no other Parquet file."""
    found = parse_html(page(SUBJECT, Audit((attrs.evolve(coverage(0), history_files=1200),)), deep=False))
    said = text_of(found)

    assert "1,200" in text_of(next(with_class(found, "sums")))
    assert "There is no other Parquet file" not in said
    assert "Those are history, and their rows are not audited." in said


def test_only_files_of_another_tool() -> None:
    """Before the sink's first file, the page says what the verdict says, and nowhere that the audit is exact."""
    audit = Audit((Coverage(TopicPartition("orders", 0), 70, (), 0, (), 0, 2),))
    found = parse_html(page(SUBJECT, audit, deep=False))
    (heading,) = found.iter("h1")
    (body,) = found.iter("body")

    assert ("empty", verdict(audit, deep=False)) == (heading.get("class"), text_of(heading))
    assert "exact" not in text_of(body).lower()


def test_the_page_has_the_facts_of_the_json_report(audit: Audit, root: Element) -> None:
    """Numbers of partitions, flushes and findings are those of the JSON report."""
    report = to_json(audit, deep=False)

    assert report["verdict"] == text_of(next(root.iter("h1")))
    _check_partitions(root, report)
    _check_findings(root, report)
    for part in report["partitions"]:
        if not part["flushes"]:
            continue
        rows = cells(labelled(root, f"Flushes of {part['topic']}-{part['partition']}")[0])
        shown = [
            {
                "start": number(row[0]),
                "end": number(row[1]),
                "rows": number(row[2]),
                "files": number(row[3]),
                "opened_at_ms": datetime.datetime.fromisoformat(f"{row[4]}+00:00").timestamp() * 1000,
                "reason": row[5],
            }
            for row in rows
        ]
        assert part["flushes"][-50:] == shown[-50:]
        assert len(shown) == len(part["flushes"]) or len(shown) == 50


def _check_partitions(root: Element, report: dict[str, Any]) -> None:
    sums = {text_of(each[0]): number(text_of(each[1])) for each in next(with_class(root, "sums"))}
    partitions = report["partitions"]
    assert sum(part["rows"] for part in partitions) == sums["rows"]
    assert sum(part["files"] for part in partitions) == sums["files"]
    assert report["merged_files"] == sums.get("merged files", 0)
    if not partitions:
        return
    (section,) = (each for each in root.iter("section") if each.get("aria-labelledby") == "partitions")
    columns = [text_of(each) for each in section.iterfind(".//thead/tr/th")]
    (table,) = section.iter("table")
    for part, row in zip(partitions, cells(table), strict=True):
        named = dict(zip(columns, row, strict=True))
        assert f"{part['topic']}-{part['partition']}" == named["topic-partition"]
        assert "none" if part["committed"] is None else f"{part['committed']:,}" == named["committed offset"]
        names = {"start": "first offset", "end": "end offset", "files": "files", "rows": "rows"}
        assert {name: part[name] for name in names} == {name: number(named[column]) for name, column in names.items()}
        assert len(part["flushes"]) == number(named["flushes"])
        assert part["covered_files"] == number(named.get("merged and deleted files", "0"))
        assert f"{len(part['findings'])}".replace("0", "none", not part["findings"]) == named["findings"]


def _check_findings(root: Element, report: dict[str, Any]) -> None:
    expected = [
        (f"{part['topic']}-{part['partition']}", finding) for part in report["partitions"] for finding in part["findings"]
    ]
    expected += [("folder of a topic", finding) for finding in report["strays"]]
    expected += [("merged files", finding) for finding in report["merged"]]
    shown = [
        (section[0].get("id"), *row)
        for section in with_class(root, "finding")
        for table in section.iter("table")
        for row in cells(table)
    ]
    assert sorted(
        (
            each["kind"].replace(" ", "-"),
            where,
            f"[{each['start']:,}, {each['end']:,})" if each["end"] > each["start"] else "–",
            each["text"],
        )
        for where, each in expected
    ) == sorted(shown)


def test_each_kind_of_finding_has_a_meaning_and_a_cure() -> None:
    """The page says what each kind of finding means, and what to do."""
    root = parse_html(page(SUBJECT, one_of_each_kind(), deep=False))
    sections = [*with_class(root, "finding")]

    assert {*Kind} == {*EXPLANATIONS}
    assert [kind.value.replace(" ", "-") for kind in EXPLANATIONS] == [section[0].get("id") for section in sections]
    cures = [text_of(next(with_class(section, "cure"))) for section in sections]
    assert [f"What to do: {cure.replace('`', '')}" for _, cure in EXPLANATIONS.values()] == cures


def test_nothing_from_outside_is_read_as_html() -> None:
    """Keys, names and footers with tags, quotes and control characters are texts; the elements of the page stay the same."""
    plain, hostile = (
        page(
            Subject(text, text, text, text, SUBJECT.checked_at),
            Audit(
                (
                    Coverage(
                        TopicPartition(text, 0),
                        1000,
                        (attrs.evolve(flushes(1)[0], reason=text),),
                        1,
                        tuple(Finding(kind, 0, 9, text) for kind in Kind),
                    ),
                ),
                (stray(text, None),),
                (Finding(Kind.FOREIGN_FILE, 0, 0, text),),
            ),
            deep=False,
        )
        for text in ("name", HOSTILE)
    )
    shown = HOSTILE.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
    plain_root, hostile_root = parse_html(plain), parse_html(hostile)
    assert [each.tag for each in plain_root.iter()] == [each.tag for each in hostile_root.iter()]
    assert shown in text_of(next(root for root in hostile_root.iter("title")))
    described = [(each.text or "").replace("name", shown, 1) for each in plain_root.iter("td") if each.text == "name"]
    assert described == [each.text for each in hostile_root.iter("td") if each.text == shown]
    assert set() == {"\x1b", "\u202e"} & {*hostile}


def test_no_secret_is_in_the_page() -> None:
    """Credentials in URLs, and secrets that the caller knows, are hidden wherever they stand."""
    text = "https://user:hunter22@proxy/x and ${key}"
    subject = attrs.evolve(SUBJECT, place="s3://user:hunter22@lake/topics", sink="of s3cr3t-value")
    audit = Audit((coverage(0, 5, Finding(Kind.GAP, 0, 9, f"{text} s3cr3t-value")),), (stray(text, None),), ())

    assert "hunter22" not in page(subject, audit, deep=False)
    drawn = page(
        subject, audit, deep=False, hide=lambda each: each.replace("s3cr3t-value", "[hidden]").replace("hunter22", "[hidden]")
    )
    assert 0 == drawn.count("s3cr3t-value") + drawn.count("hunter22")


def bars(root: Element, class_: str) -> list[tuple[float, float]]:
    """Returns the left edges and widths of the bars of a class in the section of the coverage, in shares of the width."""
    (section,) = (each for each in root.iter("section") if each.get("aria-labelledby") == "coverage")
    paths = "".join(each.get("d", "") for drawn in with_class(section, "bar") for each in with_class(drawn, class_))
    return [(float(x) / 600, float(width) / 600) for x, width in re.findall(r"M([\d.]+) \d+h([\d.]+)", paths)]


def test_the_picture_shows_flushes_gaps_and_duplicates_where_they_are() -> None:
    """Bars are at their share of the offsets; two neighbouring flushes differ, and a gap has no flush."""
    found = flushes(10)
    gap, overlap = Finding(Kind.GAP, 2000, 3000, "a gap"), Finding(Kind.OVERLAP, 5000, 5500, "twice")
    partition = Coverage(TopicPartition("orders", 0), 8000, (*found[:2], *found[3:]), 12, (gap, overlap), 0)
    root = parse_html(page(SUBJECT, Audit((partition,)), deep=False))

    assert [(0.2, 0.1)] == bars(root, "nowhere")
    assert [(0.5, 0.05)] == bars(root, "twice")
    assert [0.0, 0.3, 0.5, 0.7, 0.9] == [left for left, _ in bars(root, "flush0")]
    assert [0.1, 0.4, 0.6, 0.8] == [left for left, _ in bars(root, "flush1")]
    ((left, _),) = bars(root, "committed")
    assert 0.8 == pytest.approx(left, abs=0.005)


def test_the_picture_stays_small() -> None:
    """A hundred thousand flushes make a few hundred bars that cover all offsets, and even the smallest finding is visible."""
    gap = Finding(Kind.GAP, 50_000_000, 50_000_001, "a gap")
    partition = Coverage(TopicPartition("orders", 0), 100_000_000, flushes(100_000), 100_000, (gap,), 0)
    text = page(SUBJECT, Audit((partition,)), deep=False)
    root = parse_html(text)
    drawn = sorted([*bars(root, "flush0"), *bars(root, "flush1")])

    assert 100 < len(drawn) <= 300
    assert 1.0 == pytest.approx(sum(width for _, width in drawn), abs=0.02)
    assert bars(root, "nowhere")[0][1] > 0.005
    assert len(text) < 3_000_000


def test_flushes_that_are_left_out_are_counted() -> None:
    """Where there are too many flushes, the newest ones and those that a finding touches are listed, and the others counted."""
    gap = Finding(Kind.GAP, 3000, 3000 + 1, "a gap")
    audit = Audit(tuple(coverage(0, 40, gap, topic=f"topic-{number}") for number in range(600)))
    root = parse_html(page(SUBJECT, audit, deep=False))
    region = labelled(root, "Flushes of topic-7-0")
    starts = [number(row[0]) for row in cells(region[0])]

    assert [2000, 3000, *range(22_000, 40_000, 1000)] == starts
    assert any(
        text_of(each).startswith("20 of 40 flushes are left out here: the oldest ones without findings.")
        for each in root.iter("p")
    )


def test_a_damaged_time_is_shown() -> None:
    """A time that no calendar has doesn't end the audit."""
    found = attrs.evolve(flushes(1)[0], opened_at_ms=10**18)
    audit = Audit((Coverage(TopicPartition("orders", 0), 1000, (found,), 1, ()),))
    assert "1000000000000000000 ms" in page(SUBJECT, audit, deep=False)


def themes() -> dict[str, dict[str, str]]:
    """The colours of the light theme and of the dark one."""
    style = importlib.resources.files("kafka2parquet.audit.html").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]*)\}", style))
    return {"light": light, "dark": dark}


def luminance(color: str) -> float:
    """The relative luminance of the Web Content Accessibility Guidelines."""
    shares = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrasts_are_those_of_level_aa(theme: str) -> None:
    """Texts have a contrast of 4.5 to what is behind them, and bars of 3, in both themes."""
    colors = themes()[theme]
    pairs = [(text, ground, 4.5) for text in ("text", "muted", "wrong") for ground in ("ground", "panel")]
    pairs += [(name, f"{name}-ground", 4.5) for name in ("exact", "wrong", "empty")]
    pairs += [(name, "ground", 3.0) for name in ("flush0", "flush1", "nowhere", "twice", "other", "text")]

    for front, behind, least in pairs:
        darker, lighter = sorted((luminance(colors[front]), luminance(colors[behind])))
        assert (lighter + 0.05) / (darker + 0.05) >= least, (front, behind)
