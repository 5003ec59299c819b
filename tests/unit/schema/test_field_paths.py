"""Field paths are joined and checked."""

from __future__ import annotations

import pytest

from kafka2parquet.schema.field_paths import is_path, join_path


@pytest.mark.parametrize(("path", "joined"), [("", "age"), ("user", "user.age"), ("items[]", "items[].age")])
def test_the_path_of_a_member_begins_with_that_around_it(path: str, joined: str) -> None:
    """A member's path begins with the path around it, and a column's path is its name."""
    assert joined == join_path(path, "age")


@pytest.mark.parametrize(
    ("path", "expected"), [("user", True), ("user.age", True), ("", False), (".age", False), ("user. ", False)]
)
def test_each_part_of_a_path_is_a_name(path: str, expected: bool) -> None:
    """Each part of a path is a name, and blanks are not names."""
    assert expected == is_path(path)
