"""A log, a consumer group and a bucket in memory, and members that run the real engine against them.

Nothing runs by itself: a member acts only when it is stepped, and its calls to the store happen only when they are let go. So
a member that is left alone in the middle of anything is a frozen process, and one that is forgotten is a dead one.
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
import functools
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.consumers.base import (
    Assigned,
    Assignment,
    CommitRefused,
    CommitSucceeded,
    CommittedOffset,
    ConsumerEvent,
    PartitionFailed,
    Polled,
    Revoked,
)
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, RejectPolicy
from kafka2parquet.errors import LogTruncatedError, StorageUnavailableError, UsageError
from kafka2parquet.events import BoundaryAdopted, Event, FilePublished, IntentCommitted, LogTruncated, OffsetCommitted
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import ConsumedBatch, Reject, Stage, TopicPartition
from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy
from kafka2parquet.rows import Converted, Partitioned, PartitionedRows, Rows
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.testing.leader_epochs import LeaderEpochs

PARTITION = TopicPartition("events", 0)
CLUSTER, TOPIC_ID = "cluster", "topic-id"
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


class Crash(BaseException):
    """The death of the process."""


@attrs.frozen
class Config:
    """What a redeployment may change: the folder of each record, the idea of a bad record, and the rotation policy.

    Unchanged: whether bad records are kept in files or sent away, and whether keys have separate files.
    """

    number: int
    folders: tuple[int, ...]
    rejected: frozenset[int]
    rotation: Callable[[], RotationPolicy]
    quarantine: bool = False
    dead_letters: bool = False
    views: bool = False

    def folder(self, offset: int) -> int:
        return self.folders[offset % len(self.folders)]

    def rejects(self, offset: int, stage: Stage) -> bool:
        """Returns whether the stage rejects the record; half of the bad records reach the partitioner."""
        return offset in self.rejected and stage is (Stage.DECODE if offset % 2 else Stage.PARTITION)


class World:
    """The state that survives a crash, and the clock."""

    def __init__(self) -> None:
        self.log_start = 0
        self.log_end = 0
        self.gone: set[int] = set()
        self.committed: CommittedOffset | None = None
        self.history: list[CommittedOffset] = []
        self.owner: Member | None = None
        self.epoch = 0
        self.now_s = 0.0
        self.wall_ahead_s = 0.0
        self.epochs = LeaderEpochs()
        self.highest_end = 0
        self.objects: dict[str, tuple[bytes, Mapping[str, str], tuple[int, ...]]] = {}
        self.written_epochs: dict[int, int] = {}
        self.reported: set[int] = set()
        self.rejected: set[int] = set()
        self.letters: set[int] = set()
        self.roles: dict[str, str] = {}
        self.passed: collections.Counter[str] = collections.Counter()

    # ---- clock

    def now(self) -> datetime.datetime:
        return EPOCH + datetime.timedelta(seconds=self.now_s + self.wall_ahead_s)

    def monotonic(self) -> float:
        return self.now_s

    # ---- what an oracle asks

    def rows(self) -> collections.Counter[int]:
        """Counts how often each offset is in the bucket, without files of keys."""
        count: collections.Counter[int] = collections.Counter()
        for key, (_, _, offsets) in self.objects.items():
            if self.roles[key] != "keys":
                count.update(offsets)
        return count

    def unequal_views(self, before: int) -> list[str]:
        """Returns files of values that end before an offset and whose file of keys is missing or has other rows."""
        naming = ObjectNaming()
        found = []
        for key, (_, _, offsets) in self.objects.items():
            name = naming.parse(key)
            if self.roles[key] != "values" or name is None or not offsets or offsets[-1] >= before:
                continue
            view = naming.key(name.topic, name.partition, name.encoded_partition or "", name.first_offset, view="keys")
            if view not in self.objects or self.objects[view][2] != offsets:
                found.append(key)
        return found

    def truncate(self, end: int) -> None:
        """Truncates the log like an unclean leader election; later records have a later leader epoch."""
        self.highest_end = max(self.highest_end, self.log_end)
        self.log_end = end
        self.epochs.begin(end)

    def outdated(self) -> set[int]:
        """Returns offsets whose row differs from the current log without an event that reports it."""
        return {
            offset
            for offset, epoch in self.written_epochs.items()
            if offset < self.log_end and epoch != self.epochs.of(offset) and offset not in self.reported
        }

    def readable(self, offset: int) -> bool:
        return self.log_start <= offset < self.log_end and offset not in self.gone


class Member(concurrent.futures.Executor):
    """A process with one task; the object is also the task's Consumer, Storage and Executor."""

    url = "memory://bucket"

    def __init__(self, world: World, config: Config, rng: random.Random) -> None:
        self.world = world
        self.config = config
        self.rng = rng
        self.events: list[ConsumerEvent] = []
        self.position: int | None = None
        self.leader_epoch = -1
        self.paused = False
        self.assignment = Assignment(PARTITION, -1)
        self.calls: list[tuple[concurrent.futures.Future[Any], Callable[[], Any]]] = []
        self.letters: list[tuple[concurrent.futures.Future[Any], int]] = []
        self.crash_before: str | None = None
        self.crash_after: str | None = None
        self.fault: str | None = None
        self.closing = False
        self.is_over = False
        self.intruder: str | None = None
        if not config.quarantine:
            world.rejected |= config.rejected
        self.task = SinkTask(
            consumer=self,
            converter=ModelConverter(config),
            partitioner=ModelPartitioner(config),
            rotation=config.rotation(),
            storage=self,
            metadata_columns=MetadataColumns(("offset",)),
            files=FileSettings(views=RecordViews(keys=True) if config.views else None),
            rejects=RejectPolicy(
                tolerance="skip",
                quarantine=config.quarantine,
                dead_letters=ModelLetters(self) if config.dead_letters else None,
            ),
            delivery=DeliverySettings(on_data_loss="continue"),
            clock=world,
            hooks=[self.on_event],
            executor=self,
        )

    # ---- what the test does to it

    def step(self) -> None:
        self.task.step(0)

    def let_calls_go(self, count: int | None = None) -> None:
        """Performs pending calls to the store, in any order."""
        while count is None and self.letters and self.rng.random() < 0.7:
            letter, offset = self.letters.pop(0)
            self.world.letters.add(offset)
            letter.set_result(None)
        for _ in range(len(self.calls) if count is None else min(count, len(self.calls))):
            future, function = self.calls.pop(self.rng.randrange(len(self.calls)))
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

    def take_over(self) -> None:
        """Makes the member the partition's owner without a callback to the previous owner (`rebalance` has one)."""
        world = self.world
        world.epoch += 1
        world.owner = self
        self.assignment = Assignment(PARTITION, world.epoch)
        self.position = None
        self.paused = False
        self.events.append(Assigned(self.assignment, world.committed, world.log_start, world.log_end, CLUSTER, TOPIC_ID))

    def give_up(self) -> None:
        """Delivers the callback that the partition is revoked."""
        self.events.append(Revoked(self.assignment))
        self.position = None
        if self.world.owner is self:
            self.world.owner = None

    def on_event(self, event: Event) -> None:
        if isinstance(event, LogTruncated):
            self.world.reported |= set(range(event.offset, event.position))
        names = {IntentCommitted: "intent", OffsetCommitted: "end", BoundaryAdopted: "adoption"}
        if isinstance(event, FilePublished):
            self.passes("anchor" if event.is_anchor else "sibling")
        elif type(event) in names:
            self.passes(names[type(event)])

    def passes(self, point: str) -> None:
        """Passes a named kill point: the moment after an effect."""
        self.world.passed[point] += 1
        if self.crash_after == point:
            self.world.passed[f"killed after {point}"] += 1
            raise Crash

    # ---- Consumer

    def intrude(self, call: str) -> None:
        """Calls the task from a second thread, which has to be refused at once."""
        found: list[BaseException] = []

        def run() -> None:
            try:
                getattr(self.task, call)()
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert [UsageError] == [type(error) for error in found], f"a second thread's {call} met {found}"

    def poll(self, timeout_s: float) -> Polled:
        call, self.intruder = self.intruder, None
        if call is not None:
            self.intrude(call)
        if self.closing:  # it waits for what it has begun: time passes, and calls come back
            self.world.now_s += 0.5
            self.let_calls_go()
        world = self.world
        if self.position is not None and self.leader_epoch >= 0:
            end = world.epochs.end(self.leader_epoch, world.log_end)
            if end < self.position:
                self.position = None
                error = LogTruncatedError(
                    f"truncated at {end}", topic=PARTITION.topic, partition=0, offset=end, leader_epoch=world.epochs.of(end - 1)
                )
                self.events.append(PartitionFailed(self.assignment, error))
        events, self.events = self.events, []
        if self.position is None or self.paused or self.position >= world.log_end:
            return Polled(events)
        first = self.position
        epoch = world.epochs.of(max(first, world.log_start))
        end = min(world.epochs.end(epoch, world.log_end), max(first, world.log_start) + self.rng.randint(1, 12))
        self.position, self.leader_epoch = end, epoch
        offsets = [offset for offset in range(first, end) if world.readable(offset)]
        return Polled(events, [batch_of(first, end, epoch, offsets, world.log_end)])

    def start(self, assignment: Assignment, offset: int, leader_epoch: int = -1) -> None:
        if assignment == self.assignment:
            self.position, self.leader_epoch = offset, leader_epoch

    def commit(self, assignment: Assignment, offset: int, metadata: str, leader_epoch: int = -1) -> None:
        world = self.world
        kind = "intent" if " i " in metadata else "end"
        if self.crash_before == kind:
            world.passed[f"killed before {kind}"] += 1
            raise Crash
        assert metadata.isascii()
        assert len(metadata) <= 300
        mine = world.owner is self and assignment == self.assignment
        if not mine:
            self.events.append(CommitRefused(assignment, offset, metadata, "not the owner"))
            return
        world.committed = CommittedOffset(offset, metadata, leader_epoch)
        world.history.append(world.committed)
        self.events.append(CommitSucceeded(assignment, offset, metadata))

    def pause(self, assignment: Assignment) -> None:
        self.paused = True

    def resume(self, assignment: Assignment) -> None:
        self.paused = False

    def close(self, timeout_s: float) -> None:
        if self.world.owner is self:
            self.world.owner = None

    # ---- Executor

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.calls.append((future, functools.partial(function, *args, **kwargs)))
        return future

    # ---- Storage

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        world = self.world
        fault, self.fault = self.fault, None
        if fault == "before":
            raise StorageUnavailableError("refused before it did anything")
        if key in world.objects:
            return AlreadyExists(world.objects[key][1])
        content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
        footer = FlushFooter.from_metadata(file.metadata)
        assert footer is not None
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        if footer.role == "keys":
            offsets = tuple(int(value) for value in table["key"].to_pylist())
        else:
            offsets = tuple(table["offset" if footer.role == "rejects" else "_kafka_offset"].to_pylist())
        assert len(offsets) == file.rows
        if footer.role != "keys":
            epochs = table["value"].to_pylist() if file.rows else ()
            world.written_epochs.update(zip(offsets, map(int, epochs), strict=True))
        world.roles[key] = footer.role
        world.objects[key] = (content, file.metadata, offsets)
        if fault == "after":
            raise StorageUnavailableError("the answer got lost")
        return Published()

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        found = self.world.objects.get(key)
        return None if found is None else found[1]

    def list(self, prefix: str) -> Iterable[str]:
        return [key for key in self.world.objects if key.startswith(prefix)]

    def create(self, key: str, content: bytes) -> bool:
        raise NotImplementedError("no contract is kept")

    def read(self, key: str) -> bytes | None:
        raise NotImplementedError("no contract is kept")

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        raise NotImplementedError("nothing is tagged")

    def probe(self, prefix: str) -> None:
        return None


def batch_of(first: int, end: int, leader_epoch: int, offsets: list[int], log_end: int) -> ConsumedBatch:
    """Makes a batch of records, each of which contains its leader epoch."""
    count = len(offsets)
    return ConsumedBatch(
        topic_partition=PARTITION,
        offsets=pa.array(offsets, pa.int64()),
        timestamps_ms=pa.array([0] * count, pa.int64()),
        timestamp_types=pa.array([0] * count, pa.int8()),
        keys=pa.array([str(offset).encode() for offset in offsets], pa.binary_view()),
        values=pa.array([b"%d" % leader_epoch] * count, pa.binary_view()),
        headers=pa.nulls(count, pa.binary_view()),
        first_offset=first,
        next_offset=end,
        leader_epoch=leader_epoch,
        high_watermark=log_end,
        size_bytes=count,
    )


class ModelLetters:
    """Dead letters that become durable when the member's calls are released, or a little later."""

    pending_bytes = 0

    def __init__(self, member: Member) -> None:
        self._member = member

    def prepare(self) -> concurrent.futures.Future[Any]:
        return self._member.submit(lambda: None)

    def send(self, reject: Reject) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._member.letters.append((future, reject.offset))
        return future

    def close(self, timeout_s: float) -> None:
        return None


class ModelConverter(RecordConverter):
    """A converter that rejects what its configuration says."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def convert(self, batch: ConsumedBatch) -> Converted:
        rejected = [self._config.rejects(offset, Stage.DECODE) for offset in batch.offsets.to_pylist()]
        rows = Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"value": batch.values.cast(pa.binary())}))
        return Converted(
            rows.filter(pa.array([not reject for reject in rejected])),
            [batch.reject(row, Stage.DECODE, "bad") for row, reject in enumerate(rejected) if reject],
        )

    @property
    def fingerprint(self) -> str:
        return f"model-{self._config.number}"


class ModelPartitioner(Partitioner):
    """A partitioner that puts each record where its configuration says."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        rejected = [self._config.rejects(offset, Stage.PARTITION) for offset in rows.offsets.to_pylist()]
        rejects = [
            rows.batch.reject_offset(offset, Stage.PARTITION, "bad")
            for offset, is_rejected in zip(rows.offsets.to_pylist(), rejected, strict=True)
            if is_rejected
        ]
        rows = rows.filter(pa.array([not reject for reject in rejected], pa.bool_()))
        folders = [self._config.folder(offset) for offset in rows.offsets.to_pylist()]
        distinct = list(dict.fromkeys(folders))
        return Partitioned(
            PartitionedRows(
                rows,
                tuple(f"folder={folder}" for folder in distinct),
                pa.array([distinct.index(folder) for folder in folders], pa.int32()),
                rows.timestamps_ms,
            ),
            rejects,
        )

    @property
    def fingerprint(self) -> str:
        return f"model-{self._config.number}"


class CountRotation(RotationPolicy):
    """A rotation policy that ends a flush after `rows` rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        left = self._rows - stats.rows
        return Cut(left, "count") if left <= len(batch) else None


class RandomRotation(RotationPolicy):
    """A rotation policy that cuts anywhere and at any time, as wall clocks, memory pressure and shutdowns do."""

    def __init__(self, rng: random.Random, often: float, after_s: float) -> None:
        self._rng = rng
        self._often = often
        self._after = datetime.timedelta(seconds=after_s)

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Cut | None:
        for row in range(1 if not stats.rows else 0, len(batch)):
            if self._rng.random() < self._often:
                return Cut(row, "random")
        return None

    def due_at(self, stats: FlushStats) -> Due | None:
        return Due(stats.opened_at + self._after, "random")
