"""Facts: what is examined, and what the steps have found out for later steps."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import attrs

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.connect.build import TaskPlan
from kafka2parquet.connect.clients.consumer import ConsumerSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming, make_partitioner, make_rotation
from kafka2parquet.connect.parts.local_files import unreadable_files
from kafka2parquet.connect.parts.rejects import DeadLetterPlan
from kafka2parquet.connect.parts.storage import endpoint, make_storage
from kafka2parquet.connect.properties.names import FLUSH_SIZE, TOPICS
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.doctor.broker.cluster import Cluster, Committed, TopicInfo
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.util.secrets import Secrets

#: The client settings that the rights depend on: the brokers and the group, and how the client logs in.
_GROUP = ("bootstrap.servers", "group.id")
_LOGIN = ("security.protocol", "sasl.mechanism", "sasl.jaas.config")


@attrs.define(eq=False)
class Facts:
    """The configuration of a sink, and what the steps have found out. For one thread.

    Attributes:
        config: the connector's configuration, with the worker's converters.
        consumer: settings of the consumers.
        dead_letters: where rejects are sent; None sends none.
        storage: where files go.
        naming: the names of objects.
        endpoint_url: URL of the object store; "" for the provider's own.
        secrets: texts that must not be shown.
        clock: this machine's clock.
        cluster: the brokers; None before a broker was reached.
        topics: the topics to read, as far as they exist.
        committed: the group's committed offsets.
    """

    config: ConnectConfig
    consumer: ConsumerSettings
    dead_letters: DeadLetterPlan | None
    storage: FsspecStorage
    naming: ObjectNaming
    endpoint_url: str = ""
    secrets: Secrets = attrs.field(factory=Secrets)
    clock: Clock = attrs.field(factory=SystemClock)
    cluster: Cluster | None = None
    topics: tuple[TopicInfo, ...] = ()
    committed: dict[TopicPartition, Committed] = attrs.field(factory=dict)

    @classmethod
    def of(cls, config: ConnectConfig, worker: WorkerConfig) -> Facts:
        """Collect what the configurations of a connector and its worker say. Nothing is connected.

        Raises:
            ConfigurationError: lists all problems of connector and worker.
        """
        plan = TaskPlan.of(config, worker, files_needed=False)  # the steps examine the files of connections to Kafka
        unreadable = list(unreadable_files(plan.config, ()))
        if unreadable:
            raise ConfigurationError(unreadable)
        url = endpoint(plan.config, worker.endpoint_url) or ""
        storage = make_storage(plan.config, worker.endpoint_url, impatient=True)
        naming = make_naming(plan.config)
        return cls(plan.config, plan.consumer, plan.dead_letters, storage, naming, url, plan.secrets)

    @classmethod
    def for_rights(cls, config: ConnectConfig, worker: WorkerConfig) -> Facts:
        """Collect only what the least rights depend on. Settings of connections may be wrong, and files may be missing.

        Raises:
            ConfigurationError: the settings of the store are wrong.
        """
        url = endpoint(config, worker.endpoint_url) or ""
        storage, naming = make_storage(config, worker.endpoint_url, impatient=True), make_naming(config)
        secrets = config.secrets | worker.secrets
        try:
            reduced, with_login = _reduced(config, worker, (*_GROUP, *_LOGIN))
            consumer = with_login.consumer_for(reduced)
        except ConfigurationError:  # then the commands have a placeholder for the user
            reduced, with_login = _reduced(config, worker, _GROUP)
            consumer = with_login.consumer_for(reduced)
        return cls(reduced, consumer, DeadLetterPlan.of(reduced, with_login), storage, naming, url, secrets)

    @property
    def group_id(self) -> str:
        """The consumer group."""
        return self.consumer.group_id

    @property
    def named_topics(self) -> tuple[str, ...]:
        """The topics that the configuration names; () if it has a pattern."""
        return self.config.items(TOPICS)

    @property
    def topic_names(self) -> tuple[str, ...]:
        """The topics that the configuration names; for a pattern, those that were looked up."""
        return self.named_topics or tuple(topic.name for topic in self.topics)

    @property
    def principal(self) -> str:
        """The user that Kafka knows this client by, for commands; a placeholder if only the brokers know."""
        user = self.consumer.client_settings.get("sasl_plain_username")
        return f"User:{user}" if user and user != "…" else "User:<principal>"  # … stands in for a user that isn't known here

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers, for commands."""
        return ",".join(self.consumer.bootstrap_servers)

    @property
    def longest_open_ms(self) -> int | None:
        """How long a record may stay in an open file, in milliseconds; None if only further records close files."""
        if self.config.number(FLUSH_SIZE) <= 1:  # each record is a file
            return 0
        longest = make_rotation(self.config, make_partitioner(self.config)).longest_open
        return None if longest is None else longest // datetime.timedelta(milliseconds=1)

    def known_cluster(self) -> Cluster:
        """Return the brokers. Only steps that need a reached broker call this method.

        Raises:
            LookupError: no broker was reached.
        """
        if self.cluster is None:
            raise LookupError("no broker was reached")
        return self.cluster

    def close(self) -> None:
        """Close all connections."""
        if self.cluster is not None:
            self.cluster.close()


def _reduced(config: ConnectConfig, worker: WorkerConfig, names: tuple[str, ...]) -> tuple[ConnectConfig, WorkerConfig]:
    """Return a connector and its worker with only these settings of clients."""

    def chosen(settings: Mapping[str, str]) -> dict[str, str]:
        return {name: text for name, text in settings.items() if name in names}

    overrides = {name for name in config.given if ".override." in name and name.partition(".override.")[2] not in names}
    given = {name: text for name, text in config.given.items() if name not in overrides}
    return attrs.evolve(config, given=given), attrs.evolve(
        worker,
        security=chosen(worker.security),
        consumer=chosen(worker.consumer),
        producer=chosen(worker.producer),
        admin=chosen(worker.admin),
    )
