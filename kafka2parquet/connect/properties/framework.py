"""The properties that Kafka Connect itself defines for sink connectors."""

from __future__ import annotations

from kafka2parquet.connect.properties.converters import CONVERTERS
from kafka2parquet.connect.properties.names import (
    CONNECTOR_CLASS,
    ERRORS_LOG_INCLUDE_MESSAGES,
    ERRORS_TOLERANCE,
    KEY_CONVERTER,
    TASKS_MAX,
    TOPICS,
    TOPICS_REGEX,
    TRANSFORMS,
    VALUE_CONVERTER,
)
from kafka2parquet.connect.properties.option import Value, at_least, one_of
from kafka2parquet.connect.properties.typed import boolean, choice, class_name, integer, long, short, string, string_list

S3_CONNECTOR = "io.confluent.connect.s3.S3SinkConnector"
GCS_CONNECTOR = "io.confluent.connect.gcs.GcsSinkConnector"


def _printable(value: Value) -> None:
    text = str(value)
    if not text:
        raise ValueError("String may not be empty")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise ValueError("String may not contain control sequences")


FRAMEWORK_OPTIONS = (
    string(
        "name",
        None,
        "Name of the connector.",
        required=True,
        validator=_printable,
        note="the consumer group is `connect-<name>`",
    ),
    string(
        CONNECTOR_CLASS,
        None,
        "Class of the sink.",
        required=True,
        choices=(S3_CONNECTOR, GCS_CONNECTOR),
        note="decides which properties apply and where the files go",
    ),
    integer(
        TASKS_MAX,
        1,
        "Upper limit of the number of tasks.",
        validator=at_least(1),
        note="a process starts the fewest of this number, the partitions of its topics and the cores that it may use; each task"
        " is a thread with its own consumer; `kafka2parquet.tasks` sets another number",
    ),
    boolean(
        "tasks.max.enforce",
        True,
        "Whether a connector that makes more tasks than `tasks.max` is refused.",
        no_effect="the sink never makes more tasks",
    ),
    string_list(TOPICS, (), "Topics to read, separated by commas; either this or `topics.regex`."),
    string(
        TOPICS_REGEX,
        "",
        "Regular expression that matches the whole names of the topics to read; either this or `topics`.",
        note="topics that are created later are read too",
    ),
    class_name(
        KEY_CONVERTER,
        None,
        "Class that reads the record keys, as for values. If it is not set, keys are bytes.",
        choices=tuple(CONVERTERS.values()),
        note="keys are read only where they are written: `store.kafka.keys`, or `key` in `kafka2parquet.metadata.columns`; "
        "schemaless JSON stays text",
    ),
    class_name(
        VALUE_CONVERTER,
        None,
        "Class that reads the record values: one of Kafka Connect's or Confluent's, or a Python class as "
        "`package.module:Class`.",
        choices=tuple(CONVERTERS.values()),
    ),
    class_name(
        "header.converter",
        None,
        "Class that reads the record headers.",
        no_effect="headers are written unchanged, and only if `kafka2parquet.metadata.columns` contains `headers`",
    ),
    string_list(
        TRANSFORMS,
        (),
        "Aliases of the transforms that are applied to rows, in their order.",
        note="Java's transforms by their class names, as the page about transforms lists them, and Python classes",
    ),
    string(
        "transforms.*",
        None,
        "`transforms.<alias>.type` is the class, such as `org.apache.kafka.connect.transforms.InsertField$Value`, or in Python "
        "`kafka2parquet.transforms:Drop`; `predicate` and `negate` choose the records that it applies to; all other "
        "properties of the alias are its settings.",
    ),
    string_list("predicates", (), "Aliases of predicates, which choose the records that transforms apply to."),
    string(
        "predicates.*",
        None,
        "`predicates.<alias>.type` is the class: `HasHeaderKey` (`name`), `RecordIsTombstone` or `TopicNameMatches` "
        "(`pattern`) of `org.apache.kafka.connect.transforms.predicates`, or a Python class as `package.module:Class`.",
    ),
    string(
        "config.action.reload",
        "restart",
        "What the worker does when an external configuration value changes.",
        validator=one_of("none", "restart"),
        no_effect="variables such as `${file:…}` and `${env:…}` are looked up once, at the start",
    ),
    choice(
        ERRORS_TOLERANCE,
        "none",
        "`none`: the first record that can't be written ends the task; `all`: such records are left out.",
        ("none", "all"),
        note="`all` covers converters and transforms; a record that can't be partitioned or written is left out where it is"
        " kept or reported (dead letters, quarantine, log), and ends the task otherwise, as in Connect",
    ),
    long(
        "errors.retry.timeout",
        0,
        "How long to retry an operation that fails because a service is down, in milliseconds; -1: without limit.",
        validator=at_least(-1),
        note="applies to a schema registry; 0 also means without limit, because an outage never skips records. After any other"
        " time the task ends, and nothing is lost. The task waits for the store and the brokers without limit",
    ),
    long(
        "errors.retry.delay.max.ms",
        60_000,
        "Longest pause between two attempts, in milliseconds.",
        validator=at_least(1),
        note="applies to a schema registry; pauses begin at 300 ms and double",
    ),
    boolean(
        "errors.log.enable",
        False,
        "Whether each rejected record is logged.",
        note="the log contains stage, class and reason, never a payload",
    ),
    boolean(
        ERRORS_LOG_INCLUDE_MESSAGES,
        False,
        "Whether the log contains topic, partition, offset and timestamp of a rejected record.",
    ),
    string(
        "errors.deadletterqueue.topic.name",
        "",
        "Topic that rejected records are sent to, at least once each. The sink must not read this topic.",
        note="the topic is created with one partition if it doesn't exist; offsets are committed only up to records that have"
        " arrived there",
    ),
    short(
        "errors.deadletterqueue.topic.replication.factor",
        3,
        "Replication factor with which the dead-letter topic is created.",
    ),
    boolean(
        "errors.deadletterqueue.context.headers.enable",
        False,
        "Whether dead letters have headers that describe the error (`__connect.errors.*`).",
    ),
    string(
        "consumer.override.*",
        None,
        "Settings of the consumer, by their Java names, such as `consumer.override.max.partition.fetch.bytes`.",
        note="translated to kafka-python's settings; see the list of consumer settings",
    ),
    string(
        "producer.override.*",
        None,
        "Settings of the producer of dead letters, by their Java names, such as `producer.override.compression.type`.",
        note="translated to kafka-python's settings; see the list of producer settings",
    ),
    string(
        "admin.override.*",
        None,
        "Settings of the client that creates the dead-letter topic, by their Java names.",
        note="translated to kafka-python's settings; see the list of admin settings",
    ),
    string(
        "confluent.*",
        None,
        "Licence of Confluent's connectors, and the topic that stores it.",
        no_effect="no licence is needed; kafka2parquet is free software",
    ),
)
