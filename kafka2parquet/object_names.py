"""Names of objects, as Kafka Connect's storage sinks give them.

    [topics.dir/]topic/encoded-partition/topic+partition+0000000042.snappy.parquet

The number is the offset of the file's first row. Files of keys and headers lie beside, with `.keys` or `.headers` before the
extension. Everything but data lies outside the folders of all topics, in `[topics.dir/]_kafka2parquet/`: rejected records in
`topic/quarantine/`.

Where a configuration renames topics, the folder of a topic has the new name. The names of files keep the topic's own name, so
that the files are found again after a crash. Where records are renamed by their timestamps, a topic has several folders. The
beginning of their names follows from the topic, and the encoded partition begins with the rest:

    [topics.dir/]topic-20260131/encoded-partition/topic+partition+0000000042.snappy.parquet
                       ^ here
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Annotated, Protocol, get_args

import attrs

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.records import View
from kafka2parquet.storage.base import Storage
from kafka2parquet.util.arguments import Name, OneOf, WholeNumber, checked

#: What stands between the offset and the end of the name, by Parquet codec.
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

#: What S3 and GCS take as a key, and file systems as the name of a file or folder, in bytes of UTF-8.
MOST_KEY_BYTES = 1024
MOST_SEGMENT_BYTES = 255

#: Says of a key why there can't be an object of it in some store; None where there can.
WhyImpossible = Callable[[str], str | None]

_QUARANTINE = "quarantine"
#: Larger than those of nearly all topics, for names that have to fit whatever partition and offset are.
_LARGE_PARTITION = 99_999
_LARGE_OFFSET = 10**15 - 1
#: C0, DEL, C1, and what XML has no way to write, in which S3 lists keys.
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\ufffe\uffff]")
_IN_TOPICS = re.compile("[a-zA-Z0-9._-]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_SHOWN = 200


def why_impossible(
    key: str, *, most_bytes: int = MOST_KEY_BYTES, most_segment_bytes: int | None = MOST_SEGMENT_BYTES
) -> str | None:
    """Why there can't be an object of that key; None where there can.

    Stores differ in what they take: some resolve `..` as file systems do, so that a key leads into another folder, and some
    refuse a key when files that belong to the same flush are published already. But for the lengths, what one of them can't
    have, none gets.

    Args:
        key: of an object, or the beginning of one that ends with a whole segment.
        most_bytes: what is left for the key behind the prefix of the storage.
        most_segment_bytes: of a file or folder; None where the store has no folders.
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
        return f"it has a segment of {longest} bytes, and {most_segment_bytes} are the most"
    if size > most_bytes:
        return f"it has {size} bytes, and {most_bytes} are the most"
    return None


def why_no_object(storage: Storage) -> WhyImpossible:
    """What says of a key why there can't be an object of it in that storage."""
    own: WhyImpossible = getattr(storage, "why_no_object", why_impossible)
    return own


def check_key(key: str, why: WhyImpossible = why_impossible) -> None:
    """Refuse a key that no object can have, by the rules of a store, before anything is sent.

    Raises:
        ConfigurationError: names the key, escaped, and says why.
    """
    if reason := why(key):
        raise ConfigurationError(
            f"No object can have the key {_shown(key)}: {reason}. Where a field's value makes the folder, partition by another"
            " field, or replace the value by a transform; else look at topics.dir and directory.delim."
        )


def check_read_key(key: str) -> None:
    """Refuse a key under which a store may find another object than the one that is meant.

    Less is refused than for objects that are made: other tools, and earlier versions, may have made what is there.

    Raises:
        ConfigurationError: names the key, escaped, and says why.
    """
    segments = key.split("/")
    if "." in segments or ".." in segments or "\0" in key or _SURROGATE.search(key):
        check_key(key)


def _shown(key: str) -> str:
    text = repr(key)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… ({len(key)} characters)"


class TopicFolders(Protocol):
    """Names for the folders of topics. Several topics may share one: their files have different names."""

    def folder(self, topic: str) -> str:
        """The name of a topic's folder; the same for the same topic whenever it is asked for.

        Of several folders, what their names begin with.
        """

    def has_several(self, topic: str) -> bool:
        """Whether a topic has several folders. Transforms give each record of it the name of one as its new topic."""

    @property
    def fingerprint(self) -> str:
        """Names the settings that decide the names."""


@attrs.frozen
class ObjectName:
    """The parts of a key.

    Attributes:
        topic: whose records it holds.
        partition: of the topic.
        encoded_partition: its folder; None where it holds rejected records.
        first_offset: of its first row.
        view: what of the records it holds; None for values and rejected records.
    """

    topic: str
    partition: int
    encoded_partition: str | None
    first_offset: int
    view: View | None = None


@checked
@attrs.frozen
class ObjectNaming:
    """How objects are called.

    Attributes:
        topics_dir: prefix of all keys; blank for none.
        directory_delimiter: between directories (`directory.delim`).
        file_delimiter: between the parts of the file's name (`file.delim`).
        zero_pad_width: digits that offsets are padded to; longer ones are not cut.
        compression: codec of the files, which gives the extension.
        topic_folders: names of the topics' folders; by default they are called as the topics are.
    """

    topics_dir: str = "topics"
    directory_delimiter: Name = "/"
    file_delimiter: Name = "+"
    zero_pad_width: WholeNumber = 10
    compression: Annotated[str, OneOf(tuple(EXTENSIONS))] = "snappy"
    topic_folders: TopicFolders | None = None

    def __attrs_post_init__(self) -> None:
        """Find out at once what would make all keys impossible.

        Raises:
            ConfigurationError: no object can have such keys, or they don't show the topic whose folder has another name.
        """
        delimiter = self.directory_delimiter
        check_key(f"{self.base}topic{delimiter}partition=0{delimiter}{self._name('topic', 0, 0)}{self.extension}")
        if self.topic_folders is not None and not set(_IN_TOPICS.sub("", delimiter)) - set(self.file_delimiter):
            raise ConfigurationError(
                f"directory.delim={delimiter}: topics can only be renamed where it has a character that neither names of topics"
                " nor file.delim have. Else a key doesn't show its topic. Use /."
            )

    @property
    def fingerprint(self) -> str:
        """Names the settings; part of the configuration fingerprint in the footers."""
        chosen = [str(value) for name, value in attrs.asdict(self, recurse=False).items() if name != "topic_folders"]
        return "|".join(chosen + ([self.topic_folders.fingerprint] if self.topic_folders is not None else []))

    @property
    def extension(self) -> str:
        """End of each name."""
        return EXTENSIONS[self.compression]

    @property
    def base(self) -> str:
        """What all keys begin with."""
        return f"{self.topics_dir}{self.directory_delimiter}" if self.topics_dir.strip() else ""

    def folder(self, topic: str) -> str:
        """The name of a topic's folder."""
        return self.topic_folders.folder(topic) if self.topic_folders is not None else topic

    def has_several_folders(self, topic: str) -> bool:
        """Whether a topic has several folders, by its records; `folder` is then what their names begin with."""
        return self.topic_folders is not None and self.topic_folders.has_several(topic)

    def place(self, topic: str) -> str:
        """Where in a store the files of a topic go: `topics_dir`, and its folder where that has another name."""
        folder = self._folders(topic)
        return self.topics_dir if folder == topic else f"{self.topics_dir}{self.directory_delimiter}{folder}"

    def prefix(self, topic: str) -> str:
        """What the keys of a topic begin with. Where it has several folders, those of other topics may begin with it too."""
        return f"{self.base}{self.folder(topic)}{'' if self.has_several_folders(topic) else self.directory_delimiter}"

    def outer_folder(self, topic: str, routed_topic: str) -> str:
        """What the encoded partitions of some records begin with: the rest of their folder's name, where it isn't the only one.

        Args:
            topic: of their log.
            routed_topic: the topic that transforms have given them.

        Raises:
            UsageError: they have another topic than `topic_folders` say.
        """
        if not self.has_several_folders(topic):
            return ""
        beginning = self.folder(topic)
        if not routed_topic.startswith(beginning):
            raise UsageError(
                f"The folders of the topic {topic} have names that begin with {beginning!r}, as ObjectNaming.topic_folders"
                f" says, and the transforms have renamed records to {routed_topic!r}. Give the same routers to both."
            )
        return f"{routed_topic.removeprefix(beginning)}{self.directory_delimiter}"

    def _folders(self, topic: str) -> str:
        """The name of a topic's folder, for people; a star stands for what differs."""
        return f"{self.folder(topic)}{'*' if self.has_several_folders(topic) else ''}"

    def key(self, topic: str, partition: int, encoded_partition: str, first_offset: int, *, view: View | None = None) -> str:
        """Key of the file with that first row: of values, or of a view of the records (`keys`, `headers`)."""
        name = view_name(self._name(topic, partition, first_offset), view, self.extension)
        return f"{self.prefix(topic)}{encoded_partition}{self.directory_delimiter}{name}"

    def why_no_folder(
        self, topic: str, encoded_partition: str, *, why: WhyImpossible = why_impossible, view: View | None = None
    ) -> str | None:
        """Why there can't be a file in an encoded partition, whatever its first offset; None where there can.

        Args:
            topic: whose records the file holds.
            encoded_partition: its folder.
            why: of the store.
            view: that has the longest name of those that are written.
        """
        if reason := why(self.key(topic, _LARGE_PARTITION, encoded_partition, _LARGE_OFFSET, view=view)):
            return reason
        file = re.compile(rf"{re.escape(topic + self.file_delimiter)}\d.*\.parquet", re.DOTALL)
        if any(map(file.fullmatch, encoded_partition.split("/"))):
            return "it has a folder that is called like a file of the topic"
        return None

    def quarantine_prefix(self, topic: str) -> str:
        """What the keys of a topic's rejected records begin with."""
        return self.directory_delimiter.join((f"{self.own_prefix()}{topic}", _QUARANTINE, ""))

    def quarantine_key(self, topic: str, partition: int, first_offset: int) -> str:
        """Key of the file of rejected records with that first row."""
        return f"{self.quarantine_prefix(topic)}{self._name(topic, partition, first_offset)}{self.extension}"

    def _name(self, topic: str, partition: int, first_offset: int) -> str:
        return self.file_delimiter.join((topic, str(partition), str(first_offset).zfill(self.zero_pad_width)))

    def parse(self, key: str) -> ObjectName | None:
        """The parts of a key; None when the key isn't the sink's, under any codec and with any width."""
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
        view: View | None = match["view"]  # type: ignore[assignment]  # the pattern names just these
        return ObjectName(match["topic"], int(match["partition"]), folder, int(match["offset"]), view)

    def _parse_renamed(self, key: str) -> ObjectName | None:
        """The same, where folders of topics have other names: the topic is that of the file's name."""
        folders, _, name = key.rpartition(self.directory_delimiter)
        match = _file_pattern(self.file_delimiter).fullmatch(name)
        if match is None:
            return None
        prefix = self.prefix(match["topic"])
        if not folders.startswith(prefix):
            return None
        view: View | None = match["view"]  # type: ignore[assignment]  # the pattern names just these
        folder = folders.removeprefix(prefix)
        return ObjectName(match["topic"], int(match["partition"]), folder, int(match["offset"]), view)

    def check_topic(self, topic: str, *, why: WhyImpossible = why_impossible, view: View | None = None) -> None:
        """Check that a topic's files can have names, and don't lie among the library's own files.

        Args:
            topic: that is to be written.
            why: of the store.
            view: that has the longest name of those that are written.

        Raises:
            ConfigurationError: they can't, or neither discovery nor the audit would find them there.
        """
        folder = self._folders(topic)
        which = f"Topic {topic}" if folder == topic else f"Topic {topic}, which is renamed to {folder!r},"
        if reason := self.why_no_folder(topic, "partition=0", why=why, view=view):
            raise ConfigurationError(
                f"{which} can't be written: no object can have the keys of its files: {reason}. Leave the topic out, or"
                " copy it to a topic of a shorter name."
            )
        if self.prefix(topic).startswith(self.own_prefix()):
            raise ConfigurationError(
                f"{which} can't be written: its folder {self.prefix(topic)} belongs to the files that this library keeps"
                " for itself, such as schemas and rejected records. Leave the topic out, or copy it to a topic of another name."
            )
        if self.own_prefix().startswith(self.prefix(topic)):
            raise ConfigurationError(
                f"{which} can't be written: the keys of its files would begin with {self.prefix(topic)!r}, as do those of the"
                " files that this library keeps for itself, such as schemas and rejected records. Put more text, or ${topic},"
                " before ${timestamp} in topic.format."
            )

    def own_prefix(self) -> str:
        """The prefix of all keys but those of data: outside the folders of the topics."""
        return f"{self.base}_kafka2parquet{self.directory_delimiter}"

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self.directory_delimiter, self.file_delimiter)


def view_name(name: str, view: View | None, extension: str) -> str:
    """The name of the file of a view beside a file of values, or of that file; `name` may lack the extension."""
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
    """What the names of files have behind the topic."""
    file = re.escape(file_delimiter)
    extensions = "|".join(re.escape(extension) for extension in EXTENSIONS.values())
    return rf"{file}(?P<partition>\d+){file}(?P<offset>\d+)(?:\.(?P<view>{'|'.join(get_args(View))}))?(?:{extensions})"
