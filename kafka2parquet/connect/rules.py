"""Validation rules that involve several properties."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterator

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.missing_values import known_only
from kafka2parquet.connect.parts.converters import check_converters
from kafka2parquet.connect.parts.files_and_rotation import make_inner_partitioner
from kafka2parquet.connect.parts.records import check_records
from kafka2parquet.connect.parts.rejects import reporters
from kafka2parquet.connect.parts.storage import takes_role
from kafka2parquet.connect.parts.transforms import read_transforms, renames_topics
from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    ERRORS_LOG_INCLUDE_MESSAGES,
    ERRORS_TOLERANCE,
    FILE_DELIM,
    FLUSH_SIZE,
    PARTITION_DURATION_MS,
    PARTITION_FIELD,
    PARTITION_FIELD_NAME,
    PARTITIONER_CLASS,
    PATH_FORMAT,
    ROTATE_INTERVAL_MS,
    ROTATE_SCHEDULE_INTERVAL_MS,
    S3_PATH_STYLE_ACCESS_ENABLED,
    S3_SSE_KMS_KEY_ID,
    S3_SSEA_NAME,
    S3_WAN_MODE,
    TASKS,
    TASKS_MAX,
    TIMESTAMP_EXTRACTOR,
    TIMEZONE,
    TOPICS,
    TOPICS_DIR,
    TOPICS_REGEX,
)
from kafka2parquet.connect.properties.option import capitalized, invalid_value, missing_value, simple_name
from kafka2parquet.connect.properties.s3 import ASSUME_ROLE, STS_PREFIX
from kafka2parquet.connect.properties.storage import FIELD_AND_TIME_CLASSES, PARTITIONER_PACKAGE
from kafka2parquet.connect.python_classes import is_python_path, load_class
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.path_format import PathFormat, is_joda
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import RecordTimestamp
from kafka2parquet.problems import Problem, ProblemKind, unsupported, warning

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_FIELD_AND_TIME = re.compile(r"Field.*Time|Time.*Field", re.IGNORECASE)

#: Times of an example record that is written some time after it was sent.
_SENT_AT = datetime.datetime(2026, 1, 31, 13, 37, tzinfo=datetime.timezone.utc)
_WRITTEN_AT = datetime.datetime(2026, 2, 1, 9, 5, tzinfo=datetime.timezone.utc)

Rule = Callable[[ConnectConfig], Iterator[Problem]]


def cross_check(config: ConnectConfig, failed: set[str]) -> list[Problem]:
    """Apply all rules, and return what they find.

    Args:
        config: the configuration.
        failed: properties that are known to be wrong already; problems about them are left out, warnings and notes are not.
    """
    found = (finding for rule in _RULES for finding in known_only(config, rule))
    return [each for each in found if not (each.kind.is_fatal and failed.intersection(each.properties))]


def _tasks(config: ConnectConfig) -> Iterator[Problem]:
    tasks = config.number(TASKS)
    if tasks > config.tasks_max:
        yield Problem(
            (TASKS, TASKS_MAX),
            f"{TASKS} is {tasks}, but {TASKS_MAX}{'' if config.is_set(TASKS_MAX) else ', which is not set,'} allows"
            f" {config.tasks_max}",
            f"Set {TASKS_MAX}={tasks} too: no process starts more tasks than {TASKS_MAX}.",
        )


def _topics(config: ConnectConfig) -> Iterator[Problem]:
    pattern = config.text(TOPICS_REGEX)
    topics = config.items(TOPICS)
    if topics and pattern:
        yield Problem(
            (TOPICS, TOPICS_REGEX),
            "topics and topics.regex are mutually exclusive options, but both are set.",
            "Remove one of them.",
        )
    if not topics and not pattern:
        yield Problem((TOPICS, TOPICS_REGEX), "Must configure one of topics or topics.regex", "Set topics.")
    try:
        compiled = config.topics_pattern
    except ConfigurationError as error:
        yield Problem(TOPICS_REGEX, str(error))
        return
    dead_letters = config.text("errors.deadletterqueue.topic.name")
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            yield unsupported(
                TOPICS,
                f"topics={','.join(topics)}: {topic} is not the name of a topic",
                "Names have up to 249 letters, digits, dots, underscores and hyphens; a pattern belongs in topics.regex.",
            )
        else:
            yield from _own_folder(config, topic)
    if dead_letters and dead_letters in topics:
        yield _dead_letter_problem(dead_letters, f"list of topics ('topics={','.join(topics)}')", "topics")
    if dead_letters and compiled is not None and compiled.fullmatch(dead_letters):
        yield _dead_letter_problem(dead_letters, f"regex matching the topics ('topics.regex={pattern}')", "topics.regex")


def _own_folder(config: ConnectConfig, topic: str) -> Iterator[Problem]:
    try:
        folders = read_transforms(config).folders if renames_topics(config) else None
        ObjectNaming(config.text(TOPICS_DIR), config.text(DIRECTORY_DELIM), topic_folders=folders).check_topic(topic)
    except ConfigurationError as error:
        yield warning(TOPICS, f"topics={topic}: {error} No task starts with such a topic")  # topics.regex may find one, too


def _dead_letter_problem(topic: str, where: str, name: str) -> Problem:
    return Problem(
        ("errors.deadletterqueue.topic.name", name),
        f"The DLQ topic '{topic}' may not be included in the {where} consumed by the connector",
        "Choose another topic for dead letters.",
    )


def _dead_letters(config: ConnectConfig) -> Iterator[Problem]:
    topic, log = "errors.deadletterqueue.topic.name", "errors.log.enable"
    if not config.text(topic):
        prefixes = ("errors.deadletterqueue.", "producer.override.", "admin.override.")
        for name in config.given:
            if name.startswith(prefixes) and name != topic:
                yield warning(name, f"{name} has no effect: {topic} is not set")
    if config.flag(ERRORS_LOG_INCLUDE_MESSAGES) and not config.flag(log):
        name = "errors.log.include.messages"
        yield warning(name, f"{name} has no effect: {log} is not true")


def _tolerance(config: ConnectConfig) -> Iterator[Problem]:
    if config.text(ERRORS_TOLERANCE) == "all" and not reporters(config):
        yield warning(
            ERRORS_TOLERANCE,
            "errors.tolerance=all: records that can't be read are left out without a trace. A record that can be read but "
            "not partitioned or written ends the task, as in Connect, because nothing would report it",
            "Keep such records with errors.deadletterqueue.topic.name or kafka2parquet.quarantine=true, or log them with "
            "errors.log.enable=true.",
        )


def _file_delimiter(config: ConnectConfig) -> Iterator[Problem]:
    delimiter = config.text(FILE_DELIM)
    if not delimiter or delimiter.isdigit():
        yield unsupported(
            FILE_DELIM,
            f"file.delim={delimiter} is not supported",
            "Partition and offset would run together in file names. Use + or -.",
        )


def _bucket(config: ConnectConfig) -> Iterator[Problem]:
    name = f"{config.provider}.bucket.name"
    bucket = config.text(name)
    if not bucket.startswith("arn:") and set(bucket) & set("/: "):  # ARNs are of access points
        yield unsupported(
            name,
            f"{name}={bucket} is not the name of a bucket",
            "Write the bare name without a scheme; a folder in the bucket goes to topics.dir.",
        )


def _partitioner(config: ConnectConfig) -> Iterator[Problem]:
    kind = config.partitioner
    class_name = config.text(PARTITIONER_CLASS)
    if kind is PartitionerKind.CUSTOM:
        yield from _custom_partitioner(class_name)
    if kind is PartitionerKind.FIELD and not config.items(PARTITION_FIELD_NAME):
        yield Problem(PARTITION_FIELD_NAME, "Partition field name cannot be null or empty when using FieldPartitioner.")
    if kind.time_based:
        for name, label in (("locale", "Locale"), ("timezone", "Timezone")):
            if not config.text(name):
                example = "en" if name == "locale" else "UTC"
                yield Problem(name, invalid_value(name, "", f"{label} cannot be empty."), f"Set it, for example to {example}.")
    if kind.has_pattern:
        yield from _time_partitions(config)
    if kind is PartitionerKind.FIELD_AND_TIME and not (config.items(PARTITION_FIELD_NAME) or config.text(PARTITION_FIELD)):
        yield unsupported(
            PARTITION_FIELD_NAME,
            "partition.field.name is not set",
            f"{kind.value} makes its outer folders from these fields. Set the property, or use TimeBasedPartitioner.",
        )
    outer = "kafka2parquet.partition.field.name"
    if config.items(outer) and kind is PartitionerKind.FIELD_AND_TIME:
        message = f"{outer} and partition.field.name both name the outer folders"
        yield Problem((outer, PARTITION_FIELD_NAME), message, f"Remove {outer}.")
    elif config.items(outer) and not kind.time_based:
        yield Problem(
            (outer, PARTITIONER_CLASS),
            f"{outer} needs a partitioner by time, and partitioner.class={class_name} is not one",
            "Use FieldPartitioner with partition.field.name for folders by field alone, or combine partitioners in Python.",
        )


def _time_partitions(config: ConnectConfig) -> Iterator[Problem]:
    duration_ms = config.number(PARTITION_DURATION_MS)
    if duration_ms <= 0:
        rule = "Partition duration needs to be a positive."
        yield Problem(
            PARTITION_DURATION_MS,
            invalid_value(PARTITION_DURATION_MS, str(duration_ms), rule),
            "Set it, for example to 3600000 for an hour.",
        )
    pattern = config.text(PATH_FORMAT)
    if not pattern or pattern == config.text(DIRECTORY_DELIM):
        yield Problem(
            PATH_FORMAT,
            invalid_value(PATH_FORMAT, pattern, "Path format cannot be empty."),
            "Set it, for example to 'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH.",
        )
        return
    try:
        PathFormat(pattern, config.text("locale"))
    except ConfigurationError as error:
        kind = ProblemKind.UNSUPPORTED if is_joda(pattern) else ProblemKind.INVALID
        yield Problem(PATH_FORMAT, str(error), kind=kind)


def _timestamps(config: ConnectConfig) -> Iterator[Problem]:
    if not config.partitioner.time_based:
        return
    if not config.is_set(TIMESTAMP_EXTRACTOR):
        yield warning(
            TIMESTAMP_EXTRACTOR,
            "timestamp.extractor is not set: the timestamp of a record decides its folder, while Confluent's sink uses the "
            f"clock of its worker.{_both_folders(config)}",
            "Set timestamp.extractor=Record to keep this, or timestamp.extractor=Wallclock for what Confluent's sink does.",
        )
    elif config.extractor not in ("Record", "RecordField", "Wallclock"):
        yield Problem(
            TIMESTAMP_EXTRACTOR,
            f"Invalid timestamp extractor: {config.text(TIMESTAMP_EXTRACTOR)}",
            "Use Record, RecordField or Wallclock; for another time, write a Partitioner in Python.",
        )


def _both_folders(config: ConnectConfig) -> str:
    """Return a sentence that compares the folders by record timestamp and by clock; "" if the partitioner can't be made."""
    try:
        partitioner = make_inner_partitioner(config, RecordTimestamp())
    except ConfigurationError:  # another rule reports it
        return ""
    if not isinstance(partitioner, TimeBasedPartitioner):
        return ""
    moments = (_SENT_AT, _WRITTEN_AT)
    sent, written = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in moments)
    own, clock = (partitioner.encode(round(moment.timestamp() * 1000)) for moment in moments)
    return f" A record of {sent} that is written at {written} lies in {own} here, and in {clock} there."


def _rotation(config: ConnectConfig) -> Iterator[Problem]:
    kind = config.partitioner
    if config.number(ROTATE_SCHEDULE_INTERVAL_MS) > 0 and not config.text(TIMEZONE):
        yield Problem(
            TIMEZONE,
            "timezone configuration must be set when using rotate.schedule.interval.ms",
            "Set it, for example to UTC.",
        )
    if config.number(ROTATE_INTERVAL_MS) > 0 and not kind.time_based and kind is not PartitionerKind.CUSTOM:
        yield warning(
            ROTATE_INTERVAL_MS,
            f"rotate.interval.ms has no effect with {kind.value}, as in Connect: only partitioners by time use record times",
            "Use rotate.schedule.interval.ms, or a partitioner by time.",
        )
    if config.number(FLUSH_SIZE) <= 1 and config.is_set(FLUSH_SIZE):
        yield warning(FLUSH_SIZE, f"flush.size={config.number(FLUSH_SIZE)} makes one file of every record")


def _classes(config: ConnectConfig) -> Iterator[Problem]:
    for name in ("storage.class", "format.class"):
        yield from _known_class(config, name)


def _known_class(config: ConnectConfig, name: str) -> Iterator[Problem]:
    option = config.table.options[name]
    class_name = config.text(name)
    known = {simple_name(choice) for choice in option.choices} | set(option.refused)
    if class_name and simple_name(class_name) not in known:
        yield unsupported(
            name,
            f"{name}={class_name} is not known",
            f"Use {' or '.join(option.choices)}.",
        )


def _custom_partitioner(class_name: str) -> Iterator[Problem]:
    name = "partitioner.class"
    if not is_python_path(class_name):
        advice = "name a Python class that derives from Partitioner, as package.module:Class."
        twin = _known_partitioner(simple_name(class_name))
        advice = f"If it makes the same folders as {twin}, write that name. Otherwise {advice}" if twin else capitalized(advice)
        yield unsupported(
            name,
            f"{name}={class_name} is not known",
            advice,
        )
        return
    try:
        load_class(class_name, Partitioner)
    except ValueError as error:
        yield Problem(name, invalid_value(name, class_name, str(error)))


def _known_partitioner(name: str) -> str | None:
    """Return the known partitioner that a class of this name may copy, or that was probably intended."""
    if _FIELD_AND_TIME.search(name):
        return FIELD_AND_TIME_CLASSES[0]
    known = {kind.value: kind for kind in PartitionerKind if kind is not PartitionerKind.CUSTOM}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    return f"{PARTITIONER_PACKAGE}.{near[0]}" if near else None


def _transforms(config: ConnectConfig) -> Iterator[Problem]:
    yield from read_transforms(config).findings


def _output_compression(config: ConnectConfig) -> Iterator[Problem]:
    name = f"{config.provider}.compression.type"
    if config.text(name) != "gzip":
        return
    views: list[tuple[str, tuple[str, ...]]] = [("data", ("format.class",))]
    if config.provider == "s3":
        views += [
            (view, (f"store.kafka.{view}", f"{view}.format.class"))
            for view in ("keys", "headers")
            if config.flag(f"store.kafka.{view}")
        ]
    advice = f"Remove {name}; parquet.codec=gzip compresses Parquet files."
    for view, properties in views:
        format_class = config.text(properties[-1])
        if simple_name(format_class) not in ("JsonFormat", "ByteArrayFormat"):
            message = f"Compression Type gzip not valid for {view} format class: ( {format_class} )."
            yield Problem((*properties, name), message, advice)
        elif view == "data":  # another format is already a problem, and with Parquet this rule would be the problem
            yield unsupported(
                name,
                f"{name}=gzip is not supported",
                advice,
            )


def _s3(config: ConnectConfig) -> Iterator[Problem]:
    if config.provider != "s3":
        return
    if config.flag(S3_WAN_MODE) and config.flag(S3_PATH_STYLE_ACCESS_ENABLED):
        yield Problem(
            (S3_WAN_MODE, S3_PATH_STYLE_ACCESS_ENABLED),
            "s3.wan.mode and s3.path.style.access.enabled are mutually exclusive options, but both are true.",
        )
    key, secret = "aws.access.key.id", "aws.secret.access.key"
    if bool(config.text(key)) != bool(config.text(secret)):
        missing, given = (secret, key) if config.text(key) else (key, secret)
        yield Problem(missing, f"{missing} is not set, but {given} is", "Set both or none.")
    provider = config.text("s3.credentials.provider.class")
    if simple_name(provider) not in _CREDENTIALS:
        yield unsupported(
            ("s3.credentials.provider.class",),
            f"s3.credentials.provider.class={provider} is not supported",
            "Remove it: the usual places are searched (environment, profile files, container, instance).",
        )
    if takes_role(config):
        for name in (f"{STS_PREFIX}role.arn", f"{STS_PREFIX}role.session.name"):
            if not config.text(name):
                yield Problem(name, missing_value(name), f"{simple_name(ASSUME_ROLE)} needs it.")
    if config.text(S3_SSE_KMS_KEY_ID) and not config.text(S3_SSEA_NAME).startswith("aws:kms"):
        yield warning(S3_SSE_KMS_KEY_ID, "s3.sse.kms.key.id has no effect: s3.ssea.name is not aws:kms")


_CREDENTIALS = (
    "DefaultCredentialsProvider",
    "DefaultAWSCredentialsProviderChain",
    "EnvironmentVariableCredentialsProvider",
    "ProfileCredentialsProvider",
    "InstanceProfileCredentialsProvider",
    "ContainerCredentialsProvider",
    "WebIdentityTokenFileCredentialsProvider",
)

#: Rules whose warnings are about other rows or other folders than in Connect come first.
_RULES: tuple[Rule, ...] = (
    _timestamps,
    _tolerance,
    _tasks,
    _topics,
    _dead_letters,
    _bucket,
    _file_delimiter,
    _partitioner,
    _rotation,
    _classes,
    check_converters,
    _transforms,
    _output_compression,
    check_records,
    _s3,
)
