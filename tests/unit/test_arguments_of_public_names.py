"""Public constructors refuse each wrong argument by its name, and accept each right one."""

from __future__ import annotations

import concurrent.futures
import datetime
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import kafka2parquet as k
from kafka2parquet import (
    bounded,
    clock,
    compaction,
    completeness,
    connect,
    consumers,
    converters,
    dead_letters,
    http,
    partitioners,
    rotation,
    schema,
    storage,
    testing,
    transforms,
)
from kafka2parquet.connect.load import load_properties
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.records import TopicPartition

NAN = float("nan")
FUNCTION: Any = print
HOUR = datetime.timedelta(hours=1)
OTHER = object()

#: Wrong values, by the kind of argument that is expected.
FLAG = (1, 0, "true", None)
COUNT = (0, -1, True, 1.5, NAN, "1", None)
WHOLE = (-1, True, 1.5, NAN, "1", None)
POSITIVE = (0, -1, True, NAN, float("inf"), "1", HOUR)
SECONDS = (-1, True, NAN, float("inf"), "1", HOUR)
DURATION = (3600, 1.5, "1h", datetime.timedelta(), -HOUR, None)
TEXT = (1, b"x", True, ["x"])
NAME = (*TEXT, "", " ")
NAMES: tuple[Any, ...] = (1, b"x", [], "", [""], ["a", 1], {"a": 1}, {"a"})
PATH = (*TEXT, "", "a..b")
PATHS = (*NAMES, "a..b")
ZONE = (*NAME, "Mars", "europe/paris")
INSTANCE = (1, "x", OTHER)
CALLABLE = (1, "x", OTHER, str)
TEXTS: tuple[Any, ...] = (1, "x", [], {1: "x"}, {"x": 1})
SETTINGS: tuple[Any, ...] = (1, "x", [], {1: "x"})


def word(of: Any) -> tuple[object, ...]:
    """Returns wrong values where one of several words is expected: each word in another spelling."""
    return (
        1,
        True,
        "",
        "nothing",
        *(other for known in get_args(of) or of for other in (known.upper(), f"{known}-") if other != known),
    )


def instances(*right: type) -> tuple[object, ...]:
    """Returns wrong values where an instance of a class is expected: the class itself, and other objects."""
    return (*INSTANCE, *right)


class _Hook:
    def __call__(self, event: object) -> None:
        """Does nothing."""


class Decoder(converters.PerRecordConverter):
    """The smallest converter that a user can write."""

    def decode(self, value: bytes) -> Mapping[str, Any]:
        """Returns no columns."""
        return {}


def _consumer() -> testing.MemoryConsumer:
    kafka = testing.MemoryKafka()
    kafka.create_topic("t")
    return testing.MemoryConsumer(kafka, group_id="g", topics=["t"])


class _Registry:
    def __repr__(self) -> str:
        return "_Registry()"

    def schema(self, schema_id: object, subject: str | None) -> converters.RegisteredSchema:
        """Returns the only schema."""
        return converters.RegisteredSchema(1, "AVRO", '"int"')


_HOURLY = "io.confluent.connect.storage.partitioner.HourlyPartitioner"


def _config(**changes: str) -> Any:
    return load_properties(
        {
            "name": "n",
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "topics": "t",
            "s3.bucket.name": "b",
            "flush.size": "1",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            **{name.replace("_", "."): text for name, text in changes.items()},
        }
    )


@attrs.frozen
class Case:
    """A constructor, arguments that are accepted, and wrong values for each parameter."""

    of: Callable[..., Any]
    right: Callable[[], Mapping[str, Any]]
    wrong: Mapping[str, Sequence[object]]


def case(of: Callable[..., Any], right: Callable[[], Mapping[str, Any]] | None = None, /, **wrong: Sequence[object]) -> Case:
    """Makes a case without required arguments, or with the arguments that a function makes."""
    return Case(of, right if right is not None else dict, wrong)


def _registered(of: Callable[..., Any], mapping: type) -> Case:
    return case(
        of,
        lambda: {"registry": _Registry()},
        registry=instances(_Registry),
        is_key=FLAG,
        mapping=instances(mapping),
        subject_names=word(("topic", "record", "topic_record")),
    )


_BY_TIME = {
    "timezone": ZONE,
    "locale": NAME,
    "timestamp_extractor": instances(partitioners.RecordTimestamp),
    "directory_delimiter": NAME,
}

CASES = [
    case(k.AsyncSinkTask, lambda: {"task": _task()}, task=instances(k.SinkTask)),
    _registered(k.AvroConverter, converters.AvroMapping),
    case(
        converters.AvroMapping,
        logical_types=word(("connect", "arrow")),
        enhanced_schema_support=FLAG,
        connect_meta_data=FLAG,
        null_becomes_default=FLAG,
    ),
    case(converters.ByteArrayConverter, field=NAME),
    case(
        schema.ColumnRules,
        max_fields=COUNT,
        max_name_bytes=COUNT,
        max_schema_bytes=COUNT,
        name_case=word(("reject", "keep", "unite")),
        reserved=(1, [1], b"x"),
    ),
    case(
        partitioners.CompositePartitioner,
        lambda: {"partitioners": [k.DefaultPartitioner(), k.DailyPartitioner()]},
        partitioners=([], [k.DefaultPartitioner()], [k.DefaultPartitioner(), "x"], [k.DefaultPartitioner] * 2),
        directory_delimiter=NAME,
    ),
    case(k.CompressedBytesRotation, lambda: {"target_bytes": 1}, target_bytes=COUNT),
    case(
        k.ConfluentSchemaRegistry,
        lambda: {"properties": {"schema.registry.url": "http://registry"}},
        properties=TEXTS,
    ),
    case(k.ConverterRetry, timeout_s=SECONDS, longest_s=POSITIVE, random_below=CALLABLE),
    case(k.DailyPartitioner, **_BY_TIME),
    case(
        k.DeliverySettings,
        guarantee=(*word(("exactly_once", "at_least_once")), "exactly-once"),
        first_start=word(("earliest", "latest")),
        on_data_loss=word(("fail", "continue")),
        idle_commit_interval_s=SECONDS,
        take_over=FLAG,
        max_open_files=COUNT[:-1],
        storage_retry=instances(k.RetryPolicy),
        converter_retry=instances(k.ConverterRetry),
    ),
    case(rotation.EncodedPartitionRotation, passing=NAME),
    case(
        dead_letters.FailureReporter,
        lambda: {"connector": "c"},
        connector=NAME,
        task=WHOLE,
        key_converter=TEXT,
        value_converter=TEXT,
        transformation=TEXT,
    ),
    case(k.FieldPartitioner, lambda: {"fields": "kind"}, fields=PATHS, directory_delimiter=NAME, escape=FLAG, labels=FLAG),
    case(
        k.FileSettings,
        naming=instances(k.ObjectNaming),
        writer=instances(k.ParquetWriter),
        views=instances(converters.RecordViews),
        schema_compatibility=(1, "BACKWARD", OTHER),
        tags=(*instances(k.ObjectTags), {"a": "b"}),
        name_case=word(("reject", "keep", "unite")),
    ),
    case(
        k.FirstOf,
        lambda: {"policies": [k.RecordCountRotation(1)]},
        policies=([], [1], [k.RecordCountRotation]),
    ),
    case(k.FsspecStorage, lambda: {"url": "/tmp"}, url=NAME, options=INSTANCE),
    case(k.HourlyPartitioner, **_BY_TIME),
    case(
        k.JsonConverter,
        schema=INSTANCE,
        on_unknown_field=word(("reject", "ignore")),
        timestamps=word(("iso8601", "epoch_ms")),
        learned=instances(schema.LearnedSchema),
        on_misfit=word(("reject", "rescue", "string")),
        evolution=word(("add", "none", "ignore")),
        rescue_column=NAME,
    ),
    case(converters.JsonEnvelopeConverter, schemaless=instances(k.JsonConverter), replace_null_with_default=FLAG),
    _registered(converters.JsonSchemaConverter, converters.JsonSchemaMapping),
    case(converters.JsonSchemaMapping, optional_for_nonrequired=FLAG, generalized_sum_types=FLAG),
    case(
        k.KafkaDeadLetterQueue,
        lambda: {"bootstrap_servers": "b:9092", "topic": "t"},
        bootstrap_servers=NAMES,
        topic=NAME,
        reporter=instances(dead_letters.FailureReporter),
        replication_factor=COUNT,
        producer_settings=SETTINGS,
        admin_settings=SETTINGS,
    ),
    case(
        k.KafkaPythonConsumer,
        lambda: {"bootstrap_servers": "b:9092", "group_id": "g", "topics": "t"},
        bootstrap_servers=NAMES,
        group_id=NAME,
        topics=NAMES,
        topics_pattern=NAME,
        client_settings=SETTINGS,
        group_instance_id=NAME,
        queue_bytes=COUNT,
        most_batch_bytes=COUNT,
        gather_rows=COUNT,
        gather_max_wait_s=SECONDS,
        connect_timeout_s=POSITIVE,
    ),
    case(schema.LearnedSchema, schema=INSTANCE, rules=instances(schema.ColumnRules)),
    case(transforms.MapTable, lambda: {"function": FUNCTION}, function=CALLABLE, name=NAME),
    case(rotation.MaxOpenFilesRotation, lambda: {"files": 1}, files=COUNT),
    case(k.MemoryBudget, limit_bytes=COUNT),
    case(k.MetadataColumns, names=(1, ["Offset"], "offsets", [1]), key_converter=instances(k.JsonConverter)),
    case(
        k.ObjectNaming,
        topics_dir=TEXT,
        directory_delimiter=NAME,
        file_delimiter=NAME,
        zero_pad_width=WHOLE,
        compression=(1, "", *word(("snappy", "zstd"))),
        topic_folders=INSTANCE,
    ),
    case(k.ObjectTags, extra=TEXTS, attempts=COUNT, on_error=word(("ignore", "fail"))),
    case(
        k.ParquetWriter,
        compression=word(("snappy", "zstd")),
        compression_level=(1, True, 1.5, "1"),
        types=word(("own", "connect")),
        row_group_bytes=COUNT,
        in_memory_bytes=WHOLE,
        staging_directory=(1, b"x", "", ["x"]),
    ),
    case(Decoder, schema=(*INSTANCE, {"a": "int64"}), learned=instances(schema.LearnedSchema)),
    _registered(k.ProtobufConverter, converters.ProtobufMapping),
    case(converters.ProtobufMapping, **{field.name: FLAG for field in attrs.fields(converters.ProtobufMapping)}),
    case(k.RecordCountRotation, lambda: {"rows": 1}, rows=COUNT),
    case(partitioners.RecordFieldTimestamp, field=NAME, timezone=ZONE),
    case(k.RecordTimeRotation, lambda: {"interval": HOUR}, interval=DURATION, or_by_the_clock=FLAG),
    case(converters.RecordViews, keys=FLAG, headers=FLAG, key_converter=instances(k.JsonConverter), tombstone_partition=NAME),
    case(
        converters.RegisteredSchema,
        lambda: {"id": 1, "type": "AVRO", "text": "{}"},
        id=(True, 1.5, "1", None),
        type=TEXT,
        text=TEXT,
        references=(1, "x", [1]),
        version=(True, 1.5, "1"),
    ),
    case(
        dead_letters.RejectLimit,
        lambda: {"share": 0.5},
        share=(-0.1, 1.1, True, NAN, "1", None),
        window_rows=COUNT,
        minimum_rows=COUNT,
    ),
    case(
        dead_letters.RejectLog,
        lambda: {"reporter": dead_letters.FailureReporter("c")},
        reporter=instances(dead_letters.FailureReporter),
        with_records=FLAG,
        most_per_s=COUNT,
        clock=instances(clock.SystemClock),
    ),
    case(
        k.RejectPolicy,
        tolerance=(*word(("fail", "skip")), OTHER, dead_letters.Tolerance),
        tombstones=(*word(("fail", "ignore", "report", "write")), "skip"),
        dead_letters=instances(k.KafkaDeadLetterQueue),
        quarantine=FLAG,
        limit=(*instances(dead_letters.RejectLimit), 0.5),
    ),
    case(k.RetryPolicy, first_s=POSITIVE, longest_s=POSITIVE, limit_s=SECONDS),
    case(k.ScheduledRotation, lambda: {"interval": HOUR}, interval=DURATION, timezone=ZONE),
    case(
        converters.SchemaContract,
        lambda: {"versions": converters.SchemaVersions(testing.MemoryStorage()), "topic": "t"},
        versions=instances(converters.SchemaVersions),
        topic=NAME,
        rules=instances(schema.ColumnRules),
        refresh_interval_s=SECONDS,
        clock=instances(clock.SystemClock),
    ),
    case(
        partitioners.SchemaNamePartitioner,
        lambda: {"inner": k.DefaultPartitioner()},
        inner=instances(k.DefaultPartitioner),
        affix=word(("prefix", "suffix")),
        directory_delimiter=NAME,
        escape=FLAG,
    ),
    case(
        converters.SchemaVersion,
        lambda: {"topic": "t", "number": 1, "schema": pa.schema([])},
        topic=NAME,
        number=COUNT,
        schema=INSTANCE,
        changes=(1, [1]),
        because_of=TEXT,
        created_at=TEXT,
        created_by=TEXT,
    ),
    case(
        converters.SchemaVersions,
        lambda: {"storage": testing.MemoryStorage()},
        storage=instances(testing.MemoryStorage),
        prefix=TEXT,
        directory_delimiter=NAME,
    ),
    case(
        k.SinkTask,
        lambda: {
            "consumer": _consumer(),
            "converter": k.JsonConverter(),
            "partitioner": k.DefaultPartitioner(),
            "rotation": k.RecordCountRotation(1),
            "storage": testing.MemoryStorage(),
        },
        consumer=instances(testing.MemoryConsumer),
        converter=instances(k.JsonConverter),
        partitioner=instances(k.DefaultPartitioner),
        rotation=(*instances(k.RecordCountRotation), 1000),
        storage=instances(testing.MemoryStorage),
        transforms=(1, "x", [1], [transforms.Flatten]),
        metadata_columns=(*instances(k.MetadataColumns), ["offset"]),
        files=(*instances(k.FileSettings), k.ParquetWriter()),
        rejects=(*instances(k.RejectPolicy), "skip", dead_letters.Tolerance(everything=True)),
        delivery=(*instances(k.DeliverySettings), "exactly_once"),
        budget=(*instances(k.MemoryBudget), 1 << 20),
        clock=instances(clock.SystemClock),
        hooks=(1, "x", [1], _Hook, [_Hook]),
        executor=instances(concurrent.futures.ThreadPoolExecutor),
        name=NAME,
    ),
    case(converters.StringConverter, encoding=(*NAME, "UTF-88"), field=NAME),
    case(
        k.TaskRunner,
        lambda: {"factories": [FUNCTION]},
        factories=(1, "x", [1], [k.SinkTask]),
        progress_interval_s=POSITIVE,
        shutdown_timeout_s=POSITIVE,
        name=NAME,
    ),
    case(
        k.TimeBasedPartitioner,
        lambda: {"path_format": "YYYY", "partition_duration": HOUR},
        path_format=(*NAME, "year=YYYY"),
        partition_duration=DURATION,
        **_BY_TIME,
    ),
    case(dead_letters.Tolerance, lambda: {"everything": True}, everything=FLAG, has_reporter=FLAG),
    case(
        k.build_runner,
        lambda: {"config": _config(), "worker": WorkerConfig(bootstrap_servers="b:9092")},
        config=(*INSTANCE, {"name": "n"}),
        worker=(*INSTANCE, {"bootstrap.servers": "b:9092"}),
        hooks=(1, "x", [_Hook]),
        clock=instances(clock.SystemClock),
        progress_interval_s=POSITIVE,
    ),
    case(
        k.build_task,
        lambda: {"config": _config(), "worker": WorkerConfig(bootstrap_servers="b:9092")},
        config=(*INSTANCE, {"name": "n"}),
        worker=(*INSTANCE, {"bootstrap.servers": "b:9092"}),
        task_index=WHOLE,
        shared=INSTANCE,
        hooks=(1, "x", [_Hook]),
        clock=instances(clock.SystemClock),
        consumer=INSTANCE,
        storage=instances(testing.MemoryStorage),
        executor=INSTANCE,
        dead_letters=INSTANCE,
    ),
    case(
        k.load_connect_config,
        lambda: {"source": _config().given},
        source=(1, b"x", ["sink.json"], {1: "x"}),
        providers=INSTANCE,
    ),
    case(
        k.load_worker_config,
        source=(1, b"x", ["worker.properties"], {1: "x"}, {"x": 1}),
        bootstrap_servers=(1, ["b:9092"]),
        endpoint_url=(1, ["http://store"]),
    ),
    case(transforms.Cast, lambda: {"types": {"a": "int32"}}, types=(1, "a:int32", {}, {"": "int32"}, {"a": "int33"}, {"a": 1})),
    case(transforms.Drop, lambda: {"fields": "a"}, fields=PATHS),
    case(transforms.ExtractField, lambda: {"field": "a"}, field=PATH, on_null=word(("reject", "drop", "tombstone"))),
    case(transforms.Filter, lambda: {"condition": pc.field("a") == 1}, condition=CALLABLE, name=NAME),
    case(transforms.Flatten, delimiter=NAME),
    case(transforms.HoistField, lambda: {"field": "a"}, field=NAME),
    case(
        transforms.InsertField,
        lambda: {"topic": "t"},
        topic=NAME,
        partition=NAME,
        offset=NAME,
        timestamp=NAME,
        static=(1, "x", {1: "x"}, {"": 1}),
    ),
    case(transforms.HasHeaderKey, lambda: {"name": "a"}, name=NAME),
    case(transforms.Keep, lambda: {"fields": "a"}, fields=PATHS),
    case(transforms.Mask, lambda: {"fields": "a"}, fields=PATHS, hashed=word(("sha256",)), key=TEXT),
    case(transforms.Rename, lambda: {"names": {"a": "b"}}, names=(1, "a:b", {}, {"": "b"}, {"a": ""}, {"a": 1})),
    case(transforms.RegexRouter, lambda: {"regex": ".*", "replacement_text": "a"}, regex=NAME, replacement_text=TEXT),
    case(
        transforms.Route,
        lambda: {"router": transforms.RegexRouter(".*", "a")},
        router=instances(transforms.RegexRouter),
        predicate=instances(transforms.TopicNameMatches),
        negate=FLAG,
    ),
    case(transforms.RoutedFolders, lambda: {"routes": []}, routes=(1, "x", [1], [transforms.Route])),
    case(transforms.TimestampRouter, topic_format=TEXT, timestamp_format=TEXT),
    case(transforms.TombstoneHandler, behavior=word(("ignore", "warn", "fail"))),
    case(transforms.TopicNameMatches, lambda: {"pattern": "a"}, pattern=NAME),
    case(
        transforms.ToTimestamp,
        lambda: {"fields": "a"},
        fields=PATHS,
        unit=word(("ms", "us")),
        format=NAME,
        timezone=(*NAME, "Mars"),
    ),
    case(transforms.TransformChain, lambda: {"transforms": []}, transforms=(1, "x", [1], [transforms.Flatten])),
    case(
        transforms.Unwrap,
        deletes=word(("drop", "rewrite", "tombstone")),
        tombstones=word(("pass", "drop")),
        add_fields=(1, [1], [""], {"op"}),
        prefix=TEXT,
    ),
    case(
        transforms.Where,
        lambda: {"transform": transforms.Flatten(), "predicate": transforms.RecordIsTombstone()},
        transform=instances(transforms.Flatten),
        predicate=instances(transforms.RecordIsTombstone),
        negate=FLAG,
    ),
    case(transforms.value_in, lambda: {"field": "a", "values": "x"}, field=PATH, values=(1, [1], {"a": 1}), keep=FLAG),
    case(
        testing.EmbeddedBroker,
        port=(-1, True, "9092", 65536),
        default_partitions=COUNT,
        auto_create_topics=FLAG,
        initial_rebalance_delay_s=SECONDS,
        cluster_id=NAME,
    ),
    case(testing.ManualClock, now=(1, "2026-05-17", None, datetime.datetime(2026, 5, 17))),
    case(
        testing.MemoryConsumer,
        lambda: {"kafka": testing.MemoryKafka(), "group_id": "g", "topics": "t"},
        kafka=instances(testing.MemoryKafka),
        group_id=NAME,
        topics=NAMES,
        max_poll_records=COUNT,
    ),
    case(
        testing.MemoryRecord,
        lambda: {"value": b"x"},
        value=("x", 1, {}),
        key=("x", 1),
        timestamp_ms=(1.5, True, "1", HOUR),
        headers=("x", 1, {}),
    ),
    case(testing.MemoryStorage, url=NAME, clock=instances(testing.ManualClock)),
    case(
        completeness.Completeness,
        lambda: {"storage": testing.MemoryStorage(), "topic": "events", "partitioner": k.HourlyPartitioner()},
        storage=instances(testing.MemoryStorage),
        topic=NAME,
        partitioner=instances(k.HourlyPartitioner, k.DefaultPartitioner),
        naming=instances(k.ObjectNaming),
        lateness=tuple(wrong for wrong in DURATION if wrong != datetime.timedelta()),
        idle_after=DURATION,
        clock=instances(testing.ManualClock),
        merged=instances(k.ObjectNaming),
    ),
    case(
        completeness.SinkCompleteness,
        lambda: {
            "config": _config(partitioner_class=_HOURLY, locale="en", timezone="UTC"),
            "worker": WorkerConfig(bootstrap_servers="localhost:9092"),
        },
        config=instances(connect.ConnectConfig),
        worker=instances(connect.WorkerConfig),
        lateness=tuple(wrong for wrong in DURATION if wrong != datetime.timedelta()),
        idle_after=DURATION,
        clock=instances(testing.ManualClock),
        merged=(1, b"merged"),
    ),
    case(
        compaction.SinkCompaction,
        lambda: {"config": _config(), "worker": WorkerConfig(bootstrap_servers="localhost:9092")},
        config=instances(connect.ConnectConfig),
        worker=instances(connect.WorkerConfig),
        into=(1, b"merged"),
        older_than=tuple(wrong for wrong in DURATION if wrong != datetime.timedelta()),
        target_bytes=COUNT,
        lateness=tuple(wrong for wrong in DURATION if wrong != datetime.timedelta()),
        idle_after=DURATION,
        switch=(1, b"glue:raw.events"),
        clock=instances(testing.ManualClock),
    ),
    case(
        bounded.drain,
        lambda: {"sink": _task()},
        sink=instances(k.SinkTask, k.TaskRunner),
        until=(1, "now", [1], {"t-0": 1}, {TopicPartition("t", 0): "1"}),
        timeout_s=POSITIVE,
    ),
    case(
        http.StatusApp,
        lambda: {"status": FUNCTION},
        status=CALLABLE,
        connector=instances(http.ConnectorDescription),
        registry=INSTANCE,
        live_limit_s=POSITIVE,
    ),
    case(
        http.FollowerApp,
        lambda: {"statuses": [FUNCTION]},
        statuses=[[wrong] for wrong in CALLABLE],
        registry=INSTANCE,
        live_limit_s=POSITIVE,
        hide=CALLABLE,
    ),
    case(http.StatusServer, lambda: {"app": http.StatusApp(FUNCTION)}, app=instances(http.StatusApp), address=(*NAME, "8083")),
    case(
        storage.AssumedRole,
        lambda: {"arn": "a", "session_name": "s"},
        arn=NAME,
        session_name=NAME,
        external_id=TEXT,
        region=NAME,
        sts_url=NAME,
    ),
    case(
        storage.GcsOptions,
        token=(1, True),
        project=NAME,
        billing_project=NAME,
        endpoint_url=NAME,
        storage_class=NAME,
        proxy_url=(*NAME, "proxy:3128"),
        user_agent=NAME,
        part_size_bytes=(*COUNT, 1, (1 << 20) + 1),
        connect_timeout_s=POSITIVE,
        read_timeout_s=POSITIVE,
        request_timeout_s=POSITIVE,
    ),
    case(
        storage.S3Options,
        region=NAME,
        endpoint_url=NAME,
        access_key_id=NAME,
        secret_access_key=TEXT,
        session_token=TEXT,
        profile=NAME,
        role=instances(storage.AssumedRole),
        path_style=(1, "true"),
        accelerate=FLAG,
        acl=NAME,
        server_side_encryption=NAME,
        kms_key_id=NAME,
        customer_key=("x" * 32, b"x", 32),
        storage_class=NAME,
        requester_pays=FLAG,
        proxy_url=(*NAME, "socks5://proxy"),
        user_agent=NAME,
        part_size_bytes=(*COUNT, 1),
        attempts=COUNT,
        connect_timeout_s=POSITIVE,
        read_timeout_s=POSITIVE,
        request_timeout_s=POSITIVE,
    ),
]

PUBLIC = (
    k,
    clock,
    compaction,
    completeness,
    connect,
    consumers,
    converters,
    dead_letters,
    http,
    partitioners,
    rotation,
    schema,
    storage,
    testing,
    transforms,
)

#: Values that the library makes, or that parts pass on; their constructors check nothing.
VALUES = {
    k.StepResult,
    connect.ConfigProviders,
    connect.ConnectConfig,
    connect.TaskPlan,
    connect.WorkerConfig,
    compaction.Deletion,
    compaction.MergeUnit,
    compaction.PlannedTopic,
    compaction.SwitchedTopic,
    compaction.UnitResult,
    completeness.FolderState,
    completeness.MarkedFile,
    completeness.Marker,
    completeness.PartitionFrontier,
    completeness.TopicCompleteness,
    consumers.Assigned,
    consumers.Assignment,
    consumers.CommitRefused,
    consumers.CommitSucceeded,
    consumers.CommittedOffset,
    consumers.GroupMember,
    consumers.LogBounds,
    consumers.PartitionFailed,
    consumers.Polled,
    consumers.Revoked,
    http.ConnectorDescription,
    http.Response,
    partitioners.Unusable,
    rotation.Cut,
    rotation.Due,
    rotation.FlushStats,
    schema.CompatibilityMode,
    schema.ConnectField,
    schema.ConnectSchema,
    storage.AlreadyExists,
    storage.Published,
    storage.StagedFile,
}


def _task() -> Any:
    return next(each for each in CASES if each.of is k.SinkTask).of(**_right_of(k.SinkTask))


def _right_of(of: Callable[..., Any]) -> Mapping[str, Any]:
    return next(each for each in CASES if each.of is of).right()


def _call(of: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Calls a constructor; arguments of a `*parameter` are given under its name."""
    positional: Sequence[Any] = ()
    for name, parameter in inspect.signature(of).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional = arguments[name]
            arguments = {other: value for other, value in arguments.items() if other != name}
    return of(*positional, **arguments)


def _public() -> list[Any]:
    return [getattr(module, name) for module in PUBLIC for name in module.__all__]


def test_every_constructor_has_its_cases() -> None:
    """The table has each public class and each parameter of its constructor, including new ones."""
    covered = {each.of: set(each.wrong) for each in CASES}
    covered[converters.PerRecordConverter] = covered[Decoder]
    lacking = {}
    for each in _public():
        is_class = inspect.isclass(each) and not issubclass(each, Exception) and each not in VALUES
        is_part = is_class and not getattr(each, "_is_protocol", False)
        parameters = inspect.signature(each).parameters if is_part else {}
        named = {name for name, found in parameters.items() if found.kind is not inspect.Parameter.VAR_KEYWORD}
        if named - covered.get(each, set()) - {"replacement"}:
            lacking[each.__name__] = named - covered.get(each, set())
    assert {} == lacking


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.of.__name__)
def test_right_arguments_are_accepted(case: Case) -> None:
    """Right arguments are accepted, and the repr of the result names the class without an address in memory."""
    made = _call(case.of, case.right())
    assert repr(made).startswith(
        (f"{case.of.__name__}(", "TaskRunner", "ValueIn", "DrainResult", "SinkTask", "ConnectConfig", "WorkerConfig")
    )
    assert " object at 0x" not in repr(made)


@pytest.mark.parametrize(
    ("case", "name"),
    [pytest.param(case, name, id=f"{case.of.__name__}-{name}") for case in CASES for name in case.wrong],
)
def test_wrong_arguments_are_refused_by_name(case: Case, name: str) -> None:
    """The error names the class and the argument, and doesn't speak of configurations of Kafka Connect."""
    required = case.right()
    is_optional = inspect.signature(case.of).parameters[name].default is None
    accepted, badly_said = [], []
    for value in case.wrong[name]:
        if value is None and is_optional:
            continue
        try:
            _call(case.of, {**required, name: value})
        except (ConfigurationError, UsageError) as error:
            said = str(error)
            if case.of.__name__ not in said or name not in said or "for configuration" in said:
                badly_said.append(said)
        else:
            accepted.append(value)
    assert [] == accepted
    assert [] == badly_said
