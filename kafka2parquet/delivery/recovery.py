"""Finds where a topic-partition starts, and the plan for its next flush.

Recovery runs after an assignment, and whenever a delivery finds that another owner was here first. It knows three things: the
committed offset, the intent that its metadata may hold, and (only if the metadata can't be trusted) the published flushes.
The package docstring (`kafka2parquet.delivery`) says when metadata is trusted and what each plan means; the table in
`docs/guarantees.md` lists every case.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from kafka2parquet.delivery.commit_metadata import Breadcrumb, Intent, damaged_metadata, parse, short_hash
from kafka2parquet.delivery.context import PartitionContext, Procedure
from kafka2parquet.delivery.discovery import PublishedFlush, discover, find_key, missing_siblings
from kafka2parquet.errors import (
    ConflictingSinkError,
    DamagedFooterError,
    DataLossError,
    DeliveryError,
    LogTruncatedError,
    TopicRecreatedError,
    UnknownMetadataError,
)
from kafka2parquet.events import DataLost
from kafka2parquet.parquet.footer import FlushFooter, Layout
from kafka2parquet.util.display import counted

#: How long to wait for a high watermark above the last known log end.
_LOG_END_WAIT_S = 10.0


@attrs.frozen
class NewFlush:
    """The rotation policy cuts the flush, at the latest at `limit`, where a published flush starts."""

    limit: int | None = None


@attrs.frozen
class RepeatFlush:
    """The flush ends at `end`, whatever the rotation policy says.

    Attributes:
        end: the offset after the last record of the flush.
        anchor: key that the first file must have; None if the rows determine it.
        has_intent: whether the committed metadata already is the intent of this flush.
    """

    end: int
    anchor: str | None = None
    has_intent: bool = False


@attrs.frozen
class CompleteFlush:
    """A published anchor lacks siblings, which are written by the anchor's layout.

    Attributes:
        flush: the published anchor.
        missing: numbers of the missing files in the layout; a number includes the file's keys and headers.
    """

    flush: PublishedFlush
    missing: frozenset[int]

    @property
    def end(self) -> int:
        """The offset after the last record of the flush."""
        return self.flush.footer.end


FlushPlan = NewFlush | RepeatFlush | CompleteFlush


@attrs.frozen
class StartPoint:
    """Where reading starts, and the plan of the first flush.

    Attributes:
        position: the first offset to read.
        leader_epoch: leader epoch of the record before `position`; -1 if unknown.
        plan: how the flush that starts here ends.
    """

    position: int
    leader_epoch: int
    plan: FlushPlan


class Recovery:
    """Finds the start points of one assignment."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        self._published: list[PublishedFlush] = []
        self._flush_of: Mapping[str, tuple[int, int]] = {}
        self._knows_all = True

    def trusts(self, offset: int) -> bool:
        """Whether a commit of `offset` may be trusted, because every published flush is known, and starts before it."""
        return self._knows_all and all(flush.footer.start < offset for flush in self._published)

    def begin(self) -> Procedure[StartPoint]:
        """Find the first start point of the assignment.

        Raises:
            UnknownMetadataError: the committed metadata can't be read.
            ConflictingSinkError: the group's offsets were committed by a sink that writes elsewhere.
            TopicRecreatedError: the offsets belong to an older topic of this name.
            LogTruncatedError: the log ends before records that were read, and the settings say to fail.
            DataLossError: records are gone, and the settings say to fail.
        """
        context = self._context
        committed = context.assigned.committed
        found = parse(committed.metadata, context.topic_partition, context.identity.cluster_id) if committed else None
        intent = found if isinstance(found, Intent) else None
        if committed is not None and intent is not None and intent.end <= committed.offset:
            raise damaged_metadata(committed.metadata, context.topic_partition)
        if found is not None and found.identity.topic_id and context.identity.topic_id not in ("", found.identity.topic_id):
            raise self._recreated("its committed offset was written for a topic with another id")
        if found is not None and context.identity.writes_elsewhere(found.identity) and not context.task.delivery.take_over:
            raise self._elsewhere(found)
        leader_epoch = -1
        if committed is not None:
            position, leader_epoch = committed.offset, committed.leader_epoch
        elif context.range is not None and context.range.start is not None:
            position = context.range.start
        elif context.task.delivery.first_start == "earliest":
            position = context.assigned.log_start
        else:
            position = context.assigned.log_end
        if max(position, intent.end if intent is not None else 0) > context.assigned.log_end:
            self._check_short_log(position, found)
        trusted = found is not None and found.trusted and found.identity.fingerprint == context.identity.fingerprint
        if not trusted or context.task.pipeline.partitions_by_clock:  # a repeated flush would get other folders by the clock
            yield from self._discover(position)
        return (yield from self.next_start(position, leader_epoch, intent=intent))

    def next_start(
        self, position: int, leader_epoch: int, *, intent: Intent | None = None, adopted: RepeatFlush | None = None
    ) -> Procedure[StartPoint]:
        """Find the start point at `position`, or after flushes that are already published there.

        Args:
            position: all records before this offset are durable.
            leader_epoch: leader epoch of the record before `position`; -1 if unknown.
            intent: the intent committed at `position`; None without one.
            adopted: a boundary that another owner has published; None without one.
        """
        context = self._context
        while True:
            covering = next((f for f in self._published if f.footer.start <= position < f.footer.end), None)
            if covering is not None:
                yield from self.check_end(covering)
                missing = yield from missing_siblings(context, covering.footer, self._flush_of)
                if missing:
                    return self._finish(covering, missing, position, leader_epoch)
                position, leader_epoch, intent, adopted = covering.footer.end, covering.footer.leader_epoch, None, None
                continue
            self._published = [flush for flush in self._published if flush.footer.end > position]
            limit = min((flush.footer.start for flush in self._published), default=None)
            anchor = yield from self._published_anchor(intent)
            if anchor is not None:
                if (
                    intent is None or anchor.footer.end != intent.end
                ):  # otherwise the writer of the intent has read up to that end
                    yield from self.check_end(anchor)
                missing = yield from missing_siblings(context, anchor.footer, self._flush_of)
                if missing:
                    return self._finish(anchor, missing, position, leader_epoch)
                yield from self.tag(anchor)  # the process that published them may have died before tagging
                yield from self._commit_end(position, anchor.footer)
                position, leader_epoch, intent = anchor.footer.end, anchor.footer.leader_epoch, None
                continue
            if intent is None and adopted is None and context.end is not None and position >= context.end:
                return StartPoint(position, leader_epoch, NewFlush(limit))  # nothing is left to read, or to miss
            readable = self._readable(position)
            position, leader_epoch = readable, leader_epoch if readable == position else -1
            if intent is not None and intent.end <= position:  # the log has deleted all its records
                intent = None
            if adopted is not None and adopted.end <= position:
                adopted = None
            if intent is not None:
                if not intent.rows:
                    adopted = RepeatFlush(intent.end)
                elif limit is not None and intent.end > limit:
                    adopted = RepeatFlush(limit)
                else:
                    repeat = RepeatFlush(intent.end, intent.anchor, has_intent=True)
                    return StartPoint(position, leader_epoch, repeat)
            if adopted is not None:
                if limit is not None:
                    adopted = attrs.evolve(adopted, end=min(limit, adopted.end))
                return StartPoint(position, leader_epoch, adopted)
            return StartPoint(position, leader_epoch, NewFlush(limit))

    def rediscover(self, position: int, leader_epoch: int, sibling: PublishedFlush) -> Procedure[StartPoint]:
        """Find the start point at `position` after discovery, because a sibling of another flush has a key of this flush.

        Raises:
            DeliveryError: the anchor of that flush is gone.
        """
        yield from self.check_anchor(position, sibling)
        return (yield from self.next_start(position, leader_epoch))

    def check_anchor(self, position: int, sibling: PublishedFlush) -> Procedure[None]:
        """Discover the published flushes, and check that the anchor of a sibling is among them.

        An anchor is published before its siblings.

        Raises:
            DeliveryError: the anchor is gone.
        """
        yield from self._discover(position)
        footer = sibling.footer
        if any((flush.footer.start, flush.footer.end) == (footer.start, footer.end) for flush in self._published):
            return
        raise DeliveryError(
            f"{self._context.topic_partition}: {self._context.storage.url}/{sibling.key} exists, and a new file needs this key."
            f" The object belongs to the flush [{footer.start}, {footer.end}), whose first file was deleted. Delete all files"
            " of that flush: its records are then written again.",
            topic=footer.topic,
            partition=footer.partition,
        )

    def _discover(self, position: int) -> Procedure[None]:
        found = yield from discover(self._context, position)
        self._published, self._flush_of, self._knows_all = found.flushes, found.flush_of, found.is_complete

    def finish(self, published: PublishedFlush, position: int, leader_epoch: int) -> Procedure[StartPoint]:
        """Find the start point that completes a flush whose anchor another owner has published."""
        yield from self.check_end(published)
        missing = yield from missing_siblings(self._context, published.footer, self._flush_of)
        if missing:
            return self._finish(published, missing, position, leader_epoch)
        yield from self._commit_end(position, published.footer)
        return (yield from self.next_start(published.footer.end, published.footer.leader_epoch))

    def check_end(self, flush: PublishedFlush) -> Procedure[None]:
        """Check that the log reaches the end of a published flush.

        Raises:
            DamagedFooterError: the log ends before.
        """
        context = self._context
        give_up_at = context.clock.monotonic() + _LOG_END_WAIT_S  # a process that was suspended may know an old log end
        while flush.footer.end > context.log_end():
            if context.clock.monotonic() >= give_up_at:
                raise DamagedFooterError(
                    f"{context.topic_partition}: the file {context.storage.url}/{flush.key} says that its flush ends at offset"
                    f" {flush.footer.end}, and the log ends at {context.log_end()}. Nothing was committed. If the file is"
                    " damaged, restore it, or delete the files of its flush: they are then written again. If the log was"
                    " truncated, wait until it is as long again, or move away the files of the records that it lost.",
                    topic=context.topic_partition.topic,
                    partition=context.topic_partition.partition,
                    key=flush.key,
                )
            yield

    def _commit_end(self, position: int, published: FlushFooter) -> Procedure[None]:
        """Commit the end of a flush all of whose files are published."""
        end = published.end
        trusted = self.trusts(end)
        yield from self._context.commit_end(position, end, published.flush_rows, published.leader_epoch, trusted=trusted)

    def tag(self, flush: PublishedFlush) -> Procedure[None]:
        """Tag all files of a completely published flush, if tags are set; tagged files are tagged again."""
        context = self._context
        if context.task.files.tags is None:
            return
        footers = {flush.key: flush.footer}
        for sibling in flush.footer.siblings or ():
            footer = yield from context.read_footer(sibling.key)
            if footer is not None:
                footers[sibling.key] = footer
        yield from context.tag(footers)

    def _published_anchor(self, intent: Intent | None) -> Procedure[PublishedFlush | None]:
        """The anchor that an intent names; None if it isn't published."""
        if intent is None:
            return None
        key = intent.anchor
        if intent.anchor_hash is not None:
            key = yield from find_key(self._context, intent.anchor_hash, functools.partial(short_hash))
            if key is None and intent.identity.fingerprint != self._context.identity.fingerprint:
                raise UnknownMetadataError(
                    f"{self._context.topic_partition}: a flush up to offset {intent.end} was started under another"
                    " configuration, and the name of its first file was too long to be recorded. Run once with the old"
                    " configuration to finish it.",
                    topic=self._context.topic_partition.topic,
                    partition=self._context.topic_partition.partition,
                )
        if key is None:
            return None
        footer = yield from self._context.read_footer(key)
        return None if footer is None else PublishedFlush(key, footer)

    def _finish(self, flush: PublishedFlush, missing: frozenset[int], position: int, leader_epoch: int) -> StartPoint:
        """The start point that publishes the missing files of a flush."""
        footer = flush.footer
        start = self._readable(footer.start)
        start_epoch = leader_epoch if start == position else -1
        if footer.layout is None:
            if position == footer.start and footer.fingerprint == self._context.identity.fingerprint:
                repeat = RepeatFlush(footer.end, flush.key, has_intent=True)  # gives the same rows
                return StartPoint(start, start_epoch, repeat)
            raise UnknownMetadataError(
                f"{self._context.topic_partition}: {self._context.storage.url}/{flush.key} is the anchor of a flush with"
                f" {counted(len(missing), 'missing file')}, and the anchor's footer doesn't say which rows they held, because"
                " the rows were too scattered. Delete the existing files of this flush, which the footer lists; they are then"
                " written again.",
                topic=footer.topic,
                partition=footer.partition,
            )
        try:
            Layout.decode(footer.layout)
        except ValueError as error:
            raise DamagedFooterError(
                f"{self._context.topic_partition}: {self._context.storage.url}/{flush.key} is the anchor of a flush with"
                f" {counted(len(missing), 'missing file')}, and {error}. Restore the anchor, or delete the files of this flush"
                " that exist: they are then written again.",
                topic=footer.topic,
                partition=footer.partition,
                key=flush.key,
            ) from error
        return StartPoint(start, start_epoch, CompleteFlush(flush, missing))

    def _readable(self, position: int) -> int:
        """The first offset at or after `position` that the log still has.

        Raises:
            DataLossError: the log starts after `position`, and the settings say to fail.
        """
        log_start = self._context.assigned.log_start
        if self._context.end is not None:
            log_start = min(log_start, self._context.end)  # later records aren't wanted
        if position >= log_start:
            return position
        topic, partition = attrs.astuple(self._context.topic_partition)
        if self._context.task.delivery.on_data_loss == "fail":
            raise DataLossError(
                f"{topic}-{partition}: records at offsets [{position}, {log_start}) were deleted from the log before they were"
                " written. Nothing was skipped. To continue without them set kafka2parquet.on.data.loss=continue, or set the"
                f" group's offset to {log_start} with Kafka's tools.",
                topic=topic,
                partition=partition,
                missing_start=position,
                missing_end=log_start,
            )
        self._context.emit(DataLost(self._context.topic_partition, position, log_start))
        return log_start

    def _check_short_log(self, position: int, found: Intent | Breadcrumb | None) -> None:
        """Decide why the log ends before the group's offset: the topic was created again, or the log was truncated.

        Raises:
            TopicRecreatedError: the topic is not known to be the same.
            LogTruncatedError: the topic is the same, and the settings say to fail.
        """
        log_end, topic_id = self._context.assigned.log_end, self._context.identity.topic_id
        if found is None or not topic_id or found.identity.topic_id != topic_id:
            raise self._recreated(f"its log ends at {log_end}, before the committed offset {position}")
        if self._context.task.delivery.on_data_loss == "continue":
            return  # the consumer finds the offset of divergence, and waits for records after the log end
        topic, partition = attrs.astuple(self._context.topic_partition)
        read_end = max(position, found.end if isinstance(found, Intent) else 0)
        raise LogTruncatedError(
            f"{topic}-{partition}: the log ends at offset {log_end}, and records before offset {read_end} were read: an unclean"
            " leader election has truncated it. To take what is written there now, stop all members, move away the files of"
            f" offset {log_end} and later, and set the group's offset to {min(position, log_end)} with Kafka's tools. To keep"
            " the older records and leave out the newer records at their offsets, set kafka2parquet.on.data.loss=continue.",
            topic=topic,
            partition=partition,
            offset=log_end,
        )

    def _elsewhere(self, found: Intent | Breadcrumb) -> ConflictingSinkError:
        topic, partition = attrs.astuple(self._context.topic_partition)
        place = found.identity.place
        other = f"to {place}" if not place.startswith("#") else "elsewhere"
        if isinstance(found, Intent) and found.anchor is not None:
            other += f", last as {found.anchor}"
        return ConflictingSinkError(
            f"{topic}-{partition}: the offsets of this consumer group were committed by a sink that writes {other}, and this"
            f" one writes to {self._context.identity.place}. Two sinks of one group share the records between two places. Give"
            " each sink its own name: the name decides the group. Or, if this sink takes the place of the other one, start it"
            " once with kafka2parquet.take.over=true: it continues at the committed offset.",
            topic=topic,
            partition=partition,
        )

    def _recreated(self, what: str) -> TopicRecreatedError:
        topic, partition = attrs.astuple(self._context.topic_partition)
        return TopicRecreatedError(
            f"{topic}-{partition} was deleted and created again, or its log was cut off: {what}. Stop all members, reset the"
            " group's offset with Kafka's tools, and choose another topics.dir for the new topic.",
            topic=topic,
            partition=partition,
        )
