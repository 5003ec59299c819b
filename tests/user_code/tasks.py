"""Tasks as users wire them. `tests/unit/test_types_of_public_names.py` checks their types and builds some of them."""

from __future__ import annotations

import concurrent.futures
import datetime

import pyarrow.compute as pc

from kafka2parquet import (
    AsyncSinkTask,
    AvroConverter,
    ConfluentSchemaRegistry,
    DefaultPartitioner,
    DeliverySettings,
    FileSettings,
    FirstOf,
    FsspecStorage,
    HourlyPartitioner,
    JsonConverter,
    KafkaDeadLetterQueue,
    KafkaPythonConsumer,
    MetadataColumns,
    ObjectNaming,
    ObjectTags,
    ParquetWriter,
    RecordCountRotation,
    RecordTimeRotation,
    RejectPolicy,
    RetryPolicy,
    SinkTask,
    StepResult,
    TaskRunner,
    build_runner,
    build_task,
    load_connect_config,
    load_worker_config,
)
from kafka2parquet.bounded import DrainResult, drain
from kafka2parquet.connect import ConnectConfig, WorkerConfig
from kafka2parquet.consumers import Consumer
from kafka2parquet.converters import AvroMapping
from kafka2parquet.dead_letters import RejectLimit, Tolerance
from kafka2parquet.events import Hook
from kafka2parquet.partitioners import RecordFieldTimestamp
from kafka2parquet.schema import ColumnRules, LearnedSchema
from kafka2parquet.storage import AssumedRole, GcsOptions, S3Options, Storage
from kafka2parquet.testing import InlineExecutor, MemoryConsumer, MemoryKafka, MemoryStorage
from kafka2parquet.transforms import Filter, MapTable, Where
from tests.user_code.parts import AddRegion, CheckpointRotation, IsLarge, KeyValueConverter, Metrics, OneFolder


def minio(endpoint_url: str, access_key_id: str, secret_access_key: str) -> FsspecStorage:
    """MinIO, by the keys of a user."""
    options = S3Options(
        endpoint_url=endpoint_url,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        region="us-east-1",
        path_style=True,
    )
    return FsspecStorage("s3://events/topics", options)


def stores() -> list[Storage]:
    """Other stores."""
    role = AssumedRole(arn="arn:aws:iam::123456789012:role/sink", session_name="sink")
    return [
        FsspecStorage("s3://events", S3Options(role=role)),
        FsspecStorage("gs://events", GcsOptions(storage_class="NEARLINE")),
        FsspecStorage("/var/lib/events"),
    ]


def task_to_minio(bootstrap: str, storage: Storage, hook: Hook) -> SinkTask:
    """JSON to MinIO, by the hour."""
    return SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="sink", topics=["events"]),
        converter=JsonConverter(learned=LearnedSchema(rules=ColumnRules(max_fields=500))),
        transforms=[
            Filter(pc.field("kind") != "test"),
            MapTable(lambda table: table.drop_columns(["secret"]) if "secret" in table.column_names else table),
            Where(AddRegion("eu"), IsLarge(), negate=True),
        ],
        partitioner=HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("created_at")),
        rotation=FirstOf(RecordCountRotation(100_000), RecordTimeRotation(datetime.timedelta(hours=1)), CheckpointRotation()),
        storage=storage,
        metadata_columns=MetadataColumns(names=("offset", "timestamp")),
        files=FileSettings(naming=ObjectNaming(topics_dir="raw"), writer=ParquetWriter(compression="zstd")),
        rejects=RejectPolicy(
            tolerance=Tolerance(everything=True, has_reporter=True),
            dead_letters=KafkaDeadLetterQueue(bootstrap_servers=bootstrap, topic="events-dead"),
            limit=RejectLimit(share=0.01),
        ),
        delivery=DeliverySettings(first_start="latest", storage_retry=RetryPolicy(longest_s=30.0)),
        hooks=[hook],
        executor=concurrent.futures.ThreadPoolExecutor(2),
    )


def avro_task(consumer: Consumer, registry_url: str) -> SinkTask:
    """Avro with a registry."""
    return SinkTask(
        consumer=consumer,
        converter=AvroConverter(
            ConfluentSchemaRegistry({"schema.registry.url": registry_url}), mapping=AvroMapping(logical_types="arrow")
        ),
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(1000),
        storage=FsspecStorage("s3://events"),
    )


def tolerant_task(consumer: Consumer, storage: Storage) -> SinkTask:
    """Parts by position, and words for settings."""
    return SinkTask(
        consumer,
        JsonConverter(),
        DefaultPartitioner(),
        RecordCountRotation(1000),
        storage,
        files=FileSettings(naming=ObjectNaming(topics_dir="lake"), tags=ObjectTags({"team": "data"}), name_case="unite"),
        rejects=RejectPolicy(tolerance="skip", tombstones="ignore", quarantine=True, limit=RejectLimit(share=0.05)),
        delivery=DeliverySettings(first_start="latest", storage_retry=RetryPolicy(limit_s=3600)),
    )


def configured(source: str, hook: Hook) -> tuple[SinkTask, TaskRunner]:
    """Tasks of a Kafka Connect configuration."""
    worker: WorkerConfig = load_worker_config(bootstrap_servers="localhost:9092")
    config: ConnectConfig = load_connect_config(source)
    return build_task(config, worker, hooks=[hook]), build_runner(config, worker, hooks=[hook])


async def run(task: SinkTask) -> StepResult:
    """A task in an asyncio application."""
    async with AsyncSinkTask(task) as sink:
        return await sink.step()


def rows_in_memory() -> tuple[DrainResult, Metrics, MemoryStorage]:
    """A test of a user's parts."""
    kafka = MemoryKafka()
    kafka.create_topic("events")
    kafka.append("events", 0, [b"kind=click;country=FR", b"kind=checkpoint;country=SE"])
    storage, metrics = MemoryStorage(), Metrics()
    task = SinkTask(
        consumer=MemoryConsumer(kafka, group_id="sink", topics="events"),
        converter=KeyValueConverter(),
        transforms=[AddRegion("eu")],
        partitioner=OneFolder("all"),
        rotation=CheckpointRotation(),
        storage=storage,
        hooks=[metrics],
        executor=InlineExecutor(),
    )
    return drain(task), metrics, storage
