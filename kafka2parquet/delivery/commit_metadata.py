"""Reads and writes the metadata of a committed offset: the intent of a flush, or a breadcrumb.

The metadata is printable ASCII, with fields separated by one blank, of at most 300 characters:

    k2p2 i FINGERPRINT TRUST CLUSTER TOPIC_ID PLACE END ROWS OPENED_MS ANCHOR SUM  intent: [committed offset, END) is next
    k2p2 c FINGERPRINT TRUST CLUSTER TOPIC_ID PLACE START ROWS SUM                 breadcrumb: [START, committed offset) is done

TRUST is `t` if a reader with the same fingerprint may trust that the offset is a published boundary, and `d` if the reader has
to discover the published flushes. CLUSTER is a prefix of a hash of the cluster's id. PLACE is the URL of the files,
percent-encoded, or `#` and a hash of the URL. ANCHOR is the key of the flush's first file, percent-encoded; `-` if the flush
has no rows; `#` and a hash if the key is too long. SUM is a hash of the fields before it, so that a text that was cut off or
changed is recognized as damaged. An empty field is written `-`.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from typing import ClassVar

import attrs

from kafka2parquet.errors import UnknownMetadataError
from kafka2parquet.records import TopicPartition

MAX_CHARACTERS = 300
_MAGIC = "k2p"
_VERSION = "2"
_PATH_SAFE = "/=+:,@!*'()"
_MOST_PLACE_CHARACTERS = 120
_LARGEST_NUMBER = (1 << 63) - 1


@attrs.frozen
class Identity:
    """Identifies the log that the offsets belong to, and the configuration that writes the log's files.

    Attributes:
        cluster_id: id of the Kafka cluster; "" if unknown.
        topic_id: id of the topic; "" if unknown.
        fingerprint: fingerprint of the configuration.
        place: URL of the files; `#` and a hash of the URL if the metadata holds only the hash; "" if unknown.
    """

    cluster_id: str
    topic_id: str
    fingerprint: str
    place: str = ""

    @property
    def cluster(self) -> str:
        """A short hash of the cluster's id; "" if the id is unknown."""
        return short_hash(self.cluster_id) if self.cluster_id else ""

    def writes_elsewhere(self, other: Identity) -> bool:
        """Whether `other` is known to write to another place."""
        places = [identity.place for identity in (self, other)]
        hashes = {place if place.startswith("#") else f"#{short_hash(place)}" for place in places if place}
        return len(hashes) > 1


@attrs.frozen
class Intent:
    """Announces that the flush [committed offset, end) is about to be published.

    Attributes:
        identity: the log and the configuration that committed the intent.
        trusted: whether the committed offset is a published boundary under that configuration.
        end: the offset after the last record of the flush.
        rows: the number of rows in the flush.
        opened_at_ms: wall-clock time at which the flush was opened, in milliseconds since the epoch.
        anchor: key of the first file; None if the flush has no rows.
        anchor_hash: hash of the key if the key is too long for the metadata; `anchor` is then None.
    """

    identity: Identity
    trusted: bool
    end: int
    rows: int
    opened_at_ms: int
    anchor: str | None
    anchor_hash: str | None = None

    kind: ClassVar[str] = "i"

    def format(self) -> str:
        """The text that is committed as metadata."""
        numbers = [str(self.end), str(self.rows), str(self.opened_at_ms)]
        place = f"#{short_hash(self.identity.place)}" if self.identity.place else "-"
        head = [*_head(self.kind, self.identity, self.trusted), place, *numbers]
        key = "-" if self.anchor is None else urllib.parse.quote(self.anchor, safe=_PATH_SAFE)
        text = _summed([*head, key])
        if len(text) > MAX_CHARACTERS and self.anchor is not None:
            text = _summed([*head, "#" + short_hash(self.anchor)])
        return text


@attrs.frozen
class Breadcrumb:
    """States that all records before the committed offset are durable; the last flush started at `start`."""

    identity: Identity
    trusted: bool
    start: int
    rows: int

    kind: ClassVar[str] = "c"

    def format(self) -> str:
        """The text that is committed as metadata."""
        place = urllib.parse.quote(self.identity.place, safe=_PATH_SAFE) or "-"
        if len(place) > _MOST_PLACE_CHARACTERS or "@" in place:  # an URL with "@" may contain a password
            place = f"#{short_hash(self.identity.place)}"
        return _summed([*_head(self.kind, self.identity, self.trusted), place, str(self.start), str(self.rows)])


def _summed(fields: list[str]) -> str:
    text = " ".join(fields)
    return f"{text} {short_hash(text)[:8]}"


def short_hash(text: str) -> str:
    """The first twelve hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _head(kind: str, identity: Identity, trusted: bool) -> list[str]:
    return [
        _MAGIC + _VERSION,
        kind,
        identity.fingerprint,
        "t" if trusted else "d",
        identity.cluster or "-",
        identity.topic_id or "-",
    ]


def parse(text: str, topic_partition: TopicPartition, cluster_id: str) -> Intent | Breadcrumb | None:
    """Read the metadata of a committed offset; None if it is empty or another tool wrote it.

    Raises:
        UnknownMetadataError: the metadata is damaged, or comes from an unknown version of this library or another cluster.
    """
    if not text.startswith(_MAGIC):
        return None
    fields = text.split(" ")
    where = f"The committed offset of {topic_partition} carries the metadata {text!r}"
    if fields[0] != _MAGIC + _VERSION:
        raise UnknownMetadataError(
            f"{where}, which was written by another version of kafka2parquet. Run that version, or a newer one; or stop all"
            " members and reset the group's offset with Kafka's tools: published files are then found and not repeated.",
            topic=topic_partition.topic,
            partition=topic_partition.partition,
        )
    try:
        found = _parse_fields(fields, cluster_id)
    except ValueError:
        found = None
    if found is None:
        raise damaged_metadata(text, topic_partition)
    if cluster_id and fields[4] != "-" and fields[4] != short_hash(cluster_id):
        raise UnknownMetadataError(
            f"{where}, which was written for another Kafka cluster than {cluster_id!r}: offsets were copied, and may mean"
            " other records here. Choose another topics.dir, or reset the group's offset with Kafka's tools.",
            topic=topic_partition.topic,
            partition=topic_partition.partition,
        )
    return found


def damaged_metadata(text: str, topic_partition: TopicPartition) -> UnknownMetadataError:
    """Make the error for damaged metadata of this library."""
    return UnknownMetadataError(
        f"The committed offset of {topic_partition} carries the metadata {text!r}, which is damaged. Stop all members and"
        " reset the group's offset with Kafka's tools: published files are then found and not repeated.",
        topic=topic_partition.topic,
        partition=topic_partition.partition,
    )


def _parse_fields(fields: list[str], cluster_id: str) -> Intent | Breadcrumb | None:
    if _summed(fields[:-1]) != " ".join(fields):
        return None
    _, kind, fingerprint, trust, cluster, topic_id, place, *rest, _ = fields
    if trust not in ("t", "d"):
        return None
    same_cluster = cluster_id if cluster != "-" else ""
    where = "" if place == "-" else urllib.parse.unquote(place, errors="strict")
    identity = Identity(same_cluster, "" if topic_id == "-" else topic_id, fingerprint, where)
    if kind == Breadcrumb.kind:
        start, rows = rest
        return Breadcrumb(identity, trust == "t", _number(start), _number(rows))
    if kind == Intent.kind:
        end, rows, opened_at_ms, key = rest
        anchor_hash = key[1:] if key.startswith("#") else None
        anchor = None if key == "-" or anchor_hash is not None else urllib.parse.unquote(key, errors="strict")
        return Intent(identity, trust == "t", _number(end), _number(rows), _number(opened_at_ms), anchor, anchor_hash)
    return None


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _LARGEST_NUMBER:
        raise ValueError(f"{text} is out of range")
    return number
