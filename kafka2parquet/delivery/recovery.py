"""Where to begin: after an assignment, and wherever what is already published decides how to go on.

Three things are known then: the committed offset, the intent that may stand in its metadata, and (only where the metadata
can't be trusted) the published flushes. From them follows a plan for the next flush:

- `Free`: nothing is known of it; the rotation policy cuts it, at the latest where a published flush begins.
- `Redo`: its boundary is recorded in the intent, or was published by another owner; exactly [position, end) is read again.
- `Finish`: its anchor is published and some siblings are not; exactly their rows are read again and published.

The committed offset is trusted when it carries our metadata under the same configuration: then it lies on a published
boundary, and every conflict shows as an object that stands at the key already. Anything else (no commit yet, offsets set by
a tool, another configuration's, folders that depend on the clock) may lie anywhere, so what is published is discovered once,
and until all of it lies behind the committed offset the metadata tells the next owner to discover again.
"""

from __future__ import annotations

import functools

import attrs

from kafka2parquet.delivery.context import PartitionContext, Procedure
from kafka2parquet.delivery.discovery import PublishedFlush, discover, find_key, missing_siblings
from kafka2parquet.delivery.metadata import Intent, parse, short_hash
from kafka2parquet.errors import DataLossError, TopicRecreatedError, UnknownMetadataError
from kafka2parquet.events import DataLost


@attrs.frozen
class Free:
    """The rotation policy cuts, at the latest at `limit`, where a published flush begins."""

    limit: int | None = None


@attrs.frozen
class Redo:
    """The flush ends at `end`, whatever the rotation policy says.

    Attributes:
        end: where the flush ends.
        opened_at_ms: wall clock at which it was opened before, milliseconds since the epoch; None if unknown.
        anchor: key that its first file must have; None where that follows from the rows.
        has_intent: whether the committed metadata says so already.
    """

    end: int
    opened_at_ms: int | None = None
    anchor: str | None = None
    has_intent: bool = False


@attrs.frozen
class Finish:
    """A published flush lacks siblings: write these files, by the anchor's layout.

    Attributes:
        flush: the anchor.
        missing: numbers of the files to write, as the layout counts them, with the keys and headers beside them.
    """

    flush: PublishedFlush
    missing: frozenset[int]

    @property
    def end(self) -> int:
        """Where the flush ends."""
        return self.flush.footer.end


Plan = Free | Redo | Finish


@attrs.frozen
class Beginning:
    """Read from `position` on, by `plan`."""

    position: int
    plan: Plan


class Recovery:
    """Finds the beginnings of one assignment."""

    def __init__(self, context: PartitionContext) -> None:
        self._context = context
        self._published: list[PublishedFlush] = []
        self._existing: frozenset[str] = frozenset()

    def trusts(self, offset: int) -> bool:
        """Whether a commit of `offset` may be trusted: everything discovered begins before it."""
        return all(flush.footer.start < offset for flush in self._published)

    def begin(self) -> Procedure[Beginning]:
        """The first beginning of the assignment.

        Raises:
            UnknownMetadataError: the committed metadata can't be understood.
            TopicRecreatedError: the offsets belong to an older topic of this name.
            DataLossError: records are gone and the settings say to fail.
        """
        context = self._context
        committed = context.assigned.committed
        found = parse(committed.metadata, context.topic_partition, context.identity.cluster_id) if committed else None
        intent = found if isinstance(found, Intent) else None
        if found is not None and found.identity.topic_id and context.identity.topic_id not in ("", found.identity.topic_id):
            raise self._recreated("its committed offset was written for a topic with another id")
        if committed is not None:
            position = committed.offset
        elif context.settings.first_start == "earliest":
            position = context.assigned.log_start
        else:
            position = context.assigned.log_end
        if max(position, intent.end if intent is not None else 0) > context.assigned.log_end:
            raise self._recreated(f"its log ends at {context.assigned.log_end}, before the committed offset {position}")
        trusted = found is not None and found.trusted and found.identity.fingerprint == context.identity.fingerprint
        if not trusted or context.chain.partitions_by_clock:  # by the clock, a repeated flush would go to other folders
            yield from self._discover(position)
        return (yield from self.go_on(position, intent=intent))

    def go_on(self, position: int, *, intent: Intent | None = None, adopted: Redo | None = None) -> Procedure[Beginning]:
        """The beginning at `position`, given what is published.

        Args:
            position: all before it is durable.
            intent: recorded at `position`.
            adopted: a boundary that another owner has published.
        """
        context = self._context
        while True:
            covering = next((f for f in self._published if f.footer.start <= position < f.footer.end), None)
            if covering is not None:
                missing = yield from missing_siblings(context, covering.footer, self._existing)
                if missing:
                    return Beginning(self._readable(covering.footer.start), self._finish(covering, missing, position))
                position, intent, adopted = covering.footer.end, None, None
                continue
            self._published = [flush for flush in self._published if flush.footer.end > position]
            limit = min((flush.footer.start for flush in self._published), default=None)
            anchor = yield from self._published_anchor(intent)
            if anchor is not None:
                missing = yield from missing_siblings(context, anchor.footer, self._existing)
                if missing:
                    return Beginning(self._readable(anchor.footer.start), self._finish(anchor, missing, position))
                yield from self.tag(anchor)  # who published them may have died before
                end = anchor.footer.end
                yield from context.commit_end(position, end, anchor.footer.flush_rows, trusted=self.trusts(end))
                position, intent = end, None
                continue
            position = self._readable(position)
            if intent is not None and intent.end <= position:  # deleted from the log whole: there is nothing to redo
                intent = None
            if adopted is not None and adopted.end <= position:
                adopted = None
            if intent is not None:
                if not intent.rows:
                    adopted = Redo(intent.end, intent.opened_at_ms)
                elif limit is not None and intent.end > limit:
                    adopted = Redo(limit, intent.opened_at_ms)
                else:
                    return Beginning(position, Redo(intent.end, intent.opened_at_ms, intent.anchor, has_intent=True))
            if adopted is not None:
                return Beginning(position, adopted if limit is None else attrs.evolve(adopted, end=min(limit, adopted.end)))
            return Beginning(position, Free(limit))

    def rediscover(self, position: int) -> Procedure[Beginning]:
        """The beginning at `position`, after looking at all that is published."""
        yield from self._discover(position)
        return (yield from self.go_on(position))

    def _discover(self, position: int) -> Procedure[None]:
        found = yield from discover(self._context, position)
        self._published, self._existing = found.flushes, found.keys

    def finish(self, published: PublishedFlush, position: int) -> Procedure[Beginning]:
        """The beginning that completes a flush whose anchor another owner has published."""
        missing = yield from missing_siblings(self._context, published.footer, self._existing)
        if missing:
            return Beginning(self._readable(published.footer.start), self._finish(published, missing))
        end = published.footer.end
        yield from self._context.commit_end(position, end, published.footer.flush_rows, trusted=self.trusts(end))
        return (yield from self.go_on(end))

    def tag(self, flush: PublishedFlush) -> Procedure[None]:
        """Tag all files of a flush that is published whole, if the settings say so; also those that have their tags."""
        context = self._context
        if context.tags is None:
            return
        footers = {flush.key: flush.footer}
        for sibling in flush.footer.siblings or ():
            footer = yield from context.read_footer(sibling.key)
            if footer is not None:
                footers[sibling.key] = footer
        yield from context.tag(footers)

    def _published_anchor(self, intent: Intent | None) -> Procedure[PublishedFlush | None]:
        """The anchor that an intent names, if it is published."""
        if intent is None:
            return None
        key = intent.anchor
        if intent.anchor_hash is not None:
            key = yield from find_key(self._context, intent.anchor_hash, functools.partial(short_hash))
            if key is None and intent.identity.fingerprint != self._context.identity.fingerprint:
                raise UnknownMetadataError(
                    f"{self._context.topic_partition}: a flush up to offset {intent.end} was begun under another"
                    " configuration, and the name of its first file was too long to be recorded. Run once with the old"
                    " configuration to finish it.",
                    topic=self._context.topic_partition.topic,
                    partition=self._context.topic_partition.partition,
                )
        if key is None:
            return None
        footer = yield from self._context.read_footer(key)
        return None if footer is None else PublishedFlush(key, footer)

    def _finish(self, flush: PublishedFlush, missing: frozenset[int], position: int | None = None) -> Finish | Redo:
        footer = flush.footer
        if footer.layout is None:
            if position == footer.start and footer.fingerprint == self._context.identity.fingerprint:
                return Redo(footer.end, footer.opened_at_ms, flush.key, has_intent=True)  # the same rows come out again
            raise UnknownMetadataError(
                f"{self._context.topic_partition}: {self._context.storage.url}/{flush.key} is the anchor of a flush of which"
                f" {len(missing)} files are missing, and its footer doesn't say which rows they held because these were too"
                " scattered. Delete the files of this flush that exist, listed in that footer; they are then written anew.",
                topic=footer.topic,
                partition=footer.partition,
            )
        return Finish(flush, missing)

    def _readable(self, position: int) -> int:
        """The first offset from `position` on that the log still has.

        Raises:
            DataLossError: it begins later, and the settings say to fail.
        """
        log_start = self._context.assigned.log_start
        if position >= log_start:
            return position
        topic, partition = attrs.astuple(self._context.topic_partition)
        if self._context.settings.on_data_loss == "fail":
            raise DataLossError(
                f"{topic}-{partition}: records at offsets [{position}, {log_start}) were deleted from the log before they were"
                " written. Nothing was skipped. To go on without them set kafka2parquet.on.data.loss=continue, or set the"
                f" group's offset to {log_start} with Kafka's tools.",
                topic=topic,
                partition=partition,
                missing_start=position,
                missing_end=log_start,
            )
        self._context.emit(DataLost(self._context.topic_partition, position, log_start))
        return log_start

    def _recreated(self, what: str) -> TopicRecreatedError:
        topic, partition = attrs.astuple(self._context.topic_partition)
        return TopicRecreatedError(
            f"{topic}-{partition} was deleted and created again, or its log was cut off: {what}. Stop all members, set the"
            " group's offset anew with Kafka's tools, and choose another topics.dir for the new topic.",
            topic=topic,
            partition=partition,
        )
