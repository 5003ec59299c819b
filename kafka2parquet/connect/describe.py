"""Describes in sentences what a configuration will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import pyarrow as pa

from kafka2parquet.clock import SystemClock
from kafka2parquet.connect.build import NO_BROKERS, TaskPlan, clients_of, secrets_of_texts
from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.lint import lint
from kafka2parquet.connect.missing_values import NotedReads
from kafka2parquet.connect.parts.files_and_rotation import make_inner_partitioner, make_naming, outer_fields
from kafka2parquet.connect.parts.local_files import only_for_runs, unreadable_files
from kafka2parquet.connect.parts.records import make_tombstone_policy
from kafka2parquet.connect.parts.rejects import describe_rejects
from kafka2parquet.connect.parts.schemas import describe_schemas
from kafka2parquet.connect.parts.transforms import applied_where, topic_folders
from kafka2parquet.connect.properties.converters import REGISTRY_CONVERTERS, converter_name
from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    FLUSH_SIZE,
    METADATA_COLUMNS,
    PARTITION_DURATION_MS,
    PARTITION_FIELD_NAME,
    PARTITIONER_CLASS,
    PARTITIONER_MAX_OPEN_FILES,
    ROTATE_FILE_ON_PARTITION_CHANGE,
    ROTATE_INTERVAL_MS,
    ROTATE_SCHEDULE_INTERVAL_MS,
    ROTATION_POLICY,
    TARGET_FILE_BYTES,
    TASKS,
    TASKS_MAX,
    TIMESTAMP_FIELD,
    TIMEZONE,
    TOPICS,
    TOPICS_REGEX,
    TRANSFORMS,
    VALUE_CONVERTER,
    VALUE_CONVERTER_SCHEMAS_ENABLE,
)
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.partitioners.timestamps import RecordTimestamp
from kafka2parquet.problems import Problem, ProblemKind, note
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.rows import Rows
from kafka2parquet.util.display import counted

#: 2026-01-31 13:37 UTC, a time at which each letter of a pattern prints something different.
_EXAMPLE_MS = 1_769_866_620_000
_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"), (1, "millisecond"))


@attrs.frozen
class Description:
    """What a configuration will do, in plain sentences. Secrets are hidden.

    Attributes:
        name: name of the connector.
        url: where files go.
        group_id: the consumer group.
        warnings: probable mistakes.
        notes: settings that have no effect or work differently, and what is still missing.
        text: everything, probable mistakes first.
    """

    name: str
    url: str
    group_id: str
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    text: str


def describe(config: ConnectConfig, worker: WorkerConfig) -> Description:
    """Describe what the configuration will do.

    Nothing is connected. Brokers may be missing from `worker`.

    Raises:
        ConfigurationError: the configuration can't run with this worker; all problems.
    """
    plan = TaskPlan.of(config, worker, brokers_needed=False, files_needed=False)
    config = plan.config
    warnings = _warnings(config)
    notes = (
        *config.notes,
        *worker.notes,
        *_client_notes(plan),
        *map(only_for_runs, unreadable_files(config, clients_of(plan.consumer, plan.dead_letters))),
        *_folder_change_notes(config),
        *_broker_notes(plan),
    )
    url = plan.storage.url
    paragraphs = [
        f"{config.name}: from Kafka to {url}",
        _listed("Look at this first:", warnings),
        _paragraph(config, lambda config: _reading(attrs.evolve(plan, config=config))),
        *(_paragraph(config, describe_part) for describe_part in (_rows, _folders, _rotation, _delivery)),
        _listed("Good to know:", notes),
    ]
    hide = secrets_of_texts(config, worker).hide
    return Description(
        name=hide(config.name),
        url=hide(url),
        group_id=hide(plan.consumer.group_id),
        warnings=tuple(finding.hidden_by(hide) for finding in warnings),
        notes=tuple(finding.hidden_by(hide) for finding in notes),
        text=hide("\n\n".join(filter(None, paragraphs))),
    )


def _warnings(config: ConnectConfig) -> tuple[Problem, ...]:
    """Return all warnings; warnings about unknown properties come last."""
    unknown = [finding for finding in config.warnings if any(_is_unknown(config, name) for name in finding.properties)]
    known = (finding for finding in config.warnings if finding not in unknown)
    return (*known, *lint(config), *unknown)


def _is_unknown(config: ConnectConfig, name: str) -> bool:
    return name in config.given and config.table.find(name) is None


def _listed(title: str, findings: tuple[Problem, ...]) -> str:
    """Return a paragraph with one finding per line; "" without findings."""
    return "\n".join([title, *(f"- {finding}" for finding in findings)]) if findings else ""


def _paragraph(config: ConnectConfig, sentences: Callable[[ConnectConfig], Iterator[str]]) -> str:
    """Return a paragraph, with a last sentence about the values that it depends on and that aren't known here."""
    unknown = config.unresolved
    values = NotedReads(config.values, unknown)
    lines = list(sentences(attrs.evolve(config, values=values)))
    said = "\n".join(lines)
    open_questions = [f"{name}={unknown[name]}" for name in values.noted if unknown[name] not in said]
    if open_questions:
        lines.append(f"This depends on {', '.join(open_questions)}, which is not known here.")
    return "\n".join(lines)


def _number(config: ConnectConfig, name: str, noun: str) -> str:
    """Return a number with its noun, or the variable in its place if its value isn't known here."""
    variable = config.variable(name)
    return counted(config.number(name), noun) if variable is None else f"{variable} {noun}s"


def _length(config: ConnectConfig, name: str) -> str:
    """Return a duration, or the variable in its place if its value isn't known here."""
    variable = config.variable(name)
    return duration(config.number(name)) if variable is None else f"{variable} milliseconds"


def _is_used(config: ConnectConfig, name: str) -> bool:
    """Return whether a number is more than 0, or is a variable whose value isn't known here."""
    return config.number(name) > 0 or config.variable(name) is not None


def duration(milliseconds: int) -> str:
    """Return a duration in its largest whole unit, such as `1 hour`."""
    unit_ms, unit = next(unit for unit in _UNITS if milliseconds % unit[0] == 0)
    return counted(milliseconds // unit_ms, unit)


def _reading(plan: TaskPlan) -> Iterator[str]:
    config = plan.config
    topics = config.items(TOPICS)
    if topics:
        what = f"the topic{'s' if len(topics) > 1 else ''} {', '.join(topics)}"
    else:
        what = f"all topics whose names match {config.text(TOPICS_REGEX)}, also those that are created later,"
    is_fixed = _is_used(config, TASKS) or (config.tasks_max == 1 and config.variable(TASKS_MAX) is None)
    tasks = _number(config, TASKS if _is_used(config, TASKS) else TASKS_MAX, "task")
    yield f"{'' if is_fixed else 'Up to '}{tasks} will read {what} as members of the consumer group {plan.consumer.group_id}."
    if not is_fixed:
        yield f"A process starts at most one task for each partition and for each core that it may use ({TASKS} sets a number)."
    yield f"A partition for which the group has no committed offset is read from its {plan.consumer.first_start} record on."


def _folder_change_notes(config: ConnectConfig) -> tuple[Problem, ...]:
    rotates = config.partitioner.time_based and config.number(ROTATE_INTERVAL_MS) > 0
    if not rotates or not config.flag(ROTATE_FILE_ON_PARTITION_CHANGE):
        return ()
    return (
        note(
            ROTATE_FILE_ON_PARTITION_CHANGE,
            "Where records are not in the order of their times, each change between folders closes files, as in Connect, and "
            "makes small ones. rotate.file.on.partition.change=false keeps several folders open instead",
        ),
    )


def _client_notes(plan: TaskPlan) -> tuple[Problem, ...]:
    return (*plan.consumer.notes, *(plan.dead_letters.notes if plan.dead_letters is not None else ()))


def _broker_notes(plan: TaskPlan) -> tuple[Problem, ...]:
    if plan.consumer.bootstrap_servers:
        return ()
    return (attrs.evolve(NO_BROKERS.within("To run it, brokers are needed"), kind=ProblemKind.NOTE),)


def _rows(config: ConnectConfig) -> Iterator[str]:
    name = converter_name(config.text(VALUE_CONVERTER))
    if name == "Json" and config.flag(VALUE_CONVERTER_SCHEMAS_ENABLE):
        yield "Each value has to be a JSON object with schema and payload, which becomes a row with the types of the schema."
    elif name == "Json":
        yield "Each value has to be a JSON object and becomes a row."
        yield from describe_schemas(config)
    elif name == "String":
        yield "Each value becomes a row with one column of text."
    elif name == "ByteArray":
        yield "Each value becomes a row with one column of bytes."
    else:
        urls = ", ".join(config.items("value.converter.schema.registry.url"))
        by_schema = f", by its schema in the registry at {urls}" if name in REGISTRY_CONVERTERS else ""
        yield f"Each value becomes a row as {simple_name(config.text(VALUE_CONVERTER))} makes it{by_schema}."
    transforms = [
        f"{alias} ({' '.join(filter(None, (config.text(f'transforms.{alias}.type'), applied_where(config, alias))))})"
        for alias in config.items(TRANSFORMS)
    ]
    if transforms:
        yield f"Rows then go through {', '.join(transforms)}."
    yield _besides(config)
    behind = " that comes out of the transforms" if transforms else ""
    yield _TOMBSTONES[make_tombstone_policy(config)].replace("(tombstone)", f"(tombstone){behind}")
    yield from describe_rejects(config)


_TOMBSTONES = {
    "fail": "A record without value (tombstone) ends the task with an error; nothing is lost.",
    "ignore": "A record without value (tombstone) is left out.",
    "report": "A record without value (tombstone) is left out, and reported like a rejected record.",
    "write": "A record without value (tombstone) is written with its key.",
}


def _besides(config: ConnectConfig) -> str:
    """Return a sentence about what is written beside the values: metadata columns, and files of keys and headers."""
    columns = config.items(METADATA_COLUMNS)
    views = [view for view in ("keys", "headers") if config.flag(f"store.kafka.{view}")]
    sentences = [f"The columns {', '.join(f'_kafka_{name}' for name in columns)} are added."] if columns else []
    if views:
        sentences.append(f"Files of {' and '.join(views)} are written beside those of the values.")
    return " ".join(sentences or ["Keys and headers are not written."])


def _folders(config: ConnectConfig) -> Iterator[str]:
    kind = config.partitioner
    if kind.time_based:
        fixed_ms = {PartitionerKind.HOURLY: 3_600_000, PartitionerKind.DAILY: 86_400_000}.get(kind)
        length = _length(config, PARTITION_DURATION_MS) if fixed_ms is None else duration(fixed_ms)
        source = {
            "Record": "the timestamp of its record",
            "RecordField": f"its field {config.text(TIMESTAMP_FIELD)}",
            "Wallclock": "the clock at which its flush was opened",
        }[config.extractor]
        zone = config.variable(TIMEZONE) or config.text(TIMEZONE)
        steps = f"in steps of {length} in the time zone {zone}"
        yield f"A row's folder is given by {source}, {steps}."
        outer, _ = outer_fields(config)
        if outer:
            yield f"That folder is in a folder by the values of {', '.join(outer)}."
    elif kind is PartitionerKind.FIELD:
        yield f"A row's folder is given by the values of {', '.join(config.items(PARTITION_FIELD_NAME))}."
    elif kind is PartitionerKind.CUSTOM:
        yield f"A row's folder is given by {config.text(PARTITIONER_CLASS)}."
    else:
        yield "A row's folder is given by its Kafka partition."
    folder = example_folder(config)
    topic = next(iter(config.items(TOPICS)), "my-topic")
    naming, folders = make_naming(config), topic_folders(config)
    is_renamed_by_time = naming.has_several_folders(topic)
    if folders is not None and is_renamed_by_time:
        yield "The name of its topic's folder has the timestamp of its record in it."
        folder = naming.outer_folder(topic, folders.folder_at(topic, _EXAMPLE_MS)) + folder
    key = naming.key(topic, 0, folder, 0)
    when = " of 2026-01-31 13:37 UTC" if kind.time_based or is_renamed_by_time else ""
    yield f"A file whose first record is offset 0 of partition 0{when} is called"
    yield f"{config.destination.rstrip('/')}/{key}"


def example_folder(config: ConnectConfig) -> str:
    """Return the encoded partition of an example record."""
    delimiter = config.text(DIRECTORY_DELIM)
    if config.partitioner is PartitionerKind.FIELD:
        return delimiter.join(f"{name}=…" for name in config.items(PARTITION_FIELD_NAME))
    if config.partitioner is PartitionerKind.CUSTOM:
        return "…"
    batch = ConsumedBatch.of_values(TopicPartition("", 0), [b""], timestamps_ms=[_EXAMPLE_MS])
    rows = Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({"value": [None]}))
    partitioned = make_inner_partitioner(config, RecordTimestamp()).partition(rows, SystemClock().now())
    fields, labels = outer_fields(config)
    outer = (f"{name}=…" if labels else f"<{name}>" for name in fields)
    return delimiter.join((*outer, partitioned.rows.encoded_partitions[0]))


def _rotation(config: ConnectConfig) -> Iterator[str]:
    rows = counted(max(1, config.number(FLUSH_SIZE)), "row")
    yield "The open files of a topic-partition are closed and published together, whichever comes first:"
    yield f"- after {rows if config.variable(FLUSH_SIZE) is None else _number(config, FLUSH_SIZE, 'row')}, over all its folders"
    if config.text(ROTATION_POLICY):
        yield f"- where {config.text(ROTATION_POLICY)} ends them"
    if _is_used(config, ROTATE_INTERVAL_MS) and config.partitioner.time_based:
        interval = _length(config, ROTATE_INTERVAL_MS)
        yield f"- when the times of their rows span {interval}, or when they have been open for that time"
        if config.flag(ROTATE_FILE_ON_PARTITION_CHANGE):
            yield "- when a row belongs to another folder than the row before it"
    if _is_used(config, ROTATE_SCHEDULE_INTERVAL_MS):
        zone = config.variable(TIMEZONE) or config.text(TIMEZONE)
        yield f"- by the clock, every {_length(config, ROTATE_SCHEDULE_INTERVAL_MS)} counted from midnight in {zone}"
    if config.number(PARTITIONER_MAX_OPEN_FILES) >= 0 or config.variable(PARTITIONER_MAX_OPEN_FILES) is not None:
        yield f"- before more than {_number(config, PARTITIONER_MAX_OPEN_FILES, 'file')} would be open"
    if _is_used(config, TARGET_FILE_BYTES):
        yield f"- when they have about {_number(config, TARGET_FILE_BYTES, 'byte')}"
    yield "- on an orderly stop"


def _delivery(config: ConnectConfig) -> Iterator[str]:
    if config.text("kafka2parquet.delivery") == "exactly_once":
        yield "Every record will be in exactly one file, whatever crashes, rebalances or rotates (exactly once)."
        yield "A store that can't give that is refused at the start."
    else:
        yield "No record will be lost (at least once)."
        yield "A record may be written twice where the store can't create objects without replacing others."
    yield "A file becomes visible whole, is never replaced, and the offset is committed after it."
    unknown_bytes = config.variable("kafka2parquet.memory.bytes")
    limit = f"{config.number('kafka2parquet.memory.bytes') >> 20} MiB" if unknown_bytes is None else f"{unknown_bytes} bytes"
    yield f"All tasks together buffer at most {limit}, then partitions wait."
