"""The text in the committed offset's metadata."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.delivery.commit_metadata import MAX_CHARACTERS, Breadcrumb, Identity, Intent, _summed, parse, short_hash
from kafka2parquet.errors import UnknownMetadataError
from kafka2parquet.records import TopicPartition

PARTITION = TopicPartition("events", 3)
IDENTITY = Identity("cluster-a", "Zm9vYmFyYmF6cXV4MTIzNA", "0a1b2c3d")


def intent(anchor: str | None = "topics/events/year=2026/events+3+0000000100.snappy.parquet") -> Intent:
    return Intent(IDENTITY, trusted=True, end=200, rows=90, opened_at_ms=1_790_000_000_000, anchor=anchor)


def test_an_intent_is_read_back_as_it_was_written() -> None:
    """Parsing restores the intent that was formatted."""
    assert intent() == parse(intent().format(), PARTITION, "cluster-a")


def test_a_breadcrumb_is_read_back_as_it_was_written() -> None:
    """Parsing restores the breadcrumb that was formatted."""
    breadcrumb = Breadcrumb(IDENTITY, trusted=False, start=100, rows=90)
    assert breadcrumb == parse(breadcrumb.format(), PARTITION, "cluster-a")


@given(st.text(min_size=1, max_size=400).filter(lambda text: not text.isspace()))
def test_any_key_fits_and_stays_ascii(key: str) -> None:
    """Whatever a folder is called, the metadata is printable ASCII of at most 300 characters."""
    text = intent(key.encode("utf-8", "replace").decode()).format()
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= MAX_CHARACTERS


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_a_key_with_any_characters_is_read_back(key: str) -> None:
    """Percent-encoding keeps every key unchanged."""
    found = parse(intent("k" + key).format(), PARTITION, "cluster-a")
    assert isinstance(found, Intent)
    assert "k" + key == found.anchor


def test_a_long_key_is_replaced_by_its_hash() -> None:
    """A key that doesn't fit into the metadata is still recognised by its hash."""
    key = "x" * 400
    found = parse(intent(key).format(), PARTITION, "cluster-a")
    assert isinstance(found, Intent)
    assert (None, short_hash(key)) == (found.anchor, found.anchor_hash)


@pytest.mark.parametrize("text", ["", "something else", "{}"])
def test_metadata_of_another_tool_is_ignored(text: str) -> None:
    """Another tool's metadata is not an error; the task then looks for published files."""
    assert parse(text, PARTITION, "cluster-a") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("k2p9 i whatever", "another version"),
        ("k2p1 c 0a1b2c3d t - - 1 2", "another version"),
        ("k2p2", "damaged"),
        (_summed(["k2p2", "x", "0a1b2c3d", "t", "-", "-", "-", "1", "2"]), "damaged"),
        (_summed(["k2p2", "c", "0a1b2c3d", "t", "-", "-", "-", "1"]), "damaged"),
        (_summed(["k2p2", "c", "0a1b2c3d", "y", "-", "-", "-", "1", "2"]), "damaged"),
        (_summed(["k2p2", "c", "0a1b2c3d", "t", "-", "-", "-", "-1", "2"]), "damaged"),
        (_summed(["k2p2", "c", "0a1b2c3d", "t", "-", "-", "-", "9223372036854775808", "2"]), "damaged"),
        (_summed(["k2p2", "c", "0a1b2c3d", "t", "-", "-", "%ff", "1", "2"]), "damaged"),
        (intent().format().replace(" 200 ", " 201 "), "damaged"),
    ],
)
def test_metadata_that_cannot_be_understood_is_an_error(text: str, what: str) -> None:
    """Unknown metadata is never guessed; the message names the partition and the remedy."""
    with pytest.raises(UnknownMetadataError, match=rf"events-3.*{what}.*Kafka's tools|events-3.*{what}.*newer"):
        parse(text, PARTITION, "cluster-a")


def test_metadata_of_another_cluster_is_an_error() -> None:
    """Metadata of another cluster is refused, because copied offsets may mean other records."""
    with pytest.raises(UnknownMetadataError, match="another Kafka cluster"):
        parse(intent().format(), PARTITION, "cluster-b")


@given(st.booleans(), st.integers(0, 300), st.integers(0, 127))
def test_metadata_that_was_cut_off_or_changed_is_refused(is_intent: bool, place: int, code: int) -> None:
    """The checksum at the end of the metadata covers all of its text."""
    text = (intent() if is_intent else Breadcrumb(IDENTITY, trusted=True, start=100, rows=90)).format()
    place = min(place, len(text) - 1)
    for damaged in (text[:place], text[:place] + chr(code) + text[place + 1 :]):
        if damaged != text and damaged.startswith("k2p"):
            with pytest.raises(UnknownMetadataError):
                parse(damaged, PARTITION, "cluster-a")


@pytest.mark.parametrize(
    ("place", "is_kept"), [("s3://bucket/topics", True), ("s3://user:password@host/topics", False), ("x" * 200, False)]
)
def test_a_breadcrumb_says_where_its_sink_writes(place: str, is_kept: bool) -> None:
    """A short place without a password is written in full; a different place is recognised in any case."""
    identity = attrs.evolve(IDENTITY, place=place)
    text = Breadcrumb(identity, trusted=True, start=100, rows=90).format()
    found = parse(text, PARTITION, "cluster-a")
    assert found is not None
    assert is_kept is (found.identity.place == place)
    assert "password" not in text
    assert not identity.writes_elsewhere(found.identity)
    assert attrs.evolve(identity, place="elsewhere").writes_elsewhere(found.identity)
