"""CatalogFollower: registers a sink's files in a table, exactly once, from what is durable.

Theory of operation
===================

A follower holds no state. Three things say what is to be done: the group's committed offsets, the footers of the published
files, and the *positions*, which the table itself keeps: one for each log, keyed by the topic's id. All rows of a log below its
position are in the table.

A round reads the committed offsets, then lists the topic, then reads the positions. From each position on it takes whole
flushes, contiguously, as long as they end at or below the committed offset. It adds their files of values to the table and
moves the positions, *in one transaction*, which fails if another follower has moved one of the positions meanwhile.

- A crash before the transaction leaves nothing behind. After a crash behind the transaction, the next round reads the new
  positions.
- Two followers of one table: one transaction succeeds, and the other follower reads the positions again. So a follower that was
  frozen for hours (a zombie) does no harm either.
- A table that rewrites its files keeps its positions. Whether a file is still in the table is never asked.
- Files that are not yet committed are not taken. So a sink that dies in the middle of a flush is never seen.

A position moves only together with files, because table formats detect concurrent changes of files, and not all of them detect
concurrent changes of properties. A flush without values (only rejects) waits for the next one that has some.

A table without a position begins at the sink's first flush. Files of another tool before that flush, such as those of the sink
that was there before, are not of the table; behind it, such a file is a finding.

Offsets that are in no file are read in the log. If a record with a value is there, or if the log no longer has the offsets, the
partition stands still with a finding, and the other partitions go on.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
from collections.abc import Callable, Mapping, Sequence

import attrs

from kafka2parquet.audit.coverage import Finding, Kind
from kafka2parquet.audit.history import OtherFile
from kafka2parquet.backoff import Retrying, RetryPolicy
from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.errors import CatalogUnavailableError, TransientError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.records import TopicPartition
from kafka2parquet.status import TableStatus
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.tables.log import CommittedOffsets, RememberedGaps, TopicLog
from kafka2parquet.tables.progress import Followed, FollowedPartition
from kafka2parquet.tables.published import PublishedFlushes, ValuesFile
from kafka2parquet.tables.recorder import TableRecorder
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError, TableTarget
from kafka2parquet.util.arguments import Count, Name, PositiveSeconds, checked
from kafka2parquet.util.display import counted

_LOG = logging.getLogger(__name__)
_THREADS = 16


@attrs.frozen
class _Taken:
    """What one partition contributes to a transaction.

    Attributes:
        position: the position in the table.
        end: the position after the transaction.
        files: the files to register.
        finding: what keeps the partition from going on; None if nothing does.
    """

    position: int | None
    end: int | None
    files: tuple[DataFile, ...] = ()
    finding: Finding | None = None


@checked
class CatalogFollower:
    """Registers the files of one topic in a table. The module's docstring says why each row gets there exactly once.

    A follower is used by one thread at a time; only `status` may be called on any thread. It runs beside the sink, in the same
    process or in another one, and only reads Kafka and the store.
    """

    def __init__(
        self,
        target: TableTarget,
        storage: FsspecStorage,
        topic: Name,
        log: TopicLog,
        *,
        naming: ObjectNaming | None = None,
        files_per_transaction: Count = 1000,
        pass_gaps: bool = False,
        conflicts: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Create a follower. Nothing is connected yet.

        Args:
            target: the table.
            storage: where the sink's files are.
            topic: the topic.
            log: the topic in Kafka, such as a `KafkaTopicLog` with the sink's group.
            naming: how the files are named, as the sink was built with; by default as Kafka Connect's sinks name files below
                `topics`.
            files_per_transaction: about how many files a transaction has. A flush is never divided.
            pass_gaps: whether to go on after offsets that are in no file of the sink, although the log has or had values there,
                or another tool has files there. For topics whose rejects are kept nowhere.
            conflicts: pauses after a transaction that others got ahead of; by default for at most five minutes in a row.
            clock: source of time.
        """
        self._target = target
        self._storage = storage
        self._topic = topic
        self._log = RememberedGaps(log)
        self._naming = naming if naming is not None else ObjectNaming()
        self._files_per_transaction = files_per_transaction
        self._pass_gaps = pass_gaps
        self._conflicts = conflicts if conflicts is not None else RetryPolicy(first_s=0.1, longest_s=5.0, limit_s=300.0)
        self._clock = clock if clock is not None else SystemClock()
        self._others: dict[tuple[str, int], OtherFile] = {}
        self._recorder = TableRecorder(target.name, topic, self._clock)

    def status(self) -> TableStatus:
        """Return how far the table is, what keeps it from going on, and when the last round ended.

        The status follows each transaction and the end of each round. Never blocks, and may be called on any thread.
        """
        return self._recorder.status()

    def once(self, stop: threading.Event | None = None) -> Followed:
        """Register everything that is published, committed and not in the table yet. Blocks.

        Args:
            stop: ends the round early, between two transactions.

        Raises:
            KafkaUnavailableError: no broker answers.
            StorageUnavailableError: the store doesn't answer.
            CatalogUnavailableError: the catalogue doesn't answer, or others change the table again and again.
            AccessError: Kafka or the store refuses access.
            ConfigurationError: the table can't hold the topic's files.
        """
        try:
            return self._round(stop if stop is not None else threading.Event())
        except Exception as error:
            self._recorder.failed(error)
            raise

    def _round(self, stop: threading.Event) -> Followed:
        committed = self._log.committed()
        published = PublishedFlushes(self._storage, self._naming, self._topic, self._log, committed, self._others)
        refused: dict[str, str] = {}
        attempts = Retrying(self._conflicts, self._clock)
        done = Followed()
        logs = [LogId(committed.topic_id, partition) for partition in committed.offsets]
        while True:
            positions = self._target.positions(logs)
            taken = self._take(published, committed, positions, refused)
            files = [file for of_partition in taken.values() for file in of_partition.files]
            done = attrs.evolve(done, partitions=self._progress(committed, taken, registered=not files))
            self._recorder.step(done.partitions)
            if not files or stop.is_set():
                if not files:
                    self._recorder.completed()
                return done
            moved = {
                LogId(committed.topic_id, partition): found.end
                for partition, found in taken.items()
                if found.end is not None and found.end != found.position
            }
            try:
                is_committed = self._target.commit(files, moved)
            except RefusedFileError as error:
                refused[error.key] = error.reason
                continue
            if not is_committed:
                pause_s = attempts.failed(CatalogUnavailableError(f"{self._target.name} is changed by others all the time."))
                _LOG.info("%s was changed by another writer; trying again in %.1f s", self._target.name, pause_s)
                stop.wait(pause_s)
                continue
            attempts.succeeded()
            rows = sum(file.rows for file in files)
            self._recorder.registered(len(files), rows)
            _LOG.info("%s: registered %s with %s", self._target.name, counted(len(files), "file"), counted(rows, "row"))
            done = attrs.evolve(done, commits=done.commits + 1, files=done.files + len(files), rows=done.rows + rows)

    def follow(
        self,
        stop: threading.Event,
        *,
        interval_s: PositiveSeconds = 300.0,
        on_round: Callable[[Followed], object] | None = None,
    ) -> Followed | None:
        """Do a round, again and again, until `stop` is set. Blocks. Returns the outcome of the last complete round.

        An outage is logged, and its round is repeated after a pause. A partition with a finding stands still until the cause is
        removed; each new finding is logged as an error.

        Args:
            stop: ends the loop after the current transaction.
            interval_s: seconds between the end of a round and the start of the next one.
            on_round: called with the outcome of each round.

        Raises:
            AccessError: Kafka or the store refuses access.
            ConfigurationError: the table can't hold the topic's files.
        """
        outages = Retrying(RetryPolicy(first_s=min(1.0, interval_s), longest_s=max(1.0, interval_s)), self._clock)
        logged: set[Finding] = set()
        last: Followed | None = None
        self._recorder.follows(interval_s)
        while not stop.is_set():
            try:
                last = self.once(stop)
            except TransientError as error:
                pause_s = outages.failed(error)
                _LOG.warning("%s: %s Trying again in %.1f s", self._target.name, error, pause_s)
                stop.wait(pause_s)
                continue
            outages.succeeded()
            for finding in set(last.findings) - logged:
                _LOG.error("%s stands still: %s", self._target.name, finding.text)
            logged = set(last.findings)
            if on_round is not None:
                on_round(last)
            stop.wait(interval_s)
        self._recorder.stopped()
        return last

    def _take(
        self,
        published: PublishedFlushes,
        committed: CommittedOffsets,
        positions: Mapping[LogId, int],
        refused: Mapping[str, str],
    ) -> Mapping[int, _Taken]:
        """Return what each partition contributes to the next transaction."""
        partitions = sorted(committed.offsets)
        most_files = -(-self._files_per_transaction // max(1, len(partitions)))

        def of_partition(partition: int) -> tuple[_Taken, list[ValuesFile]]:
            position = positions.get(LogId(committed.topic_id, partition))
            return _walk(published, partition, position, most_files, refused, pass_gaps=self._pass_gaps)

        with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-tables") as pool:
            walked = dict(zip(partitions, pool.map(of_partition, partitions), strict=True))
            wanted = [(partition, file) for partition, (_, files) in walked.items() for file in files]
            read = dict(
                zip((file.key for _, file in wanted), pool.map(lambda each: published.data_file(*each), wanted), strict=True)
            )
        return {partition: _with_files(taken, files, read) for partition, (taken, files) in walked.items()}

    def _progress(
        self, committed: CommittedOffsets, taken: Mapping[int, _Taken], *, registered: bool
    ) -> tuple[FollowedPartition, ...]:
        return tuple(
            FollowedPartition(
                TopicPartition(self._topic, partition),
                found.end if registered else found.position,
                committed.offsets[partition],
                found.finding,
            )
            for partition, found in sorted(taken.items())
        )


def _walk(
    published: PublishedFlushes,
    partition: int,
    position: int | None,
    most_files: int,
    refused: Mapping[str, str],
    *,
    pass_gaps: bool,
) -> tuple[_Taken, list[ValuesFile]]:
    """Take whole flushes of a partition, until there are enough files or something is in the way."""
    end = position
    files: list[ValuesFile] = []
    for found in published.after(partition, position, pass_gaps=pass_gaps):
        if isinstance(found, Finding):
            return _Taken(position, end, finding=found), files
        unusable = next((file.key for file in found.files if file.key in refused), None)
        if unusable is not None:
            finding = Finding(Kind.REFUSED_FILE, found.start, found.end, f"{unusable} can't be registered: {refused[unusable]}")
            return _Taken(position, end, finding=finding), files
        files += found.files
        end = found.end
        if len(files) >= most_files:
            break
    return _Taken(position, end), files


def _with_files(taken: _Taken, files: Sequence[ValuesFile], read: Mapping[str, DataFile | Finding]) -> _Taken:
    """Return what was taken, with the files' metadata; nothing is taken if a file isn't as its anchor says."""
    found: list[DataFile] = []
    for file in files:
        data_file = read[file.key]
        if isinstance(data_file, Finding):
            return _Taken(taken.position, taken.position, finding=data_file)
        found.append(data_file)
    return attrs.evolve(taken, files=tuple(found))
