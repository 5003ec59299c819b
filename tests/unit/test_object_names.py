"""Names of objects beside each other."""

from __future__ import annotations

import pytest

from kafka2parquet.object_names import ObjectNaming, view_name


@pytest.mark.parametrize(
    ("name", "view", "expected"),
    [
        ("x.avro", "keys", "x.keys.avro"),
        ("x", "keys", "x.keys.avro"),
        (".avro", "headers", ".headers.avro"),
        ("fooavrobar.txt", "keys", "fooavrobar.txt.keys.avro"),
        ("sample.file.avro.RawEvent.avro", "keys", "sample.file.avro.RawEvent.keys.avro"),
        ("x.avro", None, "x.avro"),
        ("x", None, "x.avro"),
    ],
)
def test_view_name(name, view, expected):
    """The view stands before the extension, which only counts at the end."""
    assert expected == view_name(name, view, ".avro")


@pytest.mark.parametrize("view", [None, "keys", "headers"])
def test_key_tells_what_it_was_made_of(view):
    """Also in a folder that looks like an extension."""
    naming = ObjectNaming(topics_dir="this.is.snappy.parquet.dir")
    name = naming.parse(naming.key("orders", 3, "a=1/b=x.keys", 42, view=view))
    assert name is not None
    assert ("orders", 3, "a=1/b=x.keys", 42, view) == (
        name.topic,
        name.partition,
        name.encoded_partition,
        name.first_offset,
        name.view,
    )
