"""Makes tables of what the benchmarks have measured, for the pages that show them.

A page has a remark `<!-- figures: NAME -->` with the table behind it. `python -m tests.docs.figures` writes the tables of all
pages from docs/benchmarks/*.json; a test compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.docs.blocks import DOCS, ROOT

PAGES = (ROOT / "README.md", DOCS / "performance.md")
_TABLE = re.compile(r"(<!-- figures: (\w+) -->)\n+(?:\|.*\n)*\n*")
_PROGRAMS = {
    "floor": "the floor: parse and encode, from memory",
    "consume_only": "the sink's consumer alone",
    "hand_kafka_python": "by hand: kafka-python, `json.loads`, `write_table`",
    "hand_confluent_pyarrow": "by hand: confluent-kafka, `pyarrow.json`",
    "one_task_local": "one task, into a local folder",
    "one_task_s3": "one task, to S3",
    "two_tasks_s3": "two tasks in one process, to S3",
    "one_task_local_avro": "one task, Avro instead of JSON, into a local folder",
}
_SUMMARY = ("hand_kafka_python", "hand_confluent_pyarrow", "one_task_s3")
_LOADS = {
    "user_load": "as many tasks as help, the default",
    "user_load_12_tasks": "twelve tasks, by `kafka2parquet.tasks=12`",
    "user_load_1_task": "one task",
}
_FORMATS = {
    "base": "JSON",
    "avro": "Avro",
    "protobuf": "Protobuf",
    "json_schema": "JSON Schema",
    "envelope": "JSON with schemas",
}
_BAD = {
    "bad": "JSON that is plainly bad",
    "broken": "JSON that is broken inside of its braces",
    "misfit": "JSON with a field of another type",
    "quarantine": "plainly bad JSON, into the quarantine",
    "dead_letters": "plainly bad JSON, to dead letters",
    "avro": "Avro that is cut off or doesn't fit",
    "protobuf": "Protobuf, the same",
    "json_schema": "JSON Schema, the same",
    "envelope": "JSON with schemas, the same",
}
_SHARES = ("0.1%", "1%", "10%")
_SHAPES = {
    "ten_record_batches": "batches of ten records",
    "one_record_batches": "batches of one record",
    "types_20x10": "20 types of events with 10 fields each",
    "new_member_each_5000": "a new field after each 5,000 records",
}


def _programs(names: Iterable[str] = _PROGRAMS) -> str:
    figures = _results()
    rows = [
        (_PROGRAMS[name], f"{each['rows_per_s']:,}", f"{each['cpu_s_per_million']:.1f}", f"{each['peak_rss_mb']:,}")
        for name in names
        for each in [figures[name]]
    ]
    return _table(("2,000,000 records of 260 bytes", "records/s", "CPU-s per million", "MiB resident"), rows)


def _loads() -> str:
    figures = _results()
    rows = [
        (text, f"{each['cores']:.2f}", f"{each['peak_rss_mb']:,}", f"{each['p99_delay_s']:.1f}")
        for name, text in _LOADS.items()
        for each in [figures[name]]
    ]
    return _table(("10,000 records a second", "cores", "MiB resident", "99 % are read after, s"), rows)


def _formats() -> str:
    kinds = _kinds()
    return _table(
        ("format", "CPU-s per million", "MiB resident"),
        [
            (text, f"{kinds[name]['cpu_s_per_million']:.1f}", f"{kinds[name]['peak_rss_mb']:,}")
            for name, text in _FORMATS.items()
        ],
    )


def _bad() -> str:
    kinds = _kinds()
    rows = [(text, *(f"{kinds[f'{name}_{share}']['ratio']:.2f}" for share in _SHARES)) for name, text in _BAD.items()]
    return _table(("bad records", *(share.replace("%", " %") for share in _SHARES)), rows)


def _shapes() -> str:
    kinds = _kinds()
    rows = [(text, f"{kinds[name]['ratio']:.2f}", f"{kinds[name]['peak_rss_mb']:,}") for name, text in _SHAPES.items()]
    return _table(("topic", "ratio", "MiB resident"), rows)


_TABLES: Mapping[str, Callable[[], str]] = {
    "summary": lambda: _programs(_SUMMARY),
    "programs": _programs,
    "loads": _loads,
    "formats": _formats,
    "bad": _bad,
    "shapes": _shapes,
}


def with_figures(text: str) -> str:
    """Returns the text of a page with the tables that the results give."""
    return _TABLE.sub(lambda found: f"{found[1]}\n\n{_TABLES[found[2]]()}\n", text)


def _results() -> dict[str, dict[str, Any]]:
    found = json.loads((DOCS / "benchmarks" / "latest.json").read_text(encoding="utf-8"))
    return {each["name"]: each for each in found}


def _kinds() -> dict[str, dict[str, Any]]:
    return dict(json.loads((DOCS / "benchmarks" / "kinds.json").read_text(encoding="utf-8")))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Returns a table whose numbers are aligned to the right."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _write(page: Path) -> None:
    page.write_text(with_figures(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for each in PAGES:
        _write(each)
