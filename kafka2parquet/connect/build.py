"""Builds tasks and runners from a Kafka Connect configuration."""

from __future__ import annotations

import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar, cast

import attrs

from kafka2parquet.clock import Clock
from kafka2parquet.connect.clients.consumer import ConsumerSettings
from kafka2parquet.connect.clients.translation import ClientSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import load_properties, read_connect_config
from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.connect.parts.converters import make_converter
from kafka2parquet.connect.parts.key_transforms import make_transformed_keys
from kafka2parquet.connect.parts.local_files import unreadable_files, without_files
from kafka2parquet.connect.parts.records import make_compatibility, make_record_views, make_tags, make_tombstone_policy
from kafka2parquet.connect.parts.rejects import (
    DeadLetterPlan,
    make_converter_retry,
    make_reject_limit,
    make_reject_log,
    make_tolerance,
)
from kafka2parquet.connect.parts.schemas import LearnedSchemas, make_name_case
from kafka2parquet.connect.parts.storage import make_storage, storage_problems
from kafka2parquet.connect.parts.tasks import decide_task_count
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.connect.python_classes import make_hook
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.consumers.base import Consumer
from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer
from kafka2parquet.dead_letters.base import DeadLetterQueue
from kafka2parquet.delivery.budget import MemoryBudget
from kafka2parquet.delivery.settings import DeliverySettings, FileSettings, RejectPolicy
from kafka2parquet.errors import ConfigurationError, UsageError, collecting
from kafka2parquet.events import Hook
from kafka2parquet.problems import Problem
from kafka2parquet.runner import TaskRunner
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.storage.base import Storage
from kafka2parquet.task.sink_task import SinkTask
from kafka2parquet.util.arguments import Name, PositiveSeconds, WholeNumber, checked
from kafka2parquet.util.secrets import Secrets

T = TypeVar("T")

#: How much a task may fetch ahead, in fetched bytes. All tasks together may fetch ahead a quarter of the memory limit.
_MOST_QUEUE_BYTES = 32 << 20
_QUEUES_SHARE = 4

NO_BROKERS = Problem(
    "bootstrap.servers",
    "bootstrap.servers is not set",
    "Name brokers in the worker's properties (--worker FILE) or with --bootstrap-server HOST:PORT.",
)

NO_CONVERTER = Problem(
    "value.converter",
    "value.converter is set neither here nor in the worker's properties",
    "Set it to org.apache.kafka.connect.json.JsonConverter, with value.converter.schemas.enable=false where messages carry no "
    "schema, or to the converter that reads what your producers write.",
)


@attrs.frozen(eq=False)
class TaskPlan:
    """The parts of a connector's tasks that are known in advance or shared by all tasks of a process.

    Attributes:
        config: the configuration, with the worker's converter if the configuration names none.
        consumer: settings of the consumers.
        storage: where files go.
        budget: the memory limit of all tasks together.
        learned: the learned schemas of the topics.
        tasks: how many tasks share what they may fetch ahead.
        dead_letters: where rejects are sent; None sends none.
        secrets: texts that must not be shown.
    """

    config: ConnectConfig
    consumer: ConsumerSettings
    storage: Storage
    budget: MemoryBudget
    learned: LearnedSchemas
    tasks: int
    dead_letters: DeadLetterPlan | None = None
    secrets: Secrets = attrs.field(factory=Secrets)

    @classmethod
    def of(
        cls,
        config: ConnectConfig,
        worker: WorkerConfig,
        *,
        brokers_needed: bool = True,
        files_needed: bool = True,
        storage: Storage | None = None,
        group_id: str | None = None,
    ) -> TaskPlan:
        """Make a plan from the configurations of a connector and its worker. Nothing is connected.

        Args:
            config: the connector's configuration.
            worker: brokers, security and defaults.
            brokers_needed: whether missing brokers are a problem.
            files_needed: whether files of certificates and credentials that can't be read are problems.
            storage: where files go, instead of the place that the configuration names.
            group_id: consumer group, instead of the group that follows from the configuration.

        Raises:
            ConfigurationError: lists all problems of connector and worker.
        """
        problems: list[Problem] = []

        def collect(make: Callable[[], T]) -> T | None:
            with collecting(problems):
                return make()
            return None

        complete = collect(lambda: with_worker_converter(config, worker)) or config
        consumer = collect(lambda: worker.consumer_for(complete))
        if brokers_needed and consumer is not None and not consumer.bootstrap_servers:
            problems.append(NO_BROKERS)
        dead_letters = collect(lambda: DeadLetterPlan.of(complete, worker))
        if brokers_needed and dead_letters is not None and not dead_letters.producer.bootstrap_servers and not problems:
            problems.append(NO_BROKERS.within("For the producer of dead letters"))
        if storage is None:
            storage = collect(lambda: make_storage(complete, worker.endpoint_url))
        clients = clients_of(consumer, dead_letters) if brokers_needed else []
        files = list(unreadable_files(complete, clients))
        problems += files if files_needed else ()
        if complete.text("value.converter"):
            collect(lambda: make_converter(without_files(complete, files), lambda _: LearnedSchema()))
        collect(lambda: files_and_rotation.make_rotation(complete, files_and_rotation.make_partitioner(complete)))
        collect(lambda: files_and_rotation.make_writer(complete))
        collect(lambda: files_and_rotation.make_metadata_columns(complete))
        if consumer is None or storage is None or problems:
            raise ConfigurationError(_hidden(problems, secrets_of_texts(config, worker)))
        if group_id is not None:
            consumer = attrs.evolve(consumer, group_id=group_id)
        budget = MemoryBudget(complete.number("kafka2parquet.memory.bytes"))
        learned = LearnedSchemas(complete, storage, files_and_rotation.make_naming(complete))
        secrets = complete.secrets | worker.secrets
        return cls(complete, consumer, storage, budget, learned, complete.tasks_max, dead_letters, secrets)

    def task(
        self,
        index: int = 0,
        hooks: Sequence[Hook] = (),
        clock: Clock | None = None,
        *,
        consumer: Consumer | None = None,
        executor: concurrent.futures.Executor | None = None,
        dead_letters: DeadLetterQueue | None = None,
    ) -> SinkTask:
        """Make the task with this index, counted from 0. The other arguments are the same as for `build_task`."""
        config = self.config
        partitioner = files_and_rotation.make_partitioner(config)
        if dead_letters is None and self.dead_letters is not None:
            dead_letters = self.dead_letters.queue(config, index)
        return SinkTask(
            consumer=consumer if consumer is not None else self._consumer(index),
            converter=make_converter(config, self.learned.of),
            transforms=make_transforms(config).made,
            partitioner=partitioner,
            rotation=files_and_rotation.make_rotation(config, partitioner),
            storage=self.storage,
            metadata_columns=files_and_rotation.make_metadata_columns(config),
            files=FileSettings(
                naming=files_and_rotation.make_naming(config),
                writer=files_and_rotation.make_writer(config),
                views=make_record_views(config, make_transformed_keys(config)),
                schema_compatibility=make_compatibility(config),
                tags=make_tags(config),
                name_case=make_name_case(config),
            ),
            rejects=RejectPolicy(
                tolerance=make_tolerance(config),
                tombstones=make_tombstone_policy(config),
                dead_letters=dead_letters,
                quarantine=config.flag("kafka2parquet.quarantine"),
                limit=make_reject_limit(config),
            ),
            delivery=DeliverySettings(
                guarantee=cast(Literal["exactly_once", "at_least_once"], config.text("kafka2parquet.delivery")),
                first_start=cast(Literal["earliest", "latest"], self.consumer.first_start),
                on_data_loss=cast(Literal["fail", "continue"], config.text("kafka2parquet.on.data.loss")),
                take_over=config.flag("kafka2parquet.take.over"),
                max_open_files=None,  # the rotation policy has its own limit
                converter_retry=make_converter_retry(config),
            ),
            budget=self.budget,
            clock=clock,
            hooks=(*make_reject_log(config, index), *map(make_hook, config.items("kafka2parquet.hooks")), *hooks),
            executor=executor,
            name=f"{config.name}-{index}",
        )

    def _consumer(self, index: int) -> KafkaPythonConsumer:
        name, pattern = self.config.name, self.config.topics_pattern
        instance = self.consumer.group_instance_id or self.config.text("kafka2parquet.group.instance.id")
        return KafkaPythonConsumer(
            bootstrap_servers=self.consumer.bootstrap_servers,
            group_id=self.consumer.group_id,
            topics=self.config.items("topics"),
            topics_pattern=pattern.pattern if pattern is not None else None,
            group_instance_id=f"{instance}-{index}" if instance else None,
            queue_bytes=min(_MOST_QUEUE_BYTES, self.budget.limit_bytes // (_QUEUES_SHARE * self.tasks)),
            most_batch_bytes=self.config.number("kafka2parquet.record.batch.max.bytes"),
            client_settings={"client_id": f"connector-consumer-{name}-{index}", **self.consumer.client_settings},
        )


@checked
def build_task(
    config: ConnectConfig,
    worker: WorkerConfig,
    *,
    task_index: WholeNumber = 0,
    shared: TaskPlan | None = None,
    hooks: Sequence[Hook] = (),
    clock: Clock | None = None,
    consumer: Consumer | None = None,
    storage: Storage | None = None,
    executor: concurrent.futures.Executor | None = None,
    dead_letters: DeadLetterQueue | None = None,
) -> SinkTask:
    """Make one task from a configuration. Nothing is connected before the first step of the task.

    Args:
        config: the connector's configuration.
        worker: brokers, security and defaults.
        task_index: number of the task, counted from 0.
        shared: the plan that all tasks of the process share, `TaskPlan.of(config, worker)`; by default the task shares nothing.
        hooks: called with an event for everything that happens.
        clock: for tests.
        consumer: reads the records instead of a consumer made from `worker`, which then doesn't need to name brokers. The task
            closes the consumer.
        storage: where files go, instead of the place that the configuration names. Can't be combined with `shared`.
        executor: runs calls to the store; by default a pool of four threads for this task alone.
        dead_letters: where rejects are sent, instead of the topic that the configuration names. The task closes the queue.

    Raises:
        ConfigurationError: lists all problems of connector and worker.
        UsageError: both `shared` and `storage` are given.
    """
    if shared is not None and storage is not None:
        raise UsageError("build_task() got both `shared` and `storage`: pass the storage to TaskPlan.of instead.")
    plan = shared if shared is not None else TaskPlan.of(config, worker, brokers_needed=consumer is None, storage=storage)
    return plan.task(task_index, hooks, clock, consumer=consumer, executor=executor, dead_letters=dead_letters)


@checked
def build_runner(
    config: ConnectConfig,
    worker: WorkerConfig,
    *,
    hooks: Sequence[Hook] = (),
    clock: Clock | None = None,
    progress_interval_s: PositiveSeconds = 10.0,
    group_id: Name | None = None,
) -> TaskRunner:
    """Make a runner of as many tasks as help, which share the memory budget, the storage and the learned schemas.

    `kafka2parquet.tasks` sets their number. Without it, there are the fewest of `tasks.max`, the partitions of the topics and
    the cores that the process may use. Kafka is asked for the partitions if `tasks.max` and the cores allow more than one
    task. That blocks until a broker answers, for about five seconds at most; without an answer, the other two decide.

    Args:
        config: the connector's configuration.
        worker: brokers, security and defaults.
        hooks: called with an event for everything that happens, on the threads of the tasks.
        clock: for tests.
        progress_interval_s: how often the runner logs its progress, in seconds.
        group_id: consumer group, instead of the group that follows from the configuration.

    Raises:
        ConfigurationError: lists all problems of connector and worker.
    """
    plan = TaskPlan.of(config, worker, group_id=group_id)
    plan = attrs.evolve(plan, tasks=decide_task_count(config, plan.consumer))
    factories = [functools.partial(plan.task, index, hooks, clock) for index in range(plan.tasks)]
    return TaskRunner(
        factories,
        progress_interval_s=progress_interval_s,
        shutdown_timeout_s=config.number("kafka2parquet.shutdown.timeout.ms") / 1000,
        name=config.name,
    )


def load_for_worker(
    source: str | os.PathLike[str], worker: WorkerConfig, *, name: str | None = None, missing_allowed: bool = False
) -> ConnectConfig:
    """Read and check a connector configuration for a worker. Nothing is connected.

    Args:
        source: path of a file; `-` is standard input.
        worker: brokers, security and defaults.
        name: name of the connector; required if the file has several connectors or doesn't name its connector.
        missing_allowed: whether a variable that can't be looked up is only a note, and not a problem. Set it if the
            configuration is only checked.

    Raises:
        ConfigurationError: lists all problems of the properties, and of the consumer, dead letters and storage made from them.
    """
    validation = read_connect_config(source, worker.providers, name=name, missing_allowed=missing_allowed)
    if not validation.fatal:
        return validation.config
    found = _client_problems(validation.config, worker, files_needed=not missing_allowed)
    problems = _hidden(found, secrets_of_texts(validation.config, worker))
    raise ConfigurationError([*validation.fatal, *problems])


def secrets_of_texts(config: ConnectConfig, worker: WorkerConfig) -> Secrets:
    """Collect the texts of a configuration that must not be shown, including the values of variables."""
    return config.secrets | worker.secrets | config.variables | worker.variables


def _hidden(problems: Iterable[Problem], secrets: Secrets) -> list[Problem]:
    """Hide secrets in problems, and drop duplicates: clients share a worker's security settings and so their problems."""
    return list(dict.fromkeys(problem.hidden_by(secrets.hide) for problem in problems))


def clients_of(consumer: ConsumerSettings | None, dead_letters: DeadLetterPlan | None) -> list[ClientSettings]:
    """Return the settings of all clients of Kafka, as far as they are known."""
    clients: list[ClientSettings] = [] if consumer is None else [consumer]
    return clients if dead_letters is None else [*clients, dead_letters.producer, dead_letters.admin]


def _client_problems(config: ConnectConfig, worker: WorkerConfig, *, files_needed: bool) -> list[Problem]:
    """Collect the problems of client settings, which can be checked even if other properties are wrong."""
    if not config.values:  # the connector is unknown
        return []
    problems: list[Problem] = []
    consumer, dead_letters = None, None
    with collecting(problems):
        consumer = worker.consumer_for(config)
    with collecting(problems):
        dead_letters = DeadLetterPlan.of(config, worker)
    problems += unreadable_files(config, clients_of(consumer, dead_letters)) if files_needed else ()
    problems += storage_problems(config, worker.endpoint_url)
    if not (config.given.get("value.converter") or worker.converters.get("value.converter")):
        problems.append(NO_CONVERTER)
    return problems


def with_worker_converter(config: ConnectConfig, worker: WorkerConfig) -> ConnectConfig:
    """Add the worker's converters of keys and values to a configuration that names none, as Connect does.

    Raises:
        ConfigurationError: neither names a converter of values, or the worker's converter can't be used.
    """
    given = dict(config.given)
    for side in ("key.converter", "value.converter"):
        if not config.text(side) and worker.converters.get(side):
            given = {name: text for name, text in given.items() if not name.startswith(side)}
            given |= {name: text for name, text in worker.converters.items() if name.startswith(side)}
    if not given.get("value.converter"):
        raise ConfigurationError(NO_CONVERTER)
    if given == config.given:
        return config
    complete = load_properties(attrs.evolve(config.read, values={**given, **config.unresolved}))
    return attrs.evolve(complete, secrets=config.secrets | complete.secrets, variables=config.variables)
