"""SinkCompaction: plans merges, moves partitions and finds deletable originals, for all topics of a sink's configuration."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Annotated

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.compaction.deletion import Deletion, find_deletable
from kafka2parquet.compaction.planning import PlannedTopic, TopicPlanner
from kafka2parquet.compaction.switching import PartitionSwitch, SwitchedTopic
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
from kafka2parquet.tables.destination import Destination, destinations
from kafka2parquet.tables.files import location_of
from kafka2parquet.tables.glue import GluePartitions, GlueTable
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
        switch: str | None = None,
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
            switch: the table whose partitions `switch` moves, and which `deletions` respects, such as `glue:lake.orders`;
                `{topic}` in it stands for the topic. None for none.
            clock: the time, by default the system's.

        Raises:
            ConfigurationError: the configuration has no brokers, originals and merged files would share folders, or the
                table can't have folders of merged files.
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
        self._table = switch
        self._ends = None if switch is None else self._folders_to_switch(switch)
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
            ConfigurationError: Kafka doesn't have a topic, topics share a folder, or the table to switch can't be switched.
            Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a plan.
        """
        with self.log() as log:
            topics = self.topics(log)
            for table in self._switches(topics).values():  # now, and not after hours of merging
                table.catalog.check()
            return tuple(self._planner(topic).plan(log, write=write) for topic in topics)

    def switch(self, *, write: bool = True) -> tuple[SwitchedTopic, ...]:
        """Move the partitions of each topic's table to the merged files. `PartitionSwitch.run` says what that does. Blocks.

        Returns () and connects to nothing if there is no table to switch.

        Args:
            write: whether to move partitions. Otherwise the result only says what could be moved.

        Raises:
            ConfigurationError: the table doesn't exist, or its partitions can't be moved.
            Kafka2ParquetError: Kafka, the store or the catalogue can't be read.
        """
        if self._table is None:
            return ()
        with self.log() as log:
            return tuple(
                table.run(log.topic_id(topic), write=write) for topic, table in self._switches(self.topics(log)).items()
            )

    def deletions(self) -> tuple[Deletion, ...]:
        """Find the originals of all topics that may be deleted. Blocks.

        `older_than` is how old the results of the merges have to be, and how long ago partitions were moved.

        Raises:
            ConfigurationError: Kafka doesn't have a topic, topics share a folder, or the table to switch can't be switched.
            Kafka2ParquetError: Kafka, the store or the catalogue can't be read.
        """
        with self.log() as log:
            topics = self.topics(log)
            tables = self._switches(topics)
            return tuple(
                find_deletable(
                    self.storage,
                    topic,
                    log,
                    naming=self.naming,
                    merged=self.merged,
                    older_than=self._older_than,
                    now=self._clock.now(),
                    table=tables.get(topic),
                )
                for topic in topics
            )

    def _folders_to_switch(self, table: str) -> TimeFolders:
        """Return what knows the ends of folders, after checking that the table may have folders of merged files."""
        if Destination.parse(table).kind != "glue":
            raise ConfigurationError(
                f"{table} has a list of files, which the table's own compaction changes in one transaction. Only partitions of"
                " Glue can be switched, as glue:DATABASE.TABLE."
            )
        if self.naming.directory_delimiter != "/":
            raise ConfigurationError("Partitions are folders, which need / as directory.delim. So there is nothing to switch.")
        partitioner = self._time_partitioner()
        if partitioner is None:
            raise ConfigurationError(
                "Only folders of time can be switched. Other folders may get new files at any time, which no query would see."
            )
        return TimeFolders(partitioner)

    def _switches(self, topics: Collection[str]) -> Mapping[str, PartitionSwitch]:
        """Return the switch of each topic's table; {} if there is no table to switch."""
        if self._table is None or self._ends is None:
            return {}
        return {
            topic: PartitionSwitch(
                self.storage,
                topic,
                GluePartitions(GlueTable(*table.path)),
                naming=self.naming,
                merged=self.merged,
                ends=self._ends,
                locate=functools.partial(location_of, self.storage),
                clock=self._clock,
            )
            for topic, table in destinations(self._table, [*topics]).items()
        }

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

    def _time_partitioner(self) -> TimeBasedPartitioner | None:
        """Return what gives rows their folders of time; None if the sink has no folders that are ever complete."""
        partitioner = make_inner_partitioner(self._config)
        if not isinstance(partitioner, TimeBasedPartitioner):
            return None
        try:
            TimeFolders(partitioner, self.naming.directory_delimiter)
        except ConfigurationError:  # a pattern that leaves out a unit of time gives the same folder again and again
            return None
        return partitioner

    def _completeness(self, topic: str) -> Callable[[Storage], Completeness] | None:
        """Return what makes a judge of the folders of time; None if the sink has no folders that are ever complete."""
        partitioner = self._time_partitioner()
        if partitioner is None:
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
