"""Object keys, named as Kafka Connect's storage sinks name them.

    [topics.dir/]topic/encoded-partition/topic+partition+0000000042.snappy.parquet

The number is the offset of the file's first row. Files of keys and headers are beside the file of values, with `.keys` or
`.headers` before the extension. Everything but data is outside the topics' folders, in `[topics.dir/]_kafka2parquet/`. For
example, rejected records are in `topic/quarantine/` there.

If a configuration renames topics, a topic's folder has the new name. The file names keep the original topic, so that the files
can be found again after a crash. If records are renamed by their timestamps, a topic has several folders. The topic decides how
the names of these folders begin, and the encoded partition starts with the rest:

    [topics.dir/]topic-20260131/encoded-partition/topic+partition+0000000042.snappy.parquet
                       ^ here
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Protocol, get_args

import attrs

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.records import View
from kafka2parquet.util.arguments import Name, OneOf, WholeNumber, checked

if TYPE_CHECKING:  # storage imports the rules for keys from here
    from kafka2parquet.storage.base import Storage

#: The text between the offset and the end of the name, by Parquet codec.
EXTENSIONS = {
    "none": ".parquet",
    "snappy": ".snappy.parquet",
    "gzip": ".gz.parquet",
    "lzo": ".lzo.parquet",
    "brotli": ".br.parquet",
    "lz4": ".lz4.parquet",
    "zstd": ".zstd.parquet",
    "lz4_raw": ".lz4raw.parquet",
}

#: Limits in bytes of UTF-8: S3 and GCS limit a key, file systems limit the name of a file or folder.
MOST_KEY_BYTES = 1024
MOST_SEGMENT_BYTES = 255

#: A function that returns why a store can't have an object with a given key, or None if it can.
WhyImpossible = Callable[[str], str | None]

_QUARANTINE = "quarantine"
#: Larger than nearly all real partitions and offsets, to check that names fit whatever the partition and offset are.
_LARGE_PARTITION = 99_999
_LARGE_OFFSET = 10**15 - 1
#: C0, DEL, C1, and characters that XML can't represent, because S3 lists keys as XML.
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\ufffe\uffff]")
_IN_TOPICS = re.compile("[a-zA-Z0-9._-]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_SHOWN = 200


def why_impossible(
    key: str, *, most_bytes: int = MOST_KEY_BYTES, most_segment_bytes: int | None = MOST_SEGMENT_BYTES
) -> str | None:
    """Return why no store can have an object with this key, or None if it is possible.

    Stores accept different keys. Some resolve `..` as file systems do, so that a key leads to another folder. Others would
    refuse a key only after other files of the same flush are published. So a key that any of these stores can't have is
    refused for all of them. Only the length limits depend on the store.

    Args:
        key: an object's key, or a prefix that ends with a whole segment.
        most_bytes: the bytes that the storage's prefix leaves for the key.
        most_segment_bytes: limit for the name of a file or folder, in bytes; None if the store has no folders.
    """
    if _SURROGATE.search(key):
        return "it has half a surrogate pair, which is not valid text"
    if found := _UNPRINTABLE.search(key):
        return f"it has the control character U+{ord(found[0]):04X}"
    segments = key.split("/")
    if "" in segments:
        return "it has an empty segment: two slashes, or one at its beginning or end"
    if "." in segments or ".." in segments:
        return "it has a segment '.' or '..', which leads to another folder"
    size, longest = len(key.encode()), max(len(segment.encode()) for segment in segments)
    if most_segment_bytes is not None and longest > most_segment_bytes:
        return f"it has a segment of {longest} bytes, and the limit is {most_segment_bytes}"
    if size > most_bytes:
        return f"it has {size} bytes, and the limit is {most_bytes}"
    return None


def why_no_object(storage: Storage) -> WhyImpossible:
    """Return the storage's function that explains why a key is impossible; `why_impossible` if it has none."""
    own: WhyImpossible = getattr(storage, "why_no_object", why_impossible)
    return own


def check_key(key: str, why: WhyImpossible = why_impossible) -> None:
    """Refuse a key that a store can't have, before anything is sent.

    Raises:
        ConfigurationError: the key is impossible. The message quotes the escaped key and the reason.
    """
    if reason := why(key):
        raise ConfigurationError(
            f"No object can have the key {_shown(key)}: {reason}. If the folder comes from a field's value, partition by"
            " another field, or replace the value with a transform. Otherwise check topics.dir and directory.delim."
        )


def check_read_key(key: str) -> None:
    """Refuse to read a key that a store may resolve to a different object.

    Fewer keys are refused than for new objects, because other tools and earlier versions may have created existing objects.

    Raises:
        ConfigurationError: the key is ambiguous. The message quotes the escaped key and the reason.
    """
    segments = key.split("/")
    if "." in segments or ".." in segments or "\0" in key or _SURROGATE.search(key):
        check_key(key)


def _shown(key: str) -> str:
    text = repr(key)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… ({len(key)} characters)"


class TopicFolders(Protocol):
    """Names of the topics' folders. Several topics may share a folder, because their files have different names."""

    def folder(self, topic: str) -> str:
        """Return the name of a topic's folder. The result must always be the same for the same topic.

        If the topic has several folders, returns the common prefix of their names.
        """

    def has_several(self, topic: str) -> bool:
        """Return whether a topic has several folders. Transforms then rename each record to the name of its folder."""

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings that decide the names."""


@attrs.frozen
class ObjectName:
    """The parts of an object's key.

    Attributes:
        topic: topic of the file's records.
        partition: partition of the topic.
        encoded_partition: the file's folder; None for a file of rejected records.
        first_offset: offset of the file's first row.
        view: the part of the records that the file holds; None for values and rejected records.
    """

    topic: str
    partition: int
    encoded_partition: str | None
    first_offset: int
    view: View | None = None


@checked
@attrs.frozen
class ObjectNaming:
    """The rules for naming objects.

    Attributes:
        topics_dir: prefix of all keys; blank for none.
        directory_delimiter: delimiter between directories (`directory.delim`).
        file_delimiter: delimiter between the parts of a file's name (`file.delim`).
        zero_pad_width: number of digits that offsets are padded to. Longer offsets are not cut.
        compression: codec of the files, which decides the extension.
        topic_folders: names of the topics' folders; by default a folder has its topic's name.
    """

    topics_dir: str = "topics"
    directory_delimiter: Name = "/"
    file_delimiter: Name = "+"
    zero_pad_width: WholeNumber = 10
    compression: Annotated[str, OneOf(tuple(EXTENSIONS))] = "snappy"
    topic_folders: TopicFolders | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse settings that would make all keys impossible.

        Raises:
            ConfigurationError: no object can have such keys, or the key of a renamed topic would not show the topic.
        """
        delimiter = self.directory_delimiter
        check_key(f"{self.base}topic{delimiter}partition=0{delimiter}{self._name('topic', 0, 0)}{self.extension}")
        if self.topic_folders is not None and not set(_IN_TOPICS.sub("", delimiter)) - set(self.file_delimiter):
            raise ConfigurationError(
                f"directory.delim={delimiter}: to rename topics, it needs a character that neither topic names nor file.delim"
                " contain. Otherwise a key doesn't show its topic. Use /."
            )

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings; part of the configuration fingerprint in the footers."""
        chosen = [str(value) for name, value in attrs.asdict(self, recurse=False).items() if name != "topic_folders"]
        return "|".join(chosen + ([self.topic_folders.fingerprint] if self.topic_folders is not None else []))

    @property
    def extension(self) -> str:
        """The extension of each file name."""
        return EXTENSIONS[self.compression]

    @property
    def base(self) -> str:
        """The prefix of all keys."""
        return f"{self.topics_dir}{self.directory_delimiter}" if self.topics_dir.strip() else ""

    def folder(self, topic: str) -> str:
        """Return the name of a topic's folder."""
        return self.topic_folders.folder(topic) if self.topic_folders is not None else topic

    def has_several_folders(self, topic: str) -> bool:
        """Return whether a topic's records go to several folders. `folder` is then the common prefix of their names."""
        return self.topic_folders is not None and self.topic_folders.has_several(topic)

    def place(self, topic: str) -> str:
        """Return a topic's place in a store: `topics_dir`, followed by the topic's folder if the topic is renamed."""
        folder = self._folders(topic)
        return self.topics_dir if folder == topic else f"{self.topics_dir}{self.directory_delimiter}{folder}"

    def prefix(self, topic: str) -> str:
        """Return the prefix of a topic's keys. If the topic has several folders, keys of other topics may share the prefix."""
        return f"{self.base}{self.folder(topic)}{'' if self.has_several_folders(topic) else self.directory_delimiter}"

    def outer_folder(self, topic: str, routed_topic: str) -> str:
        """Return the beginning of some records' encoded partitions: the rest of their folder's name if the topic has several.

        Args:
            topic: the topic of the records' log.
            routed_topic: the topic that transforms gave the records.

        Raises:
            UsageError: the transforms gave the records a topic that disagrees with `topic_folders`.
        """
        if not self.has_several_folders(topic):
            return ""
        beginning = self.folder(topic)
        if not routed_topic.startswith(beginning):
            raise UsageError(
                f"ObjectNaming.topic_folders says that the folder names of the topic {topic} begin with {beginning!r}, but the"
                f" transforms renamed records to {routed_topic!r}. Give the same routers to both."
            )
        return f"{routed_topic.removeprefix(beginning)}{self.directory_delimiter}"

    def _folders(self, topic: str) -> str:
        """Return the name of a topic's folder for messages. A star stands for the part that differs between its folders."""
        return f"{self.folder(topic)}{'*' if self.has_several_folders(topic) else ''}"

    def key(self, topic: str, partition: int, encoded_partition: str, first_offset: int, *, view: View | None = None) -> str:
        """Return the key of a file of values, or of a view of the records (`keys`, `headers`)."""
        name = view_name(self._name(topic, partition, first_offset), view, self.extension)
        return f"{self.prefix(topic)}{encoded_partition}{self.directory_delimiter}{name}"

    def why_no_folder(
        self, topic: str, encoded_partition: str, *, why: WhyImpossible = why_impossible, view: View | None = None
    ) -> str | None:
        """Return why an encoded partition can't hold files, whatever their first offset, or None if it can.

        Args:
            topic: topic of the files' records.
            encoded_partition: the files' folder.
            why: the store's function that explains why a key is impossible.
            view: the written view with the longest name.
        """
        if reason := why(self.key(topic, _LARGE_PARTITION, encoded_partition, _LARGE_OFFSET, view=view)):
            return reason
        file = re.compile(rf"{re.escape(topic + self.file_delimiter)}\d.*\.parquet", re.DOTALL)
        if any(map(file.fullmatch, encoded_partition.split("/"))):
            return "it has a folder with the name of a file of the topic"
        return None

    def quarantine_prefix(self, topic: str) -> str:
        """Return the key prefix of a topic's rejected records."""
        return self.directory_delimiter.join((f"{self.own_prefix()}{topic}", _QUARANTINE, ""))

    def quarantine_key(self, topic: str, partition: int, first_offset: int) -> str:
        """Return the key of a file of rejected records."""
        return f"{self.quarantine_prefix(topic)}{self._name(topic, partition, first_offset)}{self.extension}"

    def _name(self, topic: str, partition: int, first_offset: int) -> str:
        return self.file_delimiter.join((topic, str(partition), str(first_offset).zfill(self.zero_pad_width)))

    def parse(self, key: str) -> ObjectName | None:
        """Split a key into its parts. Accepts any codec and any padding; returns None if the key isn't the sink's."""
        if not key.startswith(self.base):
            return None
        own = self.own_prefix()
        in_quarantine = key.startswith(own)
        if self.topic_folders is not None and not in_quarantine:
            return self._parse_renamed(key)
        match = self._pattern.fullmatch(key, len(own) if in_quarantine else len(self.base))
        if match is None or (in_quarantine and match["encoded_partition"] != _QUARANTINE):
            return None
        folder = None if in_quarantine else match["encoded_partition"]
        view: View | None = match["view"]  # type: ignore[assignment]  # the pattern only matches names of views
        return ObjectName(match["topic"], int(match["partition"]), folder, int(match["offset"]), view)

    def _parse_renamed(self, key: str) -> ObjectName | None:
        """Split a key whose folder may have another name than the topic. The file's name decides the topic."""
        folders, _, name = key.rpartition(self.directory_delimiter)
        match = _file_pattern(self.file_delimiter).fullmatch(name)
        if match is None:
            return None
        prefix = self.prefix(match["topic"])
        if not folders.startswith(prefix):
            return None
        view: View | None = match["view"]  # type: ignore[assignment]  # the pattern only matches names of views
        folder = folders.removeprefix(prefix)
        return ObjectName(match["topic"], int(match["partition"]), folder, int(match["offset"]), view)

    def check_topic(self, topic: str, *, why: WhyImpossible = why_impossible, view: View | None = None) -> None:
        """Check that a topic's files can have names, and aren't among the library's own files.

        Args:
            topic: the topic to write.
            why: the store's function that explains why a key is impossible.
            view: the written view with the longest name.

        Raises:
            ConfigurationError: the files can't have names, or neither discovery nor the audit would find them.
        """
        folder = self._folders(topic)
        which = f"Topic {topic}" if folder == topic else f"Topic {topic}, which is renamed to {folder!r},"
        if reason := self.why_no_folder(topic, "partition=0", why=why, view=view):
            raise ConfigurationError(
                f"{which} can't be written: no object can have the keys of its files: {reason}. Leave the topic out, or"
                " copy it to a topic with a shorter name."
            )
        if self.prefix(topic).startswith(self.own_prefix()):
            raise ConfigurationError(
                f"{which} can't be written: its folder {self.prefix(topic)} is reserved for this library's own files, such as"
                " schemas and rejected records. Leave the topic out, or copy it to a topic with another name."
            )
        if self.own_prefix().startswith(self.prefix(topic)):
            raise ConfigurationError(
                f"{which} can't be written: the keys of its files would begin with {self.prefix(topic)!r}, like the keys of"
                " this library's own files, such as schemas and rejected records. Put more text, or ${topic}, before"
                " ${timestamp} in topic.format."
            )

    def own_prefix(self) -> str:
        """Return the key prefix of this library's own files, which are outside the topics' folders."""
        return f"{self.base}_kafka2parquet{self.directory_delimiter}"

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self.directory_delimiter, self.file_delimiter)


def view_name(name: str, view: View | None, extension: str) -> str:
    """Return the name of the file that holds a view of a file's records; `view` is None for the file of values itself.

    `name` may lack the extension.
    """
    return f"{name.removesuffix(extension)}{f'.{view}' if view else ''}{extension}"


@functools.lru_cache(maxsize=16)
def _pattern(directory_delimiter: str, file_delimiter: str) -> re.Pattern[str]:
    directory = re.escape(directory_delimiter)
    folders = rf"(?P<topic>[a-zA-Z0-9._-]+){directory}(?P<encoded_partition>.*){directory}"
    return re.compile(f"{folders}(?P=topic){_place_in_log(file_delimiter)}", re.DOTALL)


@functools.lru_cache(maxsize=16)
def _file_pattern(file_delimiter: str) -> re.Pattern[str]:
    return re.compile(f"(?P<topic>[a-zA-Z0-9._-]+){_place_in_log(file_delimiter)}")


def _place_in_log(file_delimiter: str) -> str:
    """Return the pattern of a file name after the topic: partition, offset and extensions."""
    file = re.escape(file_delimiter)
    extensions = "|".join(re.escape(extension) for extension in EXTENSIONS.values())
    return rf"{file}(?P<partition>\d+){file}(?P<offset>\d+)(?:\.(?P<view>{'|'.join(get_args(View))}))?(?:{extensions})"
