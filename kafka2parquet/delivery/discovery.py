"""Discovers the published flushes of a topic-partition from the footers of their anchors."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from kafka2parquet.delivery.context import PartitionContext, Procedure, until
from kafka2parquet.errors import DamagedFooterError, TopicRecreatedError
from kafka2parquet.parquet.footer import FlushFooter

#: The number of footers read concurrently.
_CHUNK = 16


@attrs.frozen
class PublishedFlush:
    """A flush whose anchor is published; its siblings may be missing."""

    key: str
    footer: FlushFooter


@attrs.frozen
class Discovered:
    """The result of a discovery.

    Attributes:
        flushes: published flushes, sorted by start.
        flush_of: start and end of the flush of each file whose footer was read, by key, so that it isn't read again.
        is_complete: whether the footers of all files after the position were read.
    """

    flushes: list[PublishedFlush]
    flush_of: Mapping[str, tuple[int, int]]
    is_complete: bool = True


def discover(context: PartitionContext, position: int) -> Procedure[Discovered]:
    """Find the published flushes that end after `position`: lists the topic once, then reads footers.

    Flushes are contiguous, and a file's name contains its first offset. Files that start before `position` are therefore read
    from the last one backwards, until the flush of a file ends at `position` or before. Files that start at the end of the
    range to take, or later, are not read: they may belong to another group, which continues there.

    Raises:
        TopicRecreatedError: there are files of an older topic of the same name.
    """
    listing = yield from until(context.call(functools.partial(_list_keys, context)))
    ahead = [(first_offset, key) for first_offset, key in listing if first_offset >= position]
    wanted = [key for first_offset, key in ahead if context.end is None or first_offset < context.end]
    behind = [key for first_offset, key in reversed(listing) if first_offset < position]
    found: list[PublishedFlush] = []
    flush_of: dict[str, tuple[int, int]] = {}
    for keys, stop_before_position in ((behind, True), (wanted, False)):
        for chunk in (keys[begin : begin + _CHUNK] for begin in range(0, len(keys), _CHUNK)):
            footers = yield from _read_footers(context, chunk)
            flush_of.update((key, (footer.start, footer.end)) for key, footer in footers)
            found += [PublishedFlush(key, footer) for key, footer in footers if footer.is_anchor and footer.end > position]
            if stop_before_position and any(footer.end <= position for _, footer in footers):
                break
    return Discovered(sorted(found, key=lambda flush: flush.footer.start), flush_of, len(wanted) == len(ahead))


def missing_siblings(
    context: PartitionContext, anchor: FlushFooter, flush_of: Mapping[str, tuple[int, int]]
) -> Procedure[frozenset[int]]:
    """Numbers of the flush's files that are not published, or whose keys or headers are not.

    Args:
        context: the topic-partition.
        anchor: footer of the anchor, which lists the files.
        flush_of: start and end of the flush of each file that is known to exist, by key.

    Raises:
        ForeignObjectError: an object of another origin has the key of a file.
        DamagedFooterError: a file of another flush has the key of a file.
    """
    siblings = anchor.siblings or ()
    known = {sibling.key: flush_of[sibling.key] for sibling in siblings if sibling.key in flush_of}
    unseen = [sibling for sibling in siblings if sibling.key not in known]
    calls = [context.call(functools.partial(context.storage.read_metadata, sibling.key)) for sibling in unseen]
    for sibling, call in zip(unseen, calls, strict=True):
        metadata = yield from until(call)
        if metadata is not None:
            footer = context.own_footer(sibling.key, metadata)
            known[sibling.key] = (footer.start, footer.end)
    for sibling in siblings:
        # a flush with another start and the same end has the same rows in this file
        if sibling.key in known and known[sibling.key][1] != anchor.end:
            raise file_of_another_flush(context, sibling.key, anchor, known[sibling.key])
    return frozenset(sibling.file for sibling in siblings if sibling.key not in known)


def file_of_another_flush(
    context: PartitionContext, key: str, anchor: FlushFooter, owner: tuple[int, int]
) -> DamagedFooterError:
    """Return the error for a file that a published anchor lists, and that belongs to another flush.

    Args:
        context: the topic-partition.
        key: of the file.
        anchor: footer of the anchor.
        owner: start and end of the flush that the file belongs to.
    """
    start, end = owner
    return DamagedFooterError(
        f"{context.topic_partition}: {context.storage.url}/{key} is listed as a file of the flush [{anchor.start},"
        f" {anchor.end}), and belongs to the flush [{start}, {end}). Nothing was committed. Stop all members, delete the files"
        f" of the flush [{anchor.start}, {anchor.end}), and set the group's offset to {anchor.start} with Kafka's tools. Its"
        " records are then written again.",
        topic=context.topic_partition.topic,
        partition=context.topic_partition.partition,
        key=key,
    )


def find_key(context: PartitionContext, key_hash: str, hash_of: functools.partial[str]) -> Procedure[str | None]:
    """The published key of this topic-partition whose hash is `key_hash`; None without one."""
    listing = yield from until(context.call(functools.partial(_list_keys, context)))
    return next((key for _, key in listing if hash_of(key) == key_hash), None)


def _list_keys(context: PartitionContext) -> list[tuple[int, str]]:
    topic, partition = attrs.astuple(context.topic_partition)
    listing = []
    for prefix in (context.task.naming.prefix(topic), context.task.naming.quarantine_prefix(topic)):
        for key in context.storage.list(prefix):
            name = context.task.naming.parse(key)
            if name is not None and (name.topic, name.partition) == (topic, partition):
                listing.append((name.first_offset, key))
    return sorted(listing)


def _read_footers(context: PartitionContext, keys: list[str]) -> Procedure[list[tuple[str, FlushFooter]]]:
    calls = [context.call(functools.partial(context.storage.read_metadata, key)) for key in keys]
    footers = []
    for key, call in zip(keys, calls, strict=True):
        footer = context.footer(key, (yield from until(call)))
        if footer is None:
            continue  # another tool's file matters only if one of ours needs its key
        if not context.is_own(footer):
            raise TopicRecreatedError(
                f"{context.topic_partition}: {context.storage.url}/{key} was written from a topic with id"
                f" {footer.topic_id or 'unknown'} on cluster {footer.cluster_id or 'unknown'}, but the topic now has id"
                f" {context.identity.topic_id or 'unknown'} on cluster {context.identity.cluster_id or 'unknown'}: the same"
                " offsets mean other records. Choose another topics.dir for the new topic, or move the old files away.",
                topic=context.topic_partition.topic,
                partition=context.topic_partition.partition,
            )
        footers.append((key, footer))
    return footers
