"""Ranges, and their form as a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet.bounded import Ranges, TopicRange
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import TopicPartition

RANGES = Ranges(
    {
        TopicPartition("orders", 10): TopicRange(5, 5),
        TopicPartition("orders", 2): TopicRange(0, 100, "id"),
        TopicPartition("clicks", 0): TopicRange(7, 9),
    },
    cluster_id="cluster",
    group_id="group",
)


def test_a_file_gives_the_same_ranges() -> None:
    """What is written to a file is read back unchanged."""
    assert RANGES == Ranges.from_json(json.dumps(RANGES.to_json()), "range.json")


def test_the_form_of_a_file() -> None:
    """A file is sorted by topic and partition, so that people can read it."""
    assert {
        "version": 1,
        "group": "group",
        "cluster_id": "cluster",
        "ranges": [
            {"topic": "clicks", "partition": 0, "from": 7, "to": 9},
            {"topic": "orders", "partition": 2, "from": 0, "to": 100, "topic_id": "id"},
            {"topic": "orders", "partition": 10, "from": 5, "to": 5},
        ],
    } == RANGES.to_json()


def line(**changes: Any) -> dict[str, Any]:
    return {"topic": "orders", "partition": 0, "from": 0, "to": 1, **changes}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"version": 2, "ranges": []},
        {"version": 1},
        {"version": 1, "ranges": [line(to=True)]},
        {"version": 1, "ranges": [line(**{"from": 2})]},
        {"version": 1, "ranges": [line(**{"from": -1})]},
        {"version": 1, "ranges": [line(partition="0")]},
        {"version": 1, "ranges": [line(topic=3)]},
        {"version": 1, "ranges": [line(), line()]},
        {"version": 1, "ranges": [{"topic": "orders"}]},
    ],
)
def test_other_files_are_refused(content: Any) -> None:
    """The error names the file, and says where such files come from or which version can be read."""
    with pytest.raises(ConfigurationError, match=r"^range\.json (is not a file of ranges|has version 2)"):
        Ranges.from_json(json.dumps(content), "range.json")


def test_text_that_is_not_json_is_refused() -> None:
    """A file that was cut off is an error of the configuration."""
    with pytest.raises(ConfigurationError, match=r"range\.json is not a file of ranges"):
        Ranges.from_json('{"version": 1, "ran', "range.json")


def test_the_digest_depends_on_ranges_cluster_and_place() -> None:
    """The same ranges to the same place have the same digest, and others have another one."""
    same = Ranges(dict(reversed(list(RANGES.of.items()))), "cluster")
    others = {
        Ranges(RANGES.of, "other").digest("place"),
        Ranges({**RANGES.of, TopicPartition("orders", 11): TopicRange(0, 0)}, "cluster").digest("place"),
        Ranges({**RANGES.of, TopicPartition("orders", 2): TopicRange(0, 99)}, "cluster").digest("place"),
        RANGES.digest("elsewhere"),
    }
    assert RANGES.digest("place") == same.digest("place")
    assert 4 == len(others - {RANGES.digest("place")})


def test_the_number_of_offsets() -> None:
    """The offsets of all ranges are counted."""
    assert 102 == RANGES.offsets
