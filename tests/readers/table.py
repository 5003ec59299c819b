"""The table of docs/compatibility.md: what each reader makes of each type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pyarrow.parquet as pq

from tests.readers.files import COLUMN, ZooFiles
from tests.readers.light import LIGHT, Column, Columns, NotReadError
from tests.readers.zoo import Types, ZooType, canonical

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
READERS = ("pyarrow", "DuckDB", "Polars", "Spark", "parquet-java")
SAME, REFUSED, OTHER_VALUES = "same", "can't read the file", "**other values**"

Cells = Mapping[str, Mapping[str, str]]
"""By the title of a type, then by the name of a reader."""


@attrs.frozen
class Chapter:
    """One table.

    Attributes:
        name: of the table's place in the page.
        zoo: its types.
        types: of its files.
    """

    name: str
    zoo: Sequence[ZooType]
    types: Types


def cell(zoo_type: ZooType, types: Types, found: Columns | NotReadError) -> str:
    """What a reader makes of a type."""
    if isinstance(found, NotReadError):
        return REFUSED
    column = found[COLUMN]
    expected = [canonical(value) for value in zoo_type.expected(types)]
    if expected == [canonical(value) for value in column.values]:
        return SAME
    return OTHER_VALUES if _kinds(column.values) == _kinds(zoo_type.expected(types)) else f"as `{column.type}`"


def _kinds(values: Sequence[object]) -> set[tuple[type, object]]:
    """Python's types of the values; a time of the day in UTC is not of that of one without zone."""
    return {(type(value), getattr(value, "tzinfo", None)) for value in values if value is not None}


def light_cells(chapter: Chapter, files: ZooFiles) -> dict[str, dict[str, str]]:
    """The cells of the readers that need no Java."""
    return {
        each.title: {name: cell(each, chapter.types, _columns_or_reason(name, files.paths[each.title])) for name in LIGHT}
        for each in chapter.zoo
    }


def _columns_or_reason(name: str, path: Path) -> Columns | NotReadError:
    try:
        return LIGHT[name](path)
    except NotReadError as reason:
        return reason


def markdown(chapter: Chapter, files: ZooFiles, cells: Cells) -> str:
    """The table as it stands in the page."""
    rows = [
        f"| {each.title} | {_written_as(files.paths[each.title])} | {' | '.join(cells[each.title][name] for name in READERS)} |"
        for each in chapter.zoo
    ]
    head = f"| Type | In Parquet | {' | '.join(READERS)} |"
    return "\n".join((head, "|---" * (len(READERS) + 2) + "|", *rows, ""))


def cells_of(table: str) -> dict[str, dict[str, str]]:
    """The cells of a table."""
    cells = {}
    for line in table.splitlines()[2:]:
        title, _, *found = (part.strip() for part in line.strip("|").split("|"))
        cells[title] = dict(zip(READERS, found, strict=True))
    return cells


def read_part(page: str, name: str) -> str:
    """The text of a place in the page.

    Raises:
        ValueError: the page has no such place.
    """
    found = re.search(_place(name), page, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no place for {name}")
    return found[2]


def with_part(page: str, name: str, text: str) -> str:
    """The page with another text in a place."""
    return re.sub(_place(name), lambda found: f"{found[1]}{text}{found[3]}", page, flags=re.DOTALL)


def _place(name: str) -> str:
    return rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)"


def _written_as(path: Path) -> str:
    """The Parquet type of a file's only column."""
    schema = pq.ParquetFile(path).schema
    (root,) = schema.to_arrow_schema()
    nested = {"list": "LIST", "map": "MAP", "struct": "group"}.get(re.split(r"\W", str(root.type))[0])
    if nested is not None:
        return nested
    column = schema.column(0)
    size = f"({column.length})" if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else ""
    return f"{column.physical_type}{size}{_logical_type(str(column.logical_type))}"


def _logical_type(text: str) -> str:
    """In the words of parquet-format, such as ` TIMESTAMP(MICROS, UTC)`."""
    name, _, arguments = text.rstrip(")").partition("(")
    given = dict(part.split("=") for part in arguments.split(", ")) if arguments else {}
    if name == "None":
        return ""
    if name == "Decimal":
        return f" DECIMAL({given['precision']}, {given['scale']})"
    if name == "Int":
        return f" INT({given['bitWidth']})"
    if name in ("Time", "Timestamp"):
        unit = {"milliseconds": "MILLIS", "microseconds": "MICROS"}[given["timeUnit"]]
        return f" {name.upper()}({unit}, {'UTC' if given['isAdjustedToUTC'] == 'true' else 'local'})"
    return f" {name.upper()}"


def differences(zoo: Sequence[ZooType], types: Types, files: ZooFiles, found: Mapping[str, Column]) -> list[str]:
    """The columns of the wide file that a reader didn't read as they were sent."""
    wrong = []
    for each in zoo:
        values = each.expected(types)
        expected = [canonical(values[row % len(values)]) for row in range(files.rows)]
        column = found[files.columns[each.title]]
        if expected != [canonical(value) for value in column.values]:
            wrong.append(f"{each.title} as {column.type}")
    return wrong
