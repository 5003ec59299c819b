"""The context that all steps of a topic-partition's delivery share, and the notation in which the steps are written.

The steps (recover, deliver, ...) are generators that read like the protocol. They `yield` while they wait for the store or
for Kafka, and the engine resumes them in each `SinkTask.step()`. If the process dies or the assignment ends, the generator is
never resumed. Nothing has to be cleaned up then, because only publishing and committing change the store and Kafka.
"""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol, TypeVar

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.consumers.base import Assigned, Consumer
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.delivery.bounds import OffsetRange
from kafka2parquet.delivery.calls import StorageCall, StorageCalls
from kafka2parquet.delivery.commit_metadata import Breadcrumb, Identity, Intent, short_hash
from kafka2parquet.delivery.flush.file_schemas import FileSchemas
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, RejectPolicy
from kafka2parquet.errors import ConflictingSinkError, DamagedFooterError, ForeignObjectError, Kafka2ParquetError
from kafka2parquet.events import Event, OffsetCommitted, StorageRetried, TaggingFailed
from kafka2parquet.object_names import ObjectNaming, why_no_object
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.pipeline.record_pipeline import RecordPipeline
from kafka2parquet.records import TopicPartition
from kafka2parquet.rotation.base import RotationPolicy
from kafka2parquet.storage.base import Storage
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.chain import TransformChain
from kafka2parquet.util.secrets import without_credentials

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Procedure = Generator[None, None, T]
"""A generator that yields while it waits, and returns its result."""


class Waitable(Protocol[T_co]):
    """A result that may not be known yet, such as a future or a `StorageCall`."""

    def done(self) -> bool:
        """Whether the result is known. Never blocks."""

    def result(self) -> T_co:
        """Return the result, once it is known."""


def until(waitable: Waitable[T]) -> Procedure[T]:
    """Wait for a result."""
    while not waitable.done():
        yield
    return waitable.result()


class Commits:
    """Commits offsets of one assignment, one commit at a time.

    A refused commit ends the assignment. The procedure that waits for the commit is then never resumed, so refusals need no
    handling here.
    """

    def __init__(self, consumer: Consumer, assigned: Assigned) -> None:
        self._consumer = consumer
        self._assignment = assigned.assignment
        self._under_way: tuple[int, str] | None = None
        self.committed = assigned.committed.offset if assigned.committed is not None else None
        """The group's committed offset; None before the first commit."""

    def commit(self, offset: int, metadata: Intent | Breadcrumb, leader_epoch: int) -> Procedure[None]:
        """Commit an offset, and wait until Kafka has stored the commit.

        Args:
            offset: the next offset to read.
            metadata: text that is stored with the offset.
            leader_epoch: leader epoch of the record before `offset`; -1 if unknown.
        """
        self._under_way = (offset, metadata.format())
        self._consumer.commit(self._assignment, *self._under_way, leader_epoch)
        while self._under_way is not None:
            yield

    def succeeded(self, offset: int, metadata: str) -> None:
        """Record that Kafka has stored a commit. The driver calls this for each `CommitSucceeded`."""
        if self._under_way == (offset, metadata):
            self._under_way = None
            self.committed = offset


@attrs.frozen(eq=False)
class TaskParts:
    """The parts and settings of a task, which all its topic-partitions share.

    Attributes:
        consumer: reads the records.
        pipeline: converts and partitions records.
        rotation: ends flushes.
        storage: where files go.
        calls: runs calls to the store on a pool of threads.
        naming: names of objects.
        writer: opens files.
        file_schemas: decides which rows may share a file.
        files: the settings of files, which `naming`, `writer` and `file_schemas` were made from.
        rejects: what happens to records that can't be written.
        delivery: the guarantee, where to start, what to do about lost records.
        clock: the time.
        emit: calls the hooks of the task with an event.
    """

    consumer: Consumer
    pipeline: RecordPipeline
    rotation: RotationPolicy
    storage: Storage
    calls: StorageCalls
    naming: ObjectNaming
    writer: ParquetWriter
    file_schemas: FileSchemas
    files: FileSettings
    rejects: RejectPolicy
    delivery: DeliverySettings
    clock: Clock
    emit: Callable[[Event], None]
    _fingerprint: str = attrs.field(init=False)

    @_fingerprint.default
    def _new_fingerprint(self) -> str:
        """Name all settings that decide which rows a flush writes, and where.

        A sink with another fingerprint doesn't repeat the flush of an intent, so the same settings must keep their fingerprint.
        """
        made_by = (self.naming.fingerprint, self.pipeline.fingerprint, self.file_schemas.fingerprint, self.writer.types)
        return short_hash("|".join((*made_by, str(self.rejects.tolerance), str(self.rejects.quarantine))))[:8]

    @classmethod
    def of(
        cls,
        *,
        consumer: Consumer,
        converter: RecordConverter,
        partitioner: Partitioner,
        rotation: RotationPolicy,
        storage: Storage,
        transforms: Sequence[Transform],
        metadata_columns: MetadataColumns,
        files: FileSettings,
        rejects: RejectPolicy,
        delivery: DeliverySettings,
        executor: concurrent.futures.Executor,
        clock: Clock,
        emit: Callable[[Event], None],
    ) -> TaskParts:
        """Put the parts together. The arguments are the same as for `SinkTask`."""
        writer = files.writer if files.writer is not None else ParquetWriter()
        naming = files.naming if files.naming is not None else ObjectNaming(compression=writer.compression)
        pipeline = RecordPipeline(
            converter=converter,
            transforms=TransformChain(transforms),
            partitioner=partitioner,
            metadata_columns=metadata_columns,
            views=files.views,
            on_tombstone=rejects.tombstones,
            why_no_folder=functools.partial(naming.why_no_folder, why=why_no_object(storage), view=files.longest_view),
            outer_folder=naming.outer_folder,
            unwritable_rows=writer.unwritable_rows,
            name_case=files.name_case,
        )
        return cls(
            consumer=consumer,
            pipeline=pipeline,
            rotation=rotation,
            storage=storage,
            calls=StorageCalls(executor, clock, delivery.storage_retry, without_credentials(storage.url)),
            naming=naming,
            writer=writer,
            file_schemas=FileSchemas(files.schema_compatibility, files.name_case),
            files=files,
            rejects=rejects,
            delivery=delivery,
            clock=clock,
            emit=emit,
        )

    def check_topic(self, topic: str) -> None:
        """Check that the store can hold files of a topic.

        Raises:
            ConfigurationError: no file of the topic can be stored under its name, or discovery and audit would not find it.
        """
        self.naming.check_topic(topic, why=why_no_object(self.storage), view=self.files.longest_view)

    def identity(self, assigned: Assigned) -> Identity:
        """Return what files and commits of a topic-partition say about their origin: cluster, topic, settings and place."""
        place = f"{self.storage.url}/{self.naming.place(assigned.assignment.topic_partition.topic)}"
        return Identity(assigned.cluster_id, assigned.topic_id, self._fingerprint, place)


@attrs.frozen(eq=False)
class PartitionContext:
    """What the steps of one topic-partition's delivery share, for the time of one assignment.

    Attributes:
        task: the parts and settings of the task.
        assigned: the assignment, and what the consumer knew at its start.
        identity: what files and commits of this topic-partition say about their origin.
        commits: the commits of this assignment.
        log_end: returns the end of the log, as far as known.
        range: the offsets that may be taken; None if none of this topic-partition may.
    """

    task: TaskParts
    assigned: Assigned
    identity: Identity
    commits: Commits
    log_end: Callable[[], int]
    range: OffsetRange | None = attrs.field(factory=OffsetRange)

    @property
    def end(self) -> int | None:
        """The first offset that the task may not take any more; None without such an offset."""
        return self.range.end if self.range is not None else None

    @property
    def storage(self) -> Storage:
        """The store of the task."""
        return self.task.storage

    @property
    def clock(self) -> Clock:
        """The clock of the task."""
        return self.task.clock

    def emit(self, event: Event) -> None:
        """Call the hooks of the task with an event."""
        self.task.emit(event)

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic-partition."""
        return self.assigned.assignment.topic_partition

    def call(self, function: Callable[[], T], *, attempts: int | None = None) -> StorageCall[T]:
        """Run a call to the store in the pool, and retry while the store is down, at most `attempts` times in total."""
        return self.task.calls.start(
            function,
            lambda error, attempt, pause_s: self.emit(StorageRetried(self.topic_partition, error, attempt, pause_s)),
            attempts,
        )

    def commit_end(self, start: int, end: int, rows: int, leader_epoch: int, *, trusted: bool) -> Procedure[None]:
        """Commit the end of a flush whose files are all published, and emit `OffsetCommitted`.

        Args:
            start: first offset of the flush.
            end: the offset to commit, which is the one after the last offset of the flush.
            rows: number of rows in the flush.
            leader_epoch: leader epoch of the last record; -1 if unknown.
            trusted: whether `end` is a boundary of published files under this configuration, so that a start at `end` needs no
                discovery.
        """
        yield from self.commits.commit(end, Breadcrumb(self.identity, trusted, start, rows), leader_epoch)
        self.emit(OffsetCommitted(self.topic_partition, end, rows))

    def tag(self, files: Mapping[str, FlushFooter]) -> Procedure[None]:
        """Tag published files if the settings ask for tags.

        Args:
            files: the footers of the files, by key.

        Raises:
            Kafka2ParquetError: a file can't be tagged, and the settings ask to fail.
        """
        tags = self.task.files.tags
        if tags is None:
            return
        calls = [
            self.call(functools.partial(self.storage.tag, key, tags.of(footer)), attempts=tags.attempts)
            for key, footer in files.items()
        ]
        for key, call in zip(files, calls, strict=True):
            try:
                yield from until(call)
            except Kafka2ParquetError as error:
                if tags.on_error == "fail":
                    raise type(error)(f"Unable to tag S3 object {key}: {error}") from error
                self.emit(TaggingFailed(self.topic_partition, key, error))

    def read_footer(self, key: str) -> Procedure[FlushFooter | None]:
        """Read the footer of this topic-partition's file at `key`; returns None if the object does not exist.

        Raises:
            ForeignObjectError: the object isn't a file of this topic-partition.
        """
        metadata = yield from until(self.call(functools.partial(self.storage.read_metadata, key)))
        return None if metadata is None else self.own_footer(key, metadata)

    def footer(self, key: str, metadata: Mapping[str, str] | None) -> FlushFooter | None:
        """Parse the footer of a file, of any topic-partition; returns None if another tool wrote the file.

        Args:
            key: of the file, for error messages.
            metadata: of the object.

        Raises:
            DamagedFooterError: the footer contradicts itself or can't be read.
            ConflictingSinkError: a sink of another consumer group wrote the file, and `take_over` isn't set.
        """
        topic, partition = attrs.astuple(self.topic_partition)
        try:
            footer = FlushFooter.from_metadata(metadata)
        except ValueError as error:
            raise DamagedFooterError(
                f"{self.topic_partition}: the file {self.storage.url}/{key} was written by kafka2parquet, but the"
                f" description of its flush in the footer can't be used: {error}. Nothing was overwritten or committed. If a"
                " newer version wrote the file, run that version. If the file is damaged, restore it, or delete all files of"
                " its flush: they are then written again.",
                topic=topic,
                partition=partition,
                key=key,
            ) from error
        group_id = self.assigned.group_id
        if footer is None or self.task.delivery.take_over or _same_id(footer.group_id, group_id) or self._is_outside(footer):
            return footer
        raise ConflictingSinkError(
            f"{self.topic_partition}: {self.storage.url}/{key} was written by a sink of the consumer group"
            f" {footer.group_id!r}, and this sink belongs to the group {group_id!r}. {self._how_to_avoid_conflict(footer)}",
            topic=topic,
            partition=partition,
        )

    def own_footer(self, key: str, metadata: Mapping[str, str] | None) -> FlushFooter:
        """Parse the footer of a file that has to belong to this topic-partition.

        Args:
            key: of the file, for error messages.
            metadata: of the object.

        Raises:
            ForeignObjectError: the file doesn't belong to this topic-partition.
            DamagedFooterError: the footer contradicts itself or can't be read.
            ConflictingSinkError: a sink of another consumer group wrote the file, and `take_over` isn't set.
        """
        footer = self.footer(key, metadata)
        if footer is not None and self.is_own(footer):
            return footer
        where = (
            f"{self.topic_partition}: the object {self.storage.url}/{key} has the name of a file that this sink has to write"
        )
        if footer is None:
            text = (
                f"{where}, and was not written by kafka2parquet. Nothing was overwritten. Probably Confluent's sink wrote the"
                " object and ended before it committed the offset. Then move the object out of topics.dir, so that its records"
                " are written again, or set the group's offset after the object's records: step 3 of the page \"From"
                " Confluent's sink\" says how. Another topics.dir would not help: the records would be in both folders."
            )
        else:
            text = (
                f"{where}, but the object holds offsets [{footer.start}, {footer.end}) of {footer.topic}-{footer.partition}"
                f" with topic id {footer.topic_id or 'unknown'} on cluster {footer.cluster_id or 'unknown'}, and this topic has"
                f" id {self.identity.topic_id or 'unknown'} on cluster {self.identity.cluster_id or 'unknown'}. Nothing was"
                " overwritten. Choose another topics.dir, or move the object away."
            )
        raise ForeignObjectError(
            text,
            topic=self.topic_partition.topic,
            partition=self.topic_partition.partition,
            key=key,
        )

    def _is_outside(self, footer: FlushFooter) -> bool:
        """Whether a flush has no offset in common with the range that may be taken, so that whoever wrote it does no harm."""
        start, end, committed = self.range.start if self.range else None, self.end, self.assigned.committed
        if start is not None and footer.end <= start:
            return committed is None or committed.offset >= start
        return end is not None and footer.start >= end

    def _how_to_avoid_conflict(self, footer: FlushFooter) -> str:
        if self.range is None or self.range.start is None:
            return (
                "Two groups that write to one place write records twice. Give this sink another topics.dir. Or, if the other"
                " sink has ended for good, start this one with kafka2parquet.take.over=true: it continues after the published"
                " files."
            )
        return (
            f"This run takes the offsets [{self.range.start}, {self.end}), and the offsets [{footer.start}, {footer.end}) are"
            f" published already. End the range at {footer.start} or start it at {footer.end}, or choose another topics.dir."
            " Or, if the other sink or run writes none of these offsets any more, set kafka2parquet.take.over=true: the run"
            " then leaves out what is published, and writes the rest."
        )

    def is_own(self, footer: FlushFooter) -> bool:
        """Whether a footer belongs to the log of this topic-partition. Ids that are unknown on either side aren't compared."""
        return (
            (footer.topic, footer.partition) == (self.topic_partition.topic, self.topic_partition.partition)
            and _same_id(footer.topic_id, self.identity.topic_id)
            and _same_id(footer.cluster_id, self.identity.cluster_id)
        )


def _same_id(one: str, other: str) -> bool:
    return not one or not other or one == other
