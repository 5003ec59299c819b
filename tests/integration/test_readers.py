"""What query engines read in files of every type; docs/compatibility.md has the table.

The heavy readers run with `make test-all`, which also writes the table. Light ones always run, and compare theirs with it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from tests.readers import connect_zoo
from tests.readers.avro_zoo import AVRO_ZOO, ZooRegistry
from tests.readers.connect_zoo import CONNECT_ZOO
from tests.readers.files import COLUMN, ZooFiles, write_files
from tests.readers.light import LIGHT, Column, NotReadError
from tests.readers.table import (
    OTHER_VALUES,
    PAGE,
    REFUSED,
    SAME,
    Chapter,
    cell,
    cells_of,
    differences,
    light_cells,
    markdown,
    read_part,
    with_part,
)
from tests.readers.zoo import ZooType

CHAPTERS = (
    Chapter("connect-own", CONNECT_ZOO, "own"),
    Chapter("avro-own", AVRO_ZOO, "own"),
    Chapter("connect-connect", CONNECT_ZOO, "connect"),
    Chapter("avro-connect", AVRO_ZOO, "connect"),
)
BY_NAME = {chapter.name: chapter for chapter in CHAPTERS}
OWN = [chapter.name for chapter in CHAPTERS if chapter.types == "own"]
VERSIONS = ("pyarrow", "duckdb", "polars", "pyspark")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ZooFiles]:
    """Makes the files of each chapter."""
    found = {}
    for chapter in CHAPTERS:
        folder = tmp_path_factory.mktemp(chapter.name)
        if chapter.zoo is CONNECT_ZOO:
            found[chapter.name] = write_files(CONNECT_ZOO, JsonEnvelopeConverter(), connect_zoo.message, chapter.types, folder)
        else:
            registry = ZooRegistry()
            mapping = AvroMapping(logical_types="arrow" if chapter.types == "own" else "connect")
            converter = AvroConverter(registry, mapping=mapping)
            found[chapter.name] = write_files(AVRO_ZOO, converter, registry.message, chapter.types, folder)
    return found


@pytest.mark.parametrize("name", BY_NAME)
def test_the_table_is_what_readers_make_of_the_types(files: Mapping[str, ZooFiles], name: str) -> None:
    """The table agrees with the light readers; cells of heavy readers are from the last `make test-all`."""
    table = read_part(PAGE.read_text(encoding="utf-8"), name)
    light = light_cells(BY_NAME[name], files[name])
    merged = {title: {**cells, **light.get(title, {})} for title, cells in cells_of(table).items()}
    assert markdown(BY_NAME[name], files[name], merged) == table


@pytest.mark.parametrize("name", BY_NAME)
def test_no_reader_finds_other_values(name: str) -> None:
    """A reader may not support a type, but the values that it reads are right."""
    cells = cells_of(read_part(PAGE.read_text(encoding="utf-8"), name))
    assert {} == {title: found for title, found in cells.items() if OTHER_VALUES in found.values()}


@pytest.mark.parametrize("name", OWN)
def test_all_readers_agree_on_own_types(name: str) -> None:
    """Every reader reads every type of the library."""
    cells = cells_of(read_part(PAGE.read_text(encoding="utf-8"), name))
    assert {SAME} == {each for found in cells.values() for each in found.values()}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("reader", LIGHT)
def test_all_types_in_one_file(files: Mapping[str, ZooFiles], name: str, reader: str) -> None:
    """Every reader reads a file with all types, and nulls everywhere."""
    chapter, written = BY_NAME[name], files[name]
    assert [] == differences(chapter.zoo, chapter.types, written, LIGHT[reader](written.wide))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((1, None), SAME),
        ((1.0, None), "as `number`"),
        ((None, 1), OTHER_VALUES),
        ((2, None), OTHER_VALUES),
    ],
)
def test_cells(values: tuple[Any, ...], found: str) -> None:
    """The comparison distinguishes a value of another type from another value."""
    integers = ZooType("integer", "int", (1, None))
    assert found == cell(integers, "own", {COLUMN: Column("number", values)})
    assert REFUSED == cell(integers, "own", NotReadError("no"))


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_heavy_readers_and_the_page(files: Mapping[str, ZooFiles], tmp_path: Path) -> None:
    """Spark and parquet-java read all files; the tables of the page are written again."""
    from tests.readers.heavy import HEAVY, parquet_version

    paths = [path for written in files.values() for path in (*written.paths.values(), written.wide)]
    heavy: dict[str, Mapping[Path, Any]] = {}
    for reader, read in HEAVY.items():
        (tmp_path / reader).mkdir()
        heavy[reader] = read(paths, tmp_path / reader)

    page = PAGE.read_text(encoding="utf-8")
    for name, chapter in BY_NAME.items():
        cells = light_cells(chapter, files[name])
        for each in chapter.zoo:
            for reader, found in heavy.items():
                cells[each.title][reader] = cell(each, chapter.types, found[files[name].paths[each.title]])
        page = with_part(page, name, markdown(chapter, files[name], cells))
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in VERSIONS)
    PAGE.write_text(with_part(page, "versions", f"{versions}, parquet-java {parquet_version()}.\n"), encoding="utf-8")

    for name in OWN:
        for reader, found in heavy.items():
            wide = found[files[name].wide]
            assert not isinstance(wide, NotReadError), (reader, wide)
            assert [] == differences(BY_NAME[name].zoo, "own", files[name], wide), reader
