"""Delivers one flush: stage, commit the intent, publish the anchor, publish its siblings, commit the end.

The package docstring (`kafka2parquet.delivery`) explains the protocol. `deliver` shows the order of effects. The functions
below are its steps, and check that a flush and the published files agree.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence

import attrs

from kafka2parquet.backoff import Retrying
from kafka2parquet.clock import Clock
from kafka2parquet.delivery.calls import StorageCall
from kafka2parquet.delivery.commit_metadata import Intent
from kafka2parquet.delivery.completing import rejects_file
from kafka2parquet.delivery.context import PartitionContext, Procedure, Waitable, until
from kafka2parquet.delivery.discovery import PublishedFlush, file_of_another_flush
from kafka2parquet.delivery.flush.cut_flush import Flush, StagedFlushFile
from kafka2parquet.delivery.flush.flush_file import FlushFile
from kafka2parquet.delivery.recovery import CompleteFlush, FlushPlan, Recovery, RepeatFlush, StartPoint
from kafka2parquet.errors import (
    DeliveryError,
    ForeignObjectError,
    LogTruncatedError,
    StorageUnavailableError,
    UnknownMetadataError,
)
from kafka2parquet.events import BoundaryAdopted, FilePublished, FlushDelivered, IntentCommitted, LogTruncated, StorageRetried
from kafka2parquet.object_names import ObjectName, why_no_object
from kafka2parquet.parquet.footer import FlushFooter, Role, Sibling
from kafka2parquet.parquet.writer import OpenFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.util.display import counted

#: The most files completed in one step, so that a flush of many files doesn't delay the next poll.
_FILES_A_STEP = 500


def deliver(context: PartitionContext, flush: Flush, plan: FlushPlan, recovery: Recovery) -> Procedure[StartPoint | None]:
    """Deliver a flush that was cut under `plan`.

    Returns:
        None if the flush is durable and committed as it was cut; otherwise the next start point, because another owner has
        delivered records of this flush.
    """
    _check_whole(context, flush, flush.why_not_whole())
    for sending in flush.sendings:  # a commit or an anchor would declare these records done
        yield from until(sending)
    if isinstance(plan, CompleteFlush):
        return (yield from _deliver_missing(context, flush, plan, recovery))
    if not flush.files and not (isinstance(plan, RepeatFlush) and plan.anchor is not None):
        yield from _commit_end(context, flush, 0, recovery)
        return None
    times = _StepTimes(context.clock)
    files = yield from _stage(context, flush, plan.anchor if isinstance(plan, RepeatFlush) else None)
    anchor, *siblings = files
    times.end("stage")
    if not (isinstance(plan, RepeatFlush) and plan.has_intent):
        trusted = recovery.trusts(flush.start)
        intent = Intent(context.identity, trusted, flush.end, flush.rows, flush.opened_at_ms, anchor.key)
        yield from context.commits.commit(flush.start, intent, flush.start_epoch)
        context.emit(IntentCommitted(context.topic_partition, flush.start, flush.end))
    times.end("intent")
    found = yield from _published(context, anchor, _publish(context, anchor))
    if not found.is_anchor:  # a sibling of a flush with another start: only its own anchor lists its files
        flush.discard()
        return (yield from recovery.rediscover(flush.start, flush.start_epoch, PublishedFlush(anchor.key, found)))
    if found.end != flush.end:
        return (yield from _adopt(context, flush, PublishedFlush(anchor.key, found), recovery))
    was_truncated = _was_truncated(context, flush, found)
    if was_truncated or not _same_files(found, anchor.footer):  # same boundary, other rows: the published anchor wins
        return (yield from recovery.finish(PublishedFlush(anchor.key, found), flush.start, flush.start_epoch))
    calls = [_publish(context, sibling) for sibling in siblings]
    for sibling, call in zip(siblings, calls, strict=True):
        found = yield from _published(context, sibling, call)
        if found.end != flush.end:  # a flush with another start and the same end has the same rows in this file
            for other in calls:
                other.abandon()
            flush.discard()
            if not found.is_anchor:
                yield from recovery.check_anchor(flush.start, PublishedFlush(sibling.key, found))
            raise file_of_another_flush(context, sibling.key, anchor.footer, (found.start, found.end))
    yield from context.tag({file.key: file.footer for file in files})
    times.end("publish")
    yield from _commit_end(context, flush, flush.rows, recovery)
    times.end("commit")
    context.emit(_delivered(context, flush, files, times))
    return None


class _StepTimes:
    """Measures how long each step of a delivery takes, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self.seconds: dict[str, float] = {}

    def end(self, step: str) -> None:
        """End a step; the next one starts now."""
        now = self._clock.monotonic()
        self.seconds[step] = now - self._started
        self._started = now


def _delivered(context: PartitionContext, flush: Flush, files: Sequence[StagedFlushFile], times: _StepTimes) -> FlushDelivered:
    return FlushDelivered(
        context.topic_partition,
        start=flush.start,
        end=flush.end,
        rows=flush.rows,
        files=len(files),
        file_bytes=sum(file.staged.size_bytes for file in files),
        reason=flush.reason,
        opened_at=flush.opened_at,
        first_record_ms=flush.first_record_ms if flush.first_record_ms is not None else flush.opened_at_ms,
        stage_s=times.seconds["stage"],
        intent_s=times.seconds["intent"],
        publish_s=times.seconds["publish"],
        commit_s=times.seconds["commit"],
    )


def _commit_end(context: PartitionContext, flush: Flush, rows: int, recovery: Recovery) -> Procedure[None]:
    trusted = recovery.trusts(flush.end)
    yield from context.commit_end(flush.start, flush.end, rows, flush.leader_epoch, trusted=trusted)


def _deliver_missing(context: PartitionContext, flush: Flush, plan: CompleteFlush, recovery: Recovery) -> Procedure[StartPoint]:
    """Publish the missing siblings of a published anchor, or accept those that another owner has published meanwhile."""
    footer = plan.flush.footer
    _was_truncated(context, flush, footer)
    listed: dict[tuple[int | None, Role], Sibling] = {(each.file, each.role): each for each in footer.siblings or ()}
    numbers = {id(file): _listed_number(file, footer) for file in flush.files}
    made = [(listed.get((numbers[id(file)], role)), file, role, content) for file, role, content in flush.parts]
    _check_roles(context, plan, {numbers[id(file)]: file.contents.keys() for file in flush.files})
    rows = {sibling: content.rows for sibling, _, _, content in made if sibling is not None}
    keeps_rejects = context.task.rejects.quarantine or rejects_file(footer) is not None
    for wanted in footer.siblings or ():
        if wanted.file in plan.missing:
            _check_rows(context, plan, flush, wanted, rows.get(wanted, 0), keeps_rejects)
    for sibling, _, _, content in made:
        if sibling is None:  # already published, or not a file of this flush
            content.discard()
    times = _StepTimes(context.clock)
    files = yield from _complete(
        context,
        flush,
        [
            (
                sibling.key,
                attrs.evolve(
                    footer,
                    role=role,
                    file_rows=content.rows,
                    first_offset=file.first_offset,
                    last_offset=file.last_offset,
                    min_time_ms=file.min_time_ms,
                    max_time_ms=file.max_time_ms,
                    flush_min_time_ms=None,
                    flush_max_time_ms=None,
                    siblings=None,
                    layout=None,
                ),
                content,
            )
            for sibling, file, role, content in made
            if sibling is not None
        ],
    )
    times.end("stage")
    times.end("intent")
    calls = [_publish(context, file) for file in files]
    for file, call in zip(files, calls, strict=True):
        yield from _published(context, file, call)
    yield from recovery.tag(plan.flush)
    times.end("publish")
    yield from _commit_end(context, flush, footer.flush_rows, recovery)
    times.end("commit")
    context.emit(_delivered(context, flush, files, times))
    return (yield from recovery.next_start(flush.end, flush.leader_epoch))


def _listed_number(file: FlushFile, footer: FlushFooter) -> int | None:
    """The number of a file in the anchor's layout, for a file that is written again."""
    return rejects_file(footer) if file.encoded_partition is None else int(file.encoded_partition)


def _check_roles(context: PartitionContext, plan: CompleteFlush, made: Mapping[int | None, Collection[Role]]) -> None:
    """Check that the current configuration writes the files of keys and headers that are missing.

    Raises:
        UnknownMetadataError: the current configuration doesn't write them.
    """
    for sibling in plan.flush.footer.siblings or ():
        if sibling.file in plan.missing and sibling.file in made and sibling.role not in made[sibling.file]:
            raise UnknownMetadataError(
                f"{context.topic_partition}: {context.storage.url}/{sibling.key}, a file of {sibling.role} of the flush of"
                f" {plan.flush.key}, is not published, and this configuration writes no such files. Run once with the old"
                " configuration to finish it.",
                topic=context.topic_partition.topic,
                partition=context.topic_partition.partition,
            )


def _check_rows(
    context: PartitionContext, plan: CompleteFlush, flush: Flush, sibling: Sibling, rows: int, keeps_rejects: bool
) -> None:
    """Check that a file has as many rows as its anchor says, if rejects are quarantined or rows have files of keys.

    Fewer rows are accepted if the log has lost records.

    Raises:
        UnknownMetadataError: the current configuration leaves out other records than the one that published the anchor.
    """
    footer, has_views = plan.flush.footer, context.task.pipeline.views is not None
    if rows == sibling.rows or (rows < sibling.rows and sibling.file not in flush.left_out_files):
        return
    if not has_views and (rows > sibling.rows or not keeps_rejects):
        return
    what_to_do = "Run once with the old configuration to finish it."
    if footer.fingerprint == context.identity.fingerprint:
        if not keeps_rejects and rows < sibling.rows:
            return  # the same records were left out then, so the log has lost some
        what_to_do = (
            "The schema that was learned then is not known now: keep it in the store (`SchemaContract`). Delete the files of"
            " this flush that exist, listed in the footer of the first one; they are then written again."
        )
    if reason := why_no_object(context.storage)(sibling.key):
        what_to_do = (
            f"No object can have that key: {reason}. Stop all members, and delete the files of this flush that exist, listed in"
            " the footer of the first one; they are then written again, without the records of that folder, which are rejected."
        )
    raise UnknownMetadataError(
        f"{context.topic_partition}: {context.storage.url}/{sibling.key}, a file of the flush of {plan.flush.key}, is not"
        f" published. It has to hold {counted(sibling.rows, 'record')}, and {rows} of them can be written now, because other"
        f" records than before are rejected or left out. {what_to_do}",
        topic=context.topic_partition.topic,
        partition=context.topic_partition.partition,
    )


def _stage(context: PartitionContext, flush: Flush, forced_anchor: str | None) -> Procedure[list[StagedFlushFile]]:
    """Name the files and complete them. If the anchor's key is recorded, the first file takes it, whatever rows it holds."""
    topic, partition = attrs.astuple(context.topic_partition)
    name = context.task.naming.parse(forced_anchor) if forced_anchor is not None else None
    if forced_anchor is not None:
        _check_anchor(context, flush, forced_anchor)
        flush.put_first(*_place_of(name), context.task.writer)
    keys = [_key(context, file, role, file.first_offset) for file, role, _ in flush.parts]
    if name is not None:  # files of keys and headers share the anchor's name
        first = flush.files[0]
        keys[: len(first.contents)] = [_key(context, first, role, name.first_offset) for role in first.contents]
    if forced_anchor is not None:
        keys[0] = forced_anchor
    common = FlushFooter(
        cluster_id=context.identity.cluster_id,
        topic_id=context.identity.topic_id,
        topic=topic,
        partition=partition,
        group_id=context.assigned.group_id,
        start=flush.start,
        end=flush.end,
        flush_rows=0,
        file_rows=0,
        first_offset=-1,
        last_offset=-1,
        fingerprint=context.identity.fingerprint,
        opened_at_ms=0,
        reason="",
    )
    contents = [content for _, _, content in flush.parts]
    return (yield from _complete(context, flush, list(zip(keys, flush.footers(keys, common), contents, strict=True))))


def _check_anchor(context: PartitionContext, flush: Flush, key: str) -> None:
    """Refuse an intent whose anchor can't be published; earlier versions may have committed one.

    Raises:
        UnknownMetadataError: the key is not valid in this store.
    """
    if reason := why_no_object(context.storage)(key):
        flush.discard()
        raise UnknownMetadataError(
            f"{context.topic_partition}: the committed intent says that the first file of the flush [{flush.start},"
            f" {flush.end}) is {key!r}, and no object can have that key: {reason}. Stop all members, and set the group's"
            f" offset to {flush.start} with Kafka's tools. The records are then read again, and the records of that folder are"
            " rejected.",
            topic=context.topic_partition.topic,
            partition=context.topic_partition.partition,
        )


def _place_of(name: ObjectName | None) -> tuple[str | None, Role]:
    """The encoded partition and the role of the file with a name; `name` is None if another naming made the key."""
    if name is None:
        return "", "values"
    if name.encoded_partition is None:
        return None, "rejects"
    return name.encoded_partition, name.view if name.view is not None else "values"


def _key(context: PartitionContext, file: FlushFile, role: Role, first_offset: int) -> str:
    topic, partition = attrs.astuple(context.topic_partition)
    if file.encoded_partition is None:
        return context.task.naming.quarantine_key(topic, partition, first_offset)
    view = role if role == "keys" or role == "headers" else None
    return context.task.naming.key(topic, partition, file.encoded_partition, first_offset, view=view)


def _complete(
    context: PartitionContext, flush: Flush, parts: Sequence[tuple[str, FlushFooter, OpenFile]]
) -> Procedure[list[StagedFlushFile]]:
    """Complete the files locally, retrying while the staging folder is full."""
    retrying = Retrying(attrs.evolve(context.task.delivery.storage_retry, limit_s=None), context.clock)
    while True:
        try:
            files = []
            for key, footer, content in parts:
                schema = flush.schema_without_columns(footer.role, content)
                files.append(StagedFlushFile(key, footer, content.finish(footer.to_metadata(), schema)))
                if not len(files) % _FILES_A_STEP:
                    yield
            flush.measure()
            _check_whole(context, flush, next(filter(None, map(_why_not_staged, files)), None))
            return files
        except StorageUnavailableError as error:
            pause_s = retrying.failed(error)
            context.emit(StorageRetried(context.topic_partition, error, retrying.attempt, pause_s))
            while not retrying.is_due:
                yield


def _why_not_staged(file: StagedFlushFile) -> str | None:
    if file.staged.rows == file.footer.file_rows:
        return None
    return f"{file.key} has {counted(file.staged.rows, 'row')}, and its footer says {file.footer.file_rows}"


def _was_truncated(context: PartitionContext, flush: Flush, published: FlushFooter) -> bool:
    """Whether records of [start, end) have a later leader epoch than the published anchor knows.

    Such records were written after the log was truncated, and must not be published beside the records that they replaced.

    Raises:
        LogTruncatedError: there are such records, and the settings say to fail.
    """
    if not -1 < published.leader_epoch < flush.leader_epoch:
        return False
    offset = next(position for position, epoch in flush.epochs if epoch > published.leader_epoch)
    if context.task.delivery.on_data_loss == "continue":
        context.emit(LogTruncated(context.topic_partition, offset, flush.end))
        return True
    raise LogTruncatedError(
        f"{context.topic_partition}: a file of the flush [{published.start}, {published.end}) was published with records of"
        f" leader epoch {published.leader_epoch}, and from offset {offset} on the log has records of epoch {flush.leader_epoch}"
        " now: an unclean leader election has truncated it. None of the newer records was written. To take them, stop all"
        f" members, move the files of this flush and later ones away, and set the group's offset to {published.start} with"
        " Kafka's tools. To leave out the newer records of this flush, set kafka2parquet.on.data.loss=continue.",
        topic=context.topic_partition.topic,
        partition=context.topic_partition.partition,
        offset=offset,
    )


def _check_whole(context: PartitionContext, flush: Flush, why_not: str | None) -> None:
    """Stop a flush whose counts contradict each other, before any of its files is published.

    Raises:
        DeliveryError: the counts do.
    """
    if why_not is None:
        return
    flush.discard()
    raise DeliveryError(
        f"{context.topic_partition}: the flush [{flush.start}, {flush.end}) is not complete: {why_not}. No part of it was"
        " published or committed. Close the task and start a new one, which reads these records again.",
        topic=context.topic_partition.topic,
        partition=context.topic_partition.partition,
    )


def _publish(context: PartitionContext, file: StagedFlushFile) -> StorageCall[Published | AlreadyExists]:
    return context.call(functools.partial(context.storage.publish, file.key, file.staged))


def _published(
    context: PartitionContext, file: StagedFlushFile, call: Waitable[Published | AlreadyExists]
) -> Procedure[FlushFooter]:
    """Wait until a file is published; return the footer of the object that now has the file's key.

    Raises:
        ForeignObjectError: an object of another origin has the key.
    """
    outcome = yield from until(call)
    footer = file.footer
    if isinstance(outcome, AlreadyExists):
        try:
            footer = context.own_footer(file.key, outcome.metadata)
        except ForeignObjectError as error:
            ours = f"{counted(footer.file_rows, 'row')} of offsets {footer.first_offset} to {footer.last_offset}"
            raise ForeignObjectError(
                f"{error} The file to be published there has {ours}, of the flush [{footer.start}, {footer.end}).",
                topic=footer.topic,
                partition=footer.partition,
                key=file.key,
            ) from None
    file.staged.discard()
    context.emit(
        FilePublished(
            context.topic_partition,
            file.key,
            footer.file_rows,
            file.staged.size_bytes,
            footer.is_anchor,
            isinstance(outcome, Published),
        )
    )
    return footer


def _adopt(context: PartitionContext, flush: Flush, found: PublishedFlush, recovery: Recovery) -> Procedure[StartPoint]:
    """Adopt the boundary that another owner has published, and read [start, end) again."""
    flush.discard()
    yield from recovery.check_end(found)
    end = found.footer.end
    context.emit(BoundaryAdopted(context.topic_partition, flush.start, end))
    adopted = RepeatFlush(end)
    return (yield from recovery.next_start(flush.start, flush.start_epoch, adopted=adopted))


def _same_files(found: FlushFooter, ours: FlushFooter) -> bool:
    return (found.flush_rows, found.file_rows, found.siblings, found.layout) == (
        ours.flush_rows,
        ours.file_rows,
        ours.siblings,
        ours.layout,
    )
