"""One flush on its way into the world: stage, intent, anchor, siblings, end.

1. Stage: every file is complete, locally, before anything is visible.
2. Intent: commit the flush's start with its end and the anchor's key as metadata.
3. Publish, create-only: the anchor first, then its siblings. An object that stands at a key already says by its footer what to
   do: the same flush counts as done; another boundary is adopted, and this flush stops at once; anything else is an error.
4. Commit the flush's end with a breadcrumb.

A flush without rows goes straight to 4. So whoever dies anywhere leaves either nothing, or an intent under which the next
owner makes the same flush again, or an anchor that tells exactly what is missing.
"""

from __future__ import annotations

import functools

import attrs

from kafka2parquet.delivery.calls import StorageCall
from kafka2parquet.delivery.context import PartitionContext, Procedure, Waitable, until
from kafka2parquet.delivery.discovery import PublishedFlush
from kafka2parquet.delivery.flush import Flush, StagedFlushFile
from kafka2parquet.delivery.metadata import Intent
from kafka2parquet.delivery.recovery import Beginning, Finish, Plan, Recovery, Redo
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.events import BoundaryAdopted, FilePublished, IntentCommitted, StorageRetried
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.storage.base import AlreadyExists, Published


def deliver(context: PartitionContext, flush: Flush, plan: Plan, recovery: Recovery) -> Procedure[Beginning | None]:
    """Deliver a flush that was cut under `plan`.

    Returns:
        None when it is durable and committed as it was cut; else where to begin again, because somebody else was here.
    """
    if isinstance(plan, Finish):
        return (yield from _deliver_missing(context, flush, plan, recovery))
    if not flush.files and not (isinstance(plan, Redo) and plan.anchor is not None):
        yield from context.commit_end(flush.start, flush.end, 0, trusted=recovery.trusts(flush.end))
        return None
    files = yield from _stage(context, flush, plan.anchor if isinstance(plan, Redo) else None)
    anchor, *siblings = files
    if not (isinstance(plan, Redo) and plan.has_intent):
        trusted = recovery.trusts(flush.start)
        intent = Intent(context.identity, trusted, flush.end, flush.rows, flush.opened_at_ms, anchor.key)
        yield from context.commits.commit(flush.start, intent)
        context.emit(IntentCommitted(context.topic_partition, flush.start, flush.end))
    found = yield from _published(context, anchor, _publish(context, anchor))
    if found.end != flush.end:
        return (yield from _adopt(context, flush, found, recovery))
    if not found.is_anchor:  # a sibling of a flush that began elsewhere: only its anchor knows the other files
        return (yield from recovery.rediscover(flush.start))
    if not _same_files(
        found, anchor.footer
    ):  # the same boundary, other rows (the log has shrunk): the published anchor decides
        return (yield from recovery.finish(PublishedFlush(anchor.key, found), flush.start))
    calls = [_publish(context, sibling) for sibling in siblings]
    for sibling, call in zip(siblings, calls, strict=True):
        found = yield from _published(context, sibling, call)
        if found.end != flush.end:
            for other in calls:
                other.abandon()
            return (yield from _adopt(context, flush, found, recovery))
    yield from context.commit_end(flush.start, flush.end, flush.rows, trusted=recovery.trusts(flush.end))
    return None


def _deliver_missing(context: PartitionContext, flush: Flush, plan: Finish, recovery: Recovery) -> Procedure[Beginning]:
    """Publish the missing siblings of a published anchor; whatever stands at their keys by then is as good."""
    siblings = plan.flush.footer.siblings or ()
    files = yield from _complete(
        context,
        flush,
        [file.encoded_partition for file in flush.files],  # the keys: rows were routed by the anchor's layout
        [
            attrs.evolve(
                plan.flush.footer,
                file_rows=file.rows,
                first_offset=file.first_offset,
                last_offset=file.last_offset,
                siblings=None,
                layout=None,
            )
            for file in flush.files
        ],
    )
    calls = [_publish(context, file) for file in files]
    for file, call in zip(files, calls, strict=True):
        yield from _published(context, file, call)
    end = plan.end
    yield from context.commit_end(flush.start, end, sum(s.rows for s in siblings), trusted=recovery.trusts(end))
    return (yield from recovery.go_on(end))


def _stage(context: PartitionContext, flush: Flush, forced_anchor: str | None) -> Procedure[list[StagedFlushFile]]:
    """Name the files and complete them. Under a recorded anchor, the first file gets that name whatever rows it holds."""
    topic, partition = attrs.astuple(context.topic_partition)
    if forced_anchor is not None:
        name = context.naming.parse(forced_anchor)
        flush.put_first(name.encoded_partition if name is not None else "", context.writer)
    keys = [context.naming.key(topic, partition, file.encoded_partition, file.first_offset) for file in flush.files]
    if forced_anchor is not None:
        keys[0] = forced_anchor
    common = FlushFooter(
        cluster_id=context.identity.cluster_id,
        topic_id=context.identity.topic_id,
        topic=topic,
        partition=partition,
        start=0,
        end=0,
        flush_rows=0,
        file_rows=0,
        first_offset=-1,
        last_offset=-1,
        fingerprint=context.identity.fingerprint,
        opened_at_ms=0,
        reason="",
    )
    return (yield from _complete(context, flush, keys, flush.footers(keys, common)))


def _complete(
    context: PartitionContext, flush: Flush, keys: list[str], footers: list[FlushFooter]
) -> Procedure[list[StagedFlushFile]]:
    """Complete the files locally; while the staging folder is full, wait and try again."""
    attempt = 1
    while True:
        try:
            schema = flush.any_schema()
            return [
                StagedFlushFile(key, footer, file.content.finish(footer.to_metadata(), schema))
                for key, footer, file in zip(keys, footers, flush.files, strict=True)
            ]
        except StorageUnavailableError as error:
            pause_s = context.calls.retry.pause_s(attempt, error)
            context.emit(StorageRetried(context.topic_partition, error, attempt, pause_s))
            resume_at = context.clock.monotonic() + pause_s
            while context.clock.monotonic() < resume_at:
                yield
            attempt += 1


def _publish(context: PartitionContext, file: StagedFlushFile) -> StorageCall[Published | AlreadyExists]:
    return context.call(functools.partial(context.storage.publish, file.key, file.staged))


def _published(
    context: PartitionContext, file: StagedFlushFile, call: Waitable[Published | AlreadyExists]
) -> Procedure[FlushFooter]:
    """Wait for a publish; the footer of what stands at the key now.

    Raises:
        ForeignObjectError: something else stood there.
    """
    outcome = yield from until(call)
    footer = file.footer
    if isinstance(outcome, AlreadyExists):
        footer = context.own_footer(file.key, FlushFooter.from_metadata(outcome.metadata))
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


def _adopt(context: PartitionContext, flush: Flush, found: FlushFooter, recovery: Recovery) -> Procedure[Beginning]:
    """Another owner's boundary is published: cut there too, and read [start, end) again."""
    flush.discard()
    context.emit(BoundaryAdopted(context.topic_partition, flush.start, found.end))
    return (yield from recovery.go_on(flush.start, adopted=Redo(found.end, found.opened_at_ms)))


def _same_files(found: FlushFooter, ours: FlushFooter) -> bool:
    return (found.flush_rows, found.file_rows, found.siblings, found.layout) == (
        ours.flush_rows,
        ours.file_rows,
        ours.siblings,
        ours.layout,
    )
