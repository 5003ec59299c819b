"""SinkCompleteness: looks at all topics of a sink's configuration."""

from __future__ import annotations

import datetime
from typing import Annotated

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.completeness.folders import check_folders
from kafka2parquet.completeness.look import Completeness
from kafka2parquet.completeness.state import TopicCompleteness
from kafka2parquet.connect.build import NO_BROKERS
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_inner_partitioner, make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.properties.names import PARTITIONER_CLASS
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.kafka_python.log_reader import LogReader
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.merged.reading import merged_naming
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from kafka2parquet.util.argument_types import AtLeast
from kafka2parquet.util.arguments import Duration, checked

_NO_TIME = datetime.timedelta()
_ONE_TOPIC = "A marker speaks of one topic, so it can't say that such a folder is complete."


@checked
class SinkCompleteness:
    """Looks at all topics of a sink's configuration when the caller asks, and writes the markers that are due.

    Each look makes its own connection to Kafka, so that nothing has to be repaired after an outage. For use by one thread at a
    time.
    """

    def __init__(
        self,
        config: ConnectConfig,
        worker: WorkerConfig,
        *,
        lateness: Annotated[datetime.timedelta, AtLeast(_NO_TIME)] = _NO_TIME,
        idle_after: Duration | None = None,
        clock: Clock | None = None,
        merged: str | None = None,
    ) -> None:
        """Prepare looks. Nothing is connected yet.

        Args:
            config: the sink's configuration.
            worker: the worker's configuration, with brokers.
            lateness: how much older than an earlier record of its partition a record may be.
            idle_after: how long a partition without new rows holds up the others; None if for ever.
            clock: the time, by default the system's.
            merged: prefix of merged files; None for `<topics.dir>-merged`.

        Raises:
            ConfigurationError: the configuration has no folders of time or no brokers, or its folders are never complete.
        """
        partitioner = make_inner_partitioner(config)
        if not isinstance(partitioner, TimeBasedPartitioner):
            raise ConfigurationError(
                f"{PARTITIONER_CLASS}={config.text(PARTITIONER_CLASS)} doesn't make folders of time, so no folder is ever"
                " complete. Partition by time, for example with"
                " io.confluent.connect.storage.partitioner.HourlyPartitioner."
            )
        self._partitioner = partitioner
        self._config = config
        self._storage, self._naming = make_storage(config, worker.endpoint_url), make_naming(config)
        self._merged = merged_naming(self._naming, merged)
        self._consumer = worker.consumer_for(config)
        if not self._consumer.bootstrap_servers:
            raise ConfigurationError(NO_BROKERS)
        self._lateness, self._idle_after = lateness, idle_after
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._of_topic: dict[str, Completeness] = {}

    @property
    def group_id(self) -> str:
        """The sink's consumer group, whose committed offsets say what is durable."""
        return self._consumer.group_id

    def look(self, *, write: bool = True) -> tuple[TopicCompleteness, ...]:
        """Look at each topic once. `Completeness.look` says what a look does. Blocks.

        Args:
            write: whether to write markers. Otherwise the result only says where they are due.

        Raises:
            ConfigurationError: Kafka doesn't have a topic, or topics share a folder.
            Kafka2ParquetError: Kafka or the store can't be read, or the store refuses a marker.
        """
        consumer = self._consumer
        with LogReader(consumer.bootstrap_servers, consumer.group_id, consumer.client_settings) as log:
            topics = self._config.topics_among(log.topics)
            check_folders(self._naming, topics, _ONE_TOPIC)
            return tuple(self._completeness(topic).look(log, write=write) for topic in topics)

    def _completeness(self, topic: str) -> Completeness:
        if topic not in self._of_topic:
            self._of_topic[topic] = Completeness(
                self._storage,
                topic,
                self._partitioner,
                naming=self._naming,
                lateness=self._lateness,
                idle_after=self._idle_after,
                clock=self._clock,
                merged=self._merged,
            )
        return self._of_topic[topic]
