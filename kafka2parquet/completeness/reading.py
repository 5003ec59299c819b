"""TopicReader: reads what the store says about a topic: its files by folder, their footers, and the markers."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import attrs

from kafka2parquet.audit.history import OtherFile, read_other
from kafka2parquet.audit.read import topic_prefixes
from kafka2parquet.completeness.marker import Marker, marker_name, marker_number
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.storage.base import Storage

_THREADS = 16
_T = TypeVar("_T")


@attrs.frozen
class Unreadable:
    """An object that can't be used, with the reason."""

    reason: str


@attrs.define
class Folder:
    """A folder with files of the topic.

    Attributes:
        key: key of the folder, without a delimiter at the end.
        encoded_partition: the folder's name below the topic's folder.
        files: names of the topic's files by their keys.
        markers: keys of the markers by their numbers.
        others: keys of files of other topics in the same folder.
    """

    key: str
    encoded_partition: str
    files: dict[str, ObjectName] = attrs.Factory(dict)
    markers: dict[int, str] = attrs.Factory(dict)
    others: list[str] = attrs.Factory(list)


@attrs.frozen
class TopicFiles:
    """What the store has of a topic.

    Attributes:
        folders: the folders with files of the topic, by their keys.
        rejects: names of the files of rejects by their keys.
        footers: the footers of all files that are not in a marker, by key.
        markers: the markers by key.
    """

    folders: Mapping[str, Folder]
    rejects: Mapping[str, ObjectName]
    footers: Mapping[str, FlushFooter | OtherFile | Unreadable]
    markers: Mapping[str, Marker | Unreadable]


class TopicReader:
    """Reads a topic's files again and again, each footer and each marker once. For use by one thread.

    That is right because published files and markers never change.
    """

    def __init__(self, storage: Storage, naming: ObjectNaming, topic: str) -> None:
        self._storage = storage
        self._naming = naming
        self._topic = topic
        self._footers: dict[str, FlushFooter | OtherFile | Unreadable] = {}
        self._markers: dict[str, Marker | Unreadable] = {}

    def read(self) -> TopicFiles:
        """List the topic's files, and read the footers and markers that are new. Blocks.

        Raises:
            StorageUnavailableError: the store doesn't answer.
            AccessError: the store refuses access.
        """
        values, quarantine = topic_prefixes(self._naming, self._topic)
        folders = self._folders(self._storage.list(values))
        parse, topic = self._naming.parse, self._topic
        parsed = ((key, parse(key)) for key in self._storage.list(quarantine))
        rejects = {key: name for key, name in parsed if name is not None and name.topic == topic}
        marker_keys = {key for folder in folders.values() for key in folder.markers.values()}
        self._markers = _kept(self._markers, marker_keys, self.read_marker)
        marked = {
            f"{folder.key}{self._naming.directory_delimiter}{file.name}"
            for folder in folders.values()
            for key in folder.markers.values()
            if isinstance(marker := self._markers.get(key), Marker)
            for file in marker.files
        }
        keys = {key for folder in folders.values() for key in folder.files} | rejects.keys()
        self._footers = _kept(self._footers, keys - marked, self._read_footer)
        return TopicFiles(folders, rejects, self._footers, self._markers)

    def read_marker(self, key: str) -> Marker | Unreadable | None:
        """Read a marker; None if it doesn't exist. Blocks."""
        content = self._storage.read(key)
        if content is None:
            return None
        try:
            marker = Marker.from_bytes(content)
        except ValueError as error:
            return Unreadable(
                f"{key} is not a marker of this library: {error}. If another tool wrote it, such as a job of yours, end that"
                " job and move the object away."
            )
        folder, _, name = key.rpartition(self._naming.directory_delimiter)
        if (marker.topic, marker.folder, marker_name(marker.number)) != (self._topic, folder, name):
            return Unreadable(f"{key} is the marker of topic {marker.topic} in {marker.folder}, number {marker.number}.")
        return marker

    def _folders(self, keys: Iterable[str]) -> dict[str, Folder]:
        found: dict[str, Folder] = {}
        markers: dict[str, dict[int, str]] = collections.defaultdict(dict)
        others: dict[str, list[str]] = collections.defaultdict(list)
        for key in keys:
            place, _, last = key.rpartition(self._naming.directory_delimiter)
            number = marker_number(last)
            if number is not None:
                markers[place][number] = key
                continue
            name = self._naming.parse(key)
            if name is None or name.encoded_partition is None:
                continue
            if name.topic != self._topic:
                others[place].append(key)
            else:
                found.setdefault(place, Folder(place, name.encoded_partition)).files[key] = name
        for place, folder in found.items():
            folder.markers = dict(sorted(markers[place].items()))
            folder.others = others[place]
        return found

    def _read_footer(self, key: str) -> FlushFooter | OtherFile | Unreadable | None:
        metadata = self._storage.read_metadata(key)
        if metadata is None:
            return None
        try:
            footer = FlushFooter.from_metadata(metadata)
        except ValueError as error:
            return Unreadable(f"the footer of {key} can't be read: {error}.")
        name = self._naming.parse(key)
        if footer is not None or name is None:
            return footer
        return read_other(self._storage, key, name) or Unreadable(f"{key} was not written by kafka2parquet.")


def _kept(known: Mapping[str, _T], keys: set[str], read: Callable[[str], _T | None]) -> dict[str, _T]:
    """Return the values of keys, known ones or read ones. Keys whose object doesn't exist any more are left out.

    What was not readable is read again, because someone may have repaired it.
    """
    known = {key: value for key, value in known.items() if not isinstance(value, Unreadable)}
    new = sorted(keys - known.keys())
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-complete") as pool:
        values = dict(zip(new, pool.map(read, new), strict=True))
    return {key: known[key] for key in keys & known.keys()} | {key: value for key, value in values.items() if value is not None}
