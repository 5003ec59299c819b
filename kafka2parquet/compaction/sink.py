"""SinkCompaction: plans the merges of all topics of a sink's configuration."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Collection
from typing import Annotated

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.compaction.deletion import Deletion, find_deletable
from kafka2parquet.compaction.planning import PlannedTopic, TopicPlanner
from kafka2parquet.compaction.unit import MergeUnit, UnitResult, run_unit
from kafka2parquet.completeness.folders import TimeFolders, check_folders
from kafka2parquet.completeness.look import Completeness
from kafka2parquet.connect.build import NO_BROKERS
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_inner_partitioner, make_naming, make_writer
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.plan import FileFormat
from kafka2parquet.merged.reading import merged_naming
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from kafka2parquet.storage.base import Storage
from kafka2parquet.util.argument_types import AtLeast
from kafka2parquet.util.arguments import Count, Duration, checked

_NO_TIME = datetime.timedelta()


@checked
class SinkCompaction:
    """Plans the merges of a sink's small files. For use by one thread at a time."""

    def __init__(
        self,
        config: ConnectConfig,
        worker: WorkerConfig,
        *,
        into: str | None = None,
        older_than: Annotated[datetime.timedelta, AtLeast(_NO_TIME)] = datetime.timedelta(hours=2),
        target_bytes: Count = 256 << 20,
        lateness: Annotated[datetime.timedelta, AtLeast(_NO_TIME)] = _NO_TIME,
        idle_after: Duration | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare. Nothing is connected yet.

        Args:
            config: the sink's configuration.
            worker: the worker's configuration, with brokers.
            into: prefix of the merged files; None for `<topics.dir>-merged`.
            older_than: how old a folder's end, or in folders without time a flush, has to be.
            target_bytes: size in bytes of the originals from which on a merged file is full.
            lateness: how much older than an earlier record of its partition a record may be, as for `kafka2parquet complete`.
            idle_after: how long a partition without new rows holds up the others; None if for ever.
            clock: the time, by default the system's.

        Raises:
            ConfigurationError: the configuration has no brokers, or originals and merged files would share folders.
        """
        self._config = config
        self.storage = make_storage(config, worker.endpoint_url)
        """Where the files are. It can be pickled, for units that run elsewhere."""
        self.naming = make_naming(config)
        self.merged = merged_naming(self.naming, into)
        self.staging_directory = config.text("kafka2parquet.staging.dir") or None
        self._consumer = worker.consumer_for(config)
        if not self._consumer.bootstrap_servers:
            raise ConfigurationError(NO_BROKERS)
        writer = make_writer(config)
        self._format = FileFormat(writer.compression, writer.compression_level, writer.types, writer.row_group_bytes)
        self._older_than, self._target_bytes = older_than, target_bytes
        self._lateness, self._idle_after = lateness, idle_after
        self._clock: Clock = clock if clock is not None else SystemClock()

    @property
    def run(self) -> Callable[[MergeUnit], UnitResult]:
        """The function that runs a unit: `run_unit` with this sink's storage. It can be pickled, with the store's options."""
        return functools.partial(run_unit, storage=self.storage, staging_directory=self.staging_directory)

    @property
    def group_id(self) -> str:
        """The sink's consumer group, whose committed offsets say what is durable."""
        return self._consumer.group_id

    def log(self) -> LogReader:
        """Connect to Kafka, for the offsets of the log and of the sink's group. Blocks."""
        return LogReader(self._consumer.bootstrap_servers, self._consumer.group_id, self._consumer.client_settings)

    def topics(self, log: LogReader) -> Collection[str]:
        """Return the topics of the configuration. Blocks.

        Raises:
            ConfigurationError: topics share a folder.
        """
        topics = self._config.topics_among(log.topics)
        check_folders(self.naming, topics, "A folder's plans are those of one topic.")
        return topics

    def plan(self, *, write: bool = True) -> tuple[PlannedTopic, ...]:
        """Plan the merges of all topics. `TopicPlanner.plan` says what that does. Blocks.

        Args:
            write: whether to create plans. Otherwise the result only says what they would be.

        Raises:
            ConfigurationError: Kafka doesn't have a topic, or topics share a folder.
            Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a plan.
        """
        with self.log() as log:
            return tuple(self._planner(topic).plan(log, write=write) for topic in self.topics(log))

    def deletions(self) -> tuple[Deletion, ...]:
        """Find the originals of all topics that may be deleted. Blocks.

        `older_than` is how old the results of the merges have to be.

        Raises:
            ConfigurationError: Kafka doesn't have a topic, or topics share a folder.
            Kafka2ParquetError: Kafka or the store can't be read.
        """
        with self.log() as log:
            return tuple(
                find_deletable(
                    self.storage,
                    topic,
                    log,
                    naming=self.naming,
                    merged=self.merged,
                    older_than=self._older_than,
                    now=self._clock.now(),
                )
                for topic in self.topics(log)
            )

    def _planner(self, topic: str) -> TopicPlanner:
        return TopicPlanner(
            self.storage,
            topic,
            naming=self.naming,
            merged=self.merged,
            file_format=self._format,
            target_bytes=self._target_bytes,
            older_than=self._older_than,
            completeness=self._completeness(topic),
            clock=self._clock,
        )

    def _completeness(self, topic: str) -> Callable[[Storage], Completeness] | None:
        """Return what makes a judge of the folders of time; None if the sink has no folders that are ever complete."""
        partitioner = make_inner_partitioner(self._config)
        if not isinstance(partitioner, TimeBasedPartitioner):
            return None
        try:
            TimeFolders(partitioner, self.naming.directory_delimiter)
        except ConfigurationError:  # a pattern that leaves out a unit of time gives the same folder again and again
            return None

        def make(storage: Storage) -> Completeness:
            return Completeness(
                storage,
                topic,
                partitioner,
                naming=self.naming,
                lateness=self._lateness,
                idle_after=self._idle_after,
                clock=self._clock,
                merged=self.merged,
            )

        return make
