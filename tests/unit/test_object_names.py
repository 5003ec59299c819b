"""Names of objects beside each other."""

from __future__ import annotations

import functools
import re
from typing import Any

import attrs
import pytest

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.object_names import ObjectName, ObjectNaming, check_key, view_name, why_impossible
from kafka2parquet.records import View
from kafka2parquet.transforms import RegexRouter, Route, RoutedFolders, TimestampRouter


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
def test_view_name(name: str, view: View | None, expected: str) -> None:
    """The name of the view is inserted before the extension, which counts only at the end."""
    assert expected == view_name(name, view, ".avro")


@pytest.mark.parametrize("view", [None, "keys", "headers"])
def test_key_is_parsed_into_its_parts(view: View | None) -> None:
    """Parsing restores a key's parts, also in a folder that looks like an extension."""
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


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a//b", "an empty segment"),
        ("/a", "an empty segment"),
        ("a/", "an empty segment"),
        ("a/../b", "a segment '.' or '..'"),
        ("a/./b", "a segment '.' or '..'"),
        ("a\0b", "the control character U+0000"),
        ("a\x9bb", "the control character U+009B"),
        ("a\ufffeb", "the control character U+FFFE"),
        ("a/" + "x" * 256, "a segment of 256 bytes, and the limit is 255"),
        ("/".join(["x" * 99] * 11), "1099 bytes, and the limit is 1024"),
        ("a/\udc80", "half a surrogate pair"),
    ],
)
def test_a_key_that_no_object_can_have(key: str, reason: str) -> None:
    """The reason says what is wrong with the key, and the error shows the key escaped."""
    assert reason in (why_impossible(key) or "")
    with pytest.raises(ConfigurationError, match=r"^No object can have the key '.*") as raised:
        check_key(key)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize("key", ["a", "a/b=..c/d", "a/.../b", "a b/ü+%2F\\'\"*?", "a/" + "x" * 255, "\u202e", "_/.x"])
def test_a_key_that_objects_can_have(key: str) -> None:
    """Dots, signs and letters of all languages are allowed in a key."""
    assert why_impossible(key) is None


def test_the_prefix_of_the_storage_counts() -> None:
    """The prefix counts, because stores limit whole keys."""
    key = "/".join(["x" * 99] * 10)
    assert why_impossible(key, most_bytes=999) is None
    assert why_impossible(key, most_bytes=998) == "it has 999 bytes, and the limit is 998"


@pytest.mark.parametrize("topics_dir", ["/data", "a//b", "a/../b", "a\nb", "a/", "x" * 300])
def test_a_folder_that_makes_all_keys_impossible(topics_dir: str) -> None:
    """Settings that make all keys impossible are refused before anything is read."""
    with pytest.raises(ConfigurationError, match=r"topics\.dir"):
        ObjectNaming(topics_dir=topics_dir)


@pytest.mark.parametrize(
    ("naming", "topic", "is_refused"),
    [
        (ObjectNaming(), "_kafka2parquet", True),
        (ObjectNaming(topics_dir=""), "_kafka2parquet", True),
        (ObjectNaming(directory_delimiter="."), "_kafka2parquet", True),
        (ObjectNaming(directory_delimiter="."), "_kafka2parquet.orders", True),
        (ObjectNaming(), "_kafka2parquet.orders", False),
        (ObjectNaming(), "_kafka2parquet2", False),
        (ObjectNaming(), "__consumer_offsets", False),
        (ObjectNaming(topics_dir="_kafka2parquet"), "orders", False),
        (ObjectNaming(), "_KAFKA2PARQUET", False),
    ],
)
def test_topics_in_the_folder_of_the_librarys_own_files_are_refused(naming: Any, topic: str, is_refused: bool) -> None:
    """A topic is refused if its files would lie among schemas and rejected records."""
    if is_refused:
        with pytest.raises(ConfigurationError, match=re.escape(f"Topic {topic} can't be written: its folder")):
            naming.check_topic(topic)
        return
    naming.check_topic(topic)
    assert naming.parse(naming.key(topic, 0, "partition=0", 7)) is not None


LONG_TOPIC = "t" * 249


def test_topic_whose_files_can_have_no_names() -> None:
    """A file system has names of at most 255 bytes; where names have no such limit, the topic is written."""
    with pytest.raises(ConfigurationError, match=r"Topic t+ can't be written: .* a segment of 286 bytes, and the limit is 255"):
        ObjectNaming().check_topic(LONG_TOPIC)
    in_a_bucket = functools.partial(why_impossible, most_segment_bytes=None)
    ObjectNaming().check_topic(LONG_TOPIC, why=in_a_bucket)
    assert ObjectNaming().why_no_folder(LONG_TOPIC, "c=" + "x" * 300, why=in_a_bucket) is None
    assert ObjectNaming().why_no_folder(LONG_TOPIC, "c=" + "x" * 600, why=in_a_bucket)


def test_names_of_views_count_only_where_they_are_written() -> None:
    """Names of views, which are a little longer, count only if views are written."""
    topic = "t" * 218
    assert ObjectNaming().why_no_folder(topic, "partition=0") is None
    ObjectNaming().check_topic(topic)
    assert "the limit is 255" in (ObjectNaming().why_no_folder(topic, "partition=0", view="headers") or "")


@pytest.mark.parametrize(
    ("folder", "is_possible"),
    [
        ("c=x/t+0+0000000000.snappy.parquet", False),
        ("t+12+7.zstd.parquet/c=x", False),
        ("t+0+0000000000.keys.snappy.parquet", False),
        ("c=t+0+0000000000.snappy.parquet", True),
        ("c=x/t2+0+0000000000.snappy.parquet", True),
        ("c=x/t+", True),
    ],
)
def test_folder_called_like_a_file(folder: str, is_possible: bool) -> None:
    """A folder with the name of a file is refused, because a path can't be both."""
    assert is_possible == (ObjectNaming().why_no_folder("t", folder) is None)


class TestRenamedTopics:
    """Topics whose folder has another name, while file names keep the name in the log."""

    NAMING = ObjectNaming(topic_folders=RoutedFolders([Route(RegexRouter("raw-(.*)", "lake/$1"))]))

    def test_keys(self) -> None:
        """Keys are in the renamed folder, also for topics that keep their names."""
        assert "topics/lake/a/n=1/raw-a+3+0000000007.snappy.parquet" == self.NAMING.key("raw-a", 3, "n=1", 7)
        assert "topics/b/n=1/b+3+0000000007.snappy.parquet" == self.NAMING.key("b", 3, "n=1", 7)
        assert "topics/_kafka2parquet/raw-a/quarantine/" == self.NAMING.quarantine_prefix("raw-a")
        assert ("topics/lake/a", "topics") == (self.NAMING.place("raw-a"), self.NAMING.place("b"))

    @pytest.mark.parametrize("topic", ["raw-a", "b", "raw-raw-a-1"])
    @pytest.mark.parametrize("view", [None, "keys", "headers"])
    @pytest.mark.parametrize("folder", ["n=1", "n=1/m=2", "lake/a", "raw-a/partition=0"])
    @pytest.mark.parametrize("file_delimiter", ["+", "-", "__", "x1"])
    def test_parse(self, topic: str, view: View | None, folder: str, file_delimiter: str) -> None:
        """Parsing a key restores its parts, whatever is between the parts of the file's name."""
        naming = attrs.evolve(self.NAMING, file_delimiter=file_delimiter)
        assert ObjectName(topic, 3, folder, 7, view) == naming.parse(naming.key(topic, 3, folder, 7, view=view))

    def test_parse_rejects(self) -> None:
        """Files of rejects have the same place as without renamed topics."""
        assert ObjectName("raw-a", 3, None, 7) == self.NAMING.parse(self.NAMING.quarantine_key("raw-a", 3, 7))

    @pytest.mark.parametrize(
        "key",
        [
            "topics/raw-a/n=1/raw-a+3+0000000007.snappy.parquet",
            "topics/lake/b/n=1/raw-a+3+0000000007.snappy.parquet",
            "topics/lake/a/raw-a+3+0000000007.snappy.parquet",
            "topics/lake/a/n=1/raw-a+3.snappy.parquet",
            "other/lake/a/n=1/raw-a+3+0000000007.snappy.parquet",
        ],
    )
    def test_files_of_others(self, key: str) -> None:
        """A file in another folder doesn't belong to the topic."""
        assert self.NAMING.parse(key) is None

    @pytest.mark.parametrize(("directory", "file"), [("_", "+"), ("-.", "+"), ("+", "+"), ("a+", "+")])
    def test_ambiguous_delimiters(self, directory: str, file: str) -> None:
        """Delimiters that make file names ambiguous are refused."""
        with pytest.raises(ConfigurationError, match=r"directory\.delim=.*: to rename topics, it needs a character"):
            attrs.evolve(self.NAMING, directory_delimiter=directory, file_delimiter=file)

    def test_fingerprint(self) -> None:
        """The fingerprint contains the folders, and is unchanged for topics that keep their names."""
        assert "topics|/|+|10|snappy" == ObjectNaming().fingerprint
        assert ObjectNaming().fingerprint != self.NAMING.fingerprint

    @pytest.mark.parametrize(("folder", "reason"), [("", "an empty segment"), ("a/../b", "a segment '.' or '..'")])
    def test_impossible_folders(self, folder: str, reason: str) -> None:
        """The error has both names of the topic."""
        naming = ObjectNaming(topic_folders=RoutedFolders([Route(RegexRouter(".*", folder))]))
        with pytest.raises(ConfigurationError, match=rf"Topic t, which is renamed to '{re.escape(folder)}', can't .*{reason}"):
            naming.check_topic("t")

    def test_own_folder(self) -> None:
        """A topic's files are refused in the library's own folder."""
        naming = ObjectNaming(topic_folders=RoutedFolders([Route(RegexRouter(".*", "_kafka2parquet"))]))
        with pytest.raises(ConfigurationError, match="is reserved for this library's own files"):
            naming.check_topic("t")


class TestFoldersByTime:
    """Topics whose folder names begin with a fixed part and end with a part from each record."""

    @staticmethod
    def naming(topic_format: str = "${topic}-${timestamp}", **settings: Any) -> ObjectNaming:
        return ObjectNaming(topic_folders=RoutedFolders([Route(TimestampRouter(topic_format))]), **settings)

    def test_keys(self) -> None:
        """The encoded partition begins with the variable part of the folder's name."""
        naming = self.naming()
        folder = naming.outer_folder("a", "a-20260131") + "n=1"
        assert "20260131/n=1" == folder
        assert "topics/a-20260131/n=1/a+3+0000000007.snappy.parquet" == naming.key("a", 3, folder, 7)
        assert ("topics/a-", "topics/a-*") == (naming.prefix("a"), naming.place("a"))
        assert "topics/_kafka2parquet/a/quarantine/" == naming.quarantine_prefix("a")

    def test_one_folder_has_no_rest(self) -> None:
        """A topic with one folder adds nothing to encoded partitions, whatever the transforms do."""
        naming = self.naming("lake/${topic}")
        assert "" == ObjectNaming().outer_folder("a", "b") == naming.outer_folder("a", "b")
        assert ("topics/lake/a/", "topics/lake/a") == (naming.prefix("a"), naming.place("a"))

    @pytest.mark.parametrize("topic", ["orders", "orders-eu", "orders-20260131"])
    @pytest.mark.parametrize("topic_format", ["${topic}-${timestamp}", "${topic}${timestamp}", "x/${timestamp}/${topic}"])
    @pytest.mark.parametrize("folder", ["20260131/n=1", "20260131/n=1/m=2", "/n=1", "-eu-20260131/partition=0"])
    @pytest.mark.parametrize("view", [None, "keys"])
    @pytest.mark.parametrize("file_delimiter", ["+", "-", "x1"])
    def test_parse(self, topic: str, topic_format: str, folder: str, view: View | None, file_delimiter: str) -> None:
        """Parsing restores the parts of a key."""
        naming = self.naming(topic_format, file_delimiter=file_delimiter)
        assert ObjectName(topic, 3, folder, 7, view) == naming.parse(naming.key(topic, 3, folder, 7, view=view))
        assert ObjectName(topic, 3, None, 7) == naming.parse(naming.quarantine_key(topic, 3, 7))

    @pytest.mark.parametrize(
        ("key", "topic"),
        [
            ("topics/orders-eu-20260131/n=1/orders-eu+3+0000000007.snappy.parquet", "orders-eu"),
            ("topics/orders-eu/n=1/orders-eu+3+0000000007.snappy.parquet", None),
            ("topics/orders-20260131/n=1/users+3+0000000007.snappy.parquet", None),
            ("topics/orders/n=1/orders+3+0000000007.snappy.parquet", None),
        ],
    )
    def test_files_of_others(self, key: str, topic: str | None) -> None:
        """Files that only share the prefix of a topic don't belong to the topic."""
        name = self.naming().parse(key)
        assert topic == (name.topic if name is not None else None)

    @pytest.mark.parametrize("topic_format", ["${timestamp}-${topic}", "_${timestamp}", "_kafka2parquet${timestamp}"])
    def test_folders_that_may_be_those_of_the_librarys_own_files(self, topic_format: str) -> None:
        """Such folders are refused, because a listing of the topic would contain the library's own files."""
        message = r"Topic t, which is renamed to '.*\*', can't .* begin with 'topics/.*', like the keys .* or \${topic}, before"
        with pytest.raises(ConfigurationError, match=message):
            self.naming(topic_format).check_topic("t")
        self.naming("_kafka2parquet2${timestamp}").check_topic("t")

    @pytest.mark.parametrize("topic_format", ["/${timestamp}", "a/../${timestamp}", "_kafka2parquet/${topic}-${timestamp}"])
    def test_impossible_folders(self, topic_format: str) -> None:
        """Impossible folders are refused as for topics with one folder."""
        with pytest.raises(ConfigurationError, match=r"Topic t, which is renamed to '.*', can't be written"):
            self.naming(topic_format).check_topic("t")

    def test_records_that_have_another_topic(self) -> None:
        """Records with another topic than `topic_folders` says are an error, because a router is missing."""
        with pytest.raises(UsageError, match=r"names of the topic a begin with 'a-', but .* to 'a'\. Give the same routers"):
            self.naming().outer_folder("a", "a")
