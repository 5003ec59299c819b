"""This library's own properties, for which Kafka Connect has no name. All names begin with `kafka2parquet.`."""

from __future__ import annotations

from kafka2parquet.connect.properties.names import (
    COLUMN_NAME_CASE,
    METADATA_COLUMNS,
    PARQUET_TYPES,
    PARTITION_ESCAPE,
    ROTATION_POLICY,
    STORAGE_URL,
    TARGET_FILE_BYTES,
    TASKS,
)
from kafka2parquet.connect.properties.option import Value, at_least, between, field_paths
from kafka2parquet.connect.properties.typed import boolean, choice, double, integer, long, string, string_list
from kafka2parquet.connect.python_classes import find_hook, load_class
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.rotation.base import RotationPolicy


def _metadata_columns(value: Value) -> None:
    unknown = [name for name in value if name not in MetadataColumns.ALL] if isinstance(value, tuple) else []
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(MetadataColumns.ALL)}")


def _hooks(value: Value) -> None:
    for path in value if isinstance(value, tuple) else ():
        find_hook(path)


def _rotation_policy(value: Value) -> None:
    if isinstance(value, str) and value:
        load_class(value, RotationPolicy)


OWN_OPTIONS = (
    string_list(
        "kafka2parquet.hooks",
        (),
        "Python functions that are called with an event for everything that happens, each as `package.module:name`. If it names"
        " a class, each task makes its own object. The current folder is searched too.",
        validator=_hooks,
    ),
    string(
        STORAGE_URL,
        "",
        "Where the files go instead of the bucket, as an fsspec URL such as `file:///data/lake`; no bucket is needed then.",
    ),
    integer(
        TASKS,
        None,
        "Number of tasks that a process starts, at most `tasks.max`. Not set: as many as help, which are the fewest of"
        " `tasks.max`, the partitions of the topics when the process starts, and the cores that it may use.",
        validator=at_least(1),
        note="cores are those of the process's affinity and of its container's CPU limit",
    ),
    long(
        "kafka2parquet.memory.bytes",
        256 << 20,
        "Bytes that all tasks together may buffer; beyond that, partitions are paused.",
        validator=at_least(16 << 20),
    ),
    long(
        "kafka2parquet.shutdown.timeout.ms",
        30_000,
        "How long an orderly stop may take to flush open files. The next run reads again what isn't durable by then.",
        validator=at_least(0),
    ),
    long(
        "kafka2parquet.record.batch.max.bytes",
        256 << 20,
        "Most bytes that one record batch may decompress to; a larger batch is treated as corrupt. Each record counts for at"
        " least 64 bytes.",
        validator=between(1 << 20, (2 << 30) - 1),
    ),
    long(
        TARGET_FILE_BYTES,
        -1,
        "Compressed bytes of the open files of a topic-partition at which the files are closed; 0 or less: off.",
    ),
    string(
        ROTATION_POLICY,
        "",
        "A rotation policy of your own, as `package.module:Class`. It ends files beside the other settings, whichever comes"
        " first.",
        validator=_rotation_policy,
    ),
    long("kafka2parquet.row.group.bytes", 64 << 20, "Uncompressed bytes of a row group.", validator=at_least(1 << 20)),
    choice(
        PARQUET_TYPES,
        "connect",
        "Types of columns: `connect` as Confluent's sink writes them (timestamps in milliseconds), or `own`, which more query"
        " engines can read (timestamps and times in microseconds, decimals of up to 38 digits).",
        ("connect", "own"),
    ),
    integer(
        "kafka2parquet.parquet.compression.level",
        0,
        "Level of `parquet.codec`, if the codec has levels; 0: the codec's default.",
        validator=at_least(0),
    ),
    string(
        "kafka2parquet.staging.dir",
        "",
        "Local folder for files that aren't published yet; not set: the system's temporary folder.",
    ),
    string_list(
        METADATA_COLUMNS,
        (),
        "Columns that are added to each row, as `_kafka_<name>`.",
        validator=_metadata_columns,
        choices=MetadataColumns.ALL,
    ),
    choice(
        COLUMN_NAME_CASE,
        "reject",
        "What to do about columns, or fields of one struct, whose names differ only in upper and lower case. `reject`: the"
        " later column is a misfit, and rows with values in it are rejected; `unite`: both become one column; `keep`: both are"
        " written, with a warning.",
        ("reject", "unite", "keep"),
        note="Spark refuses files with two such columns; Athena, Hive and Trino can't tell them apart",
    ),
    boolean(
        "kafka2parquet.unite.schemas",
        False,
        "Whether rows of all schema versions share files, with the columns of all versions; only columns of the same name with"
        " incompatible types close a file. Otherwise `schema.compatibility` decides, as in Connect.",
    ),
    boolean(
        "kafka2parquet.quarantine",
        False,
        "Whether rejected records are written to separate Parquet files, exactly once, under"
        " `<topics.dir>/_kafka2parquet/<topic>/quarantine`.",
        note="rejects are then kept, so `errors.tolerance=all` tolerates them at every stage",
    ),
    double(
        "kafka2parquet.reject.limit.share",
        1.0,
        "Largest share of a topic-partition's records that may be rejected, such as 0.05; a larger share ends the task. 1: no"
        " limit.",
        validator=between(0, 1),
    ),
    integer(
        "kafka2parquet.reject.limit.window.rows",
        10_000,
        "Number of most recent records over which that share is computed, rounded up to whole batches.",
        validator=at_least(1),
    ),
    string_list(
        "kafka2parquet.partition.field.name",
        (),
        "Fields whose values name folders around folders by time, such as `country=FR/year=2026/month=05`.",
        validator=field_paths,
        note="Confluent's sinks have folders by field or by time, not both",
    ),
    boolean(
        PARTITION_ESCAPE,
        False,
        "Whether values of fields and names of schemas are escaped in the names of folders as Hive does: `%2F` for `/`, "
        "`__HIVE_DEFAULT_PARTITION__` for null. Two values then never share a folder, and readers of Hive layouts see exactly "
        "the value; Spark and Hive can't read the folder of an empty text.",
        note="Confluent's sinks escape nothing",
    ),
    choice(
        "kafka2parquet.delivery",
        "exactly_once",
        "Delivery guarantee; with `exactly_once`, the sink refuses to start if broker or store can't give it.",
        ("exactly_once", "at_least_once"),
    ),
    choice(
        "kafka2parquet.on.data.loss",
        "fail",
        "What happens if the log has lost records that weren't written yet, or was truncated by an unclean leader election:"
        " `fail`, or `continue` after the gap.",
        ("fail", "continue"),
    ),
    boolean(
        "kafka2parquet.take.over",
        False,
        "Whether to continue where a sink of another consumer group, or a sink that wrote to another place, has ended for good."
        " Otherwise, a sink that finds files or offsets of such a sink refuses to start.",
    ),
    string(
        "kafka2parquet.group.instance.id",
        "",
        "Static member id, unique to this process: a restart within the session timeout then moves no partition.",
        note="the id of task n is `<id>-<n>`",
    ),
)
