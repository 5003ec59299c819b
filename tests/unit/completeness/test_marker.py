"""The content and the names of markers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafka2parquet.completeness import MarkedFile, Marker
from kafka2parquet.completeness.marker import marker_name, marker_number

FILES = (
    MarkedFile("b", "values", 1, 2, 7, 9, 100, 200),
    MarkedFile("a", "values", 0, 3, 0, 2, 50, 150),
    MarkedFile("a.keys", "keys", 0, 3, 0, 2, 50, 150),
    MarkedFile("empty", "values", 0, 0, -1, -1, None, None),
)


def test_names_of_markers() -> None:
    """The first marker has no number, and names of other files are not markers'."""
    assert ["_SUCCESS", "_SUCCESS-1", "_SUCCESS-12"] == [marker_name(number) for number in (0, 1, 12)]
    assert [0, 1, 12] == [marker_number(marker_name(number)) for number in (0, 1, 12)]
    assert {None} == {marker_number(name) for name in ("_SUCCESS-0", "_SUCCESS-01", "_SUCCESS-x", "_SUCCESS.crc", "x_SUCCESS")}


def test_content_depends_on_the_files_alone() -> None:
    """The order in which a process saw the files doesn't matter, and what is written can be read."""
    one = Marker("events", "id", "topics/events/h", 0, FILES)
    other = Marker("events", "id", "topics/events/h", 0, FILES[::-1])
    assert one.to_bytes() == other.to_bytes() == Marker.from_bytes(one.to_bytes()).to_bytes()
    assert {*FILES} == {*Marker.from_bytes(one.to_bytes()).files}


def test_marker_of_the_documentation() -> None:
    """The marker that the page shows is one that is written."""
    page = (Path(__file__).parents[3] / "docs" / "complete-hours.md").read_text(encoding="utf-8")
    marker = Marker.from_bytes(page.partition("```json\n")[2].partition("```")[0].encode())
    assert ("orders", 600, 1) == (marker.topic, marker.rows, len(marker.files))


def test_numbers_count_each_row_once() -> None:
    """Files of keys and files without rows are listed, and don't count."""
    marker = Marker("events", "id", "topics/events/h", 0, FILES)
    found = json.loads(marker.to_bytes())
    assert (5, 5, 2, 50, 200) == (marker.rows, *(found[name] for name in ("rows", "files", "min_time_ms", "max_time_ms")))
    assert [(0, 3, 0, 2), (1, 2, 7, 9)] == [
        (each["partition"], each["rows"], each["first_offset"], each["last_offset"]) for each in found["partitions"]
    ]
    assert ["empty", "a", "a.keys", "b"] == [each["name"] for each in found["listed"]]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"version": 1', b'"version": 2', "its version 2 is unknown"),
        (b'"rows": 5', b'"rows": 6', "its numbers don't add up"),
        (b'"topic": "events"', b'"topic": 3', "TypeError"),
        (b'"role": "keys"', b'"role": "other"', "'role' must be in"),
        (b'"number": 0', b'"numbers": 0', "KeyError: 'number'"),
        (b'"name": "a"', b'"names": "a"', "TypeError"),
        (b"{", b"", "JSONDecodeError|Expecting|Extra data"),
        (b"events", b"\xff", "UnicodeDecodeError|codec"),
    ],
)
def test_damaged_content(old: bytes, new: bytes, reason: str) -> None:
    """Content that is damaged, edited or of another tool is refused with the reason."""
    content = Marker("events", "id", "topics/events/h", 0, FILES).to_bytes()
    assert old in content
    with pytest.raises(ValueError, match=reason):
        Marker.from_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"null", b'{"version": 1}'])
def test_content_of_other_tools(content: bytes) -> None:
    """Whatever another tool put under the name of a marker is refused."""
    with pytest.raises(ValueError):
        Marker.from_bytes(content)
