"""The properties that Confluent's S3 and GCS sinks share: storage, rotation, format and partitioners."""

from __future__ import annotations

from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    FILE_DELIM,
    FLUSH_SIZE,
    PARTITION_DURATION_MS,
    PARTITION_FIELD,
    PARTITION_FIELD_NAME,
    PARTITIONER_CLASS,
    PARTITIONER_MAX_OPEN_FILES,
    PATH_FORMAT,
    ROTATE_FILE_ON_PARTITION_CHANGE,
    ROTATE_INTERVAL_MS,
    ROTATE_SCHEDULE_INTERVAL_MS,
    STORE_KAFKA_KEYS,
    TIMESTAMP_EXTRACTOR,
    TIMESTAMP_FIELD,
    TIMEZONE,
    TOPICS_DIR,
)
from kafka2parquet.connect.properties.option import Option, Value, at_least, field_paths, one_of
from kafka2parquet.connect.properties.typed import boolean, choice, class_name, integer, long, string, string_list
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.time_zones import time_zone

PARTITIONER_PACKAGE = "io.confluent.connect.storage.partitioner"
#: A public partitioner by field and time, and its first name: https://github.com/canelmas/kafka-connect-field-and-time-partitioner
FIELD_AND_TIME_CLASSES = (
    "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner",
    "com.canelmas.kafka.connect.TimeAndFieldBasedPartitioner",
)
PARQUET_CODECS = ("none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw")
LONG_MAX = (1 << 63) - 1

#: The reason why properties of other formats have no effect.
JSON_ONLY = "it is for JSON and byte-array files, and only Parquet files are written"
_AVRO_ONLY = "it is for Avro schemas, and Parquet files are written with Arrow schemas"


def _time_zone(value: Value) -> None:
    if not value:
        return
    try:
        time_zone(str(value))
    except ConfigurationError:
        raise ValueError(f"The datetime zone id '{value}' is not recognised") from None


ROTATION_OPTIONS = (
    integer(
        FLUSH_SIZE,
        None,
        "Number of rows in all open files of a topic-partition at which the files are closed; 1 or less: one row in each file.",
        required=True,
    ),
    long(
        ROTATE_INTERVAL_MS,
        -1,
        "Span of record time, in milliseconds, at which the open files of a topic-partition are closed; 0 or less: off.",
        note="a quiet partition's files are closed after the same time by the clock; needs a partitioner by time",
    ),
    long(
        ROTATE_SCHEDULE_INTERVAL_MS,
        -1,
        "Period by the clock, in milliseconds, counted from midnight in `timezone`, at which open files are closed; "
        "0 or less: off.",
    ),
    boolean(
        ROTATE_FILE_ON_PARTITION_CHANGE,
        True,
        "Whether files are closed when a record falls into another folder than the record before; applies only with "
        "`rotate.interval.ms` and a partitioner by time.",
    ),
    integer(
        PARTITIONER_MAX_OPEN_FILES,
        1000,
        "Number of open files of a topic-partition at which they are closed before another file is opened; below 0: no limit.",
        note="Confluent's sinks have no limit, as with -1; each open file takes memory",
    ),
)

FORMAT_OPTIONS = (
    choice(
        "parquet.codec",
        "snappy",
        "Compression of the Parquet pages, part of the file name.",
        PARQUET_CODECS,
        refused={"lzo": "zstd is smaller and read by every engine"},
    ),
    string(
        "schema.compatibility",
        "NONE",
        "When a record with another schema closes the file.",
        choices=("NONE", "BACKWARD", "FORWARD", "FULL"),
        accepted=("BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE"),
        otherwise="NONE",
        note="learned schemas of JSON records only grow, and never close a file; nor does any schema with"
        " `kafka2parquet.unite.schemas`",
    ),
    string(
        "avro.codec",
        "null",
        "Compression of Avro files.",
        validator=one_of("null", "deflate", "snappy", "bzip2"),
        no_effect="only Parquet files are written",
    ),
    class_name(
        "schema.generator.class",
        None,
        "Class that names the columns of folders for Hive.",
        no_effect="it is for Hive, and the sink doesn't write to a metastore",
    ),
    integer("schemas.cache.config", 1000, "Size of the cache of Avro schemas.", no_effect=_AVRO_ONLY),
    boolean(
        "enhanced.avro.schema.support",
        True,
        "Whether enum symbols and package names are kept in Avro schemas.",
        no_effect=_AVRO_ONLY,
    ),
    boolean("connect.meta.data", True, "Whether Avro schemas contain the properties of Connect.", no_effect=_AVRO_ONLY),
    boolean("allow.optional.map.keys", False, "Whether map keys may be optional in Avro schemas.", no_effect=_AVRO_ONLY),
)

STORAGE_OPTIONS = (
    string(
        TOPICS_DIR,
        "topics",
        "Folder in the bucket with one folder for each topic; blank: the folders of the topics lie at the top.",
    ),
    string("store.url", None, "URL of the object store, if it is not the provider's own.", note="endpoint of s3fs or gcsfs"),
    string(DIRECTORY_DELIM, "/", "Separator between folders in a key."),
    string(FILE_DELIM, "+", "Separator between topic, partition and offset in a file name."),
    integer(
        "filename.offset.zero.pad.width",
        10,
        "Number of digits to which the offset in a file name is padded.",
        validator=at_least(0),
    ),
    long(
        "retry.backoff.ms",
        5000,
        "Pause after a failed upload, in milliseconds.",
        no_effect="failed uploads are retried with growing pauses and jitter until the store is back",
    ),
    long(
        "shutdown.timeout.ms", 3000, "Time for the Hive metastore client to stop.", no_effect="the sink doesn't write to Hive"
    ),
)

PARTITIONER_OPTIONS = (
    class_name(
        PARTITIONER_CLASS,
        f"{PARTITIONER_PACKAGE}.DefaultPartitioner",
        "Which folder a record belongs to: one of Confluent's partitioners, the public partitioner by field and time"
        f" `{FIELD_AND_TIME_CLASSES[0]}`, or a Python class as `package.module:Class`.",
        choices=tuple(
            f"{PARTITIONER_PACKAGE}.{name}Partitioner" for name in ("Default", "Hourly", "Daily", "TimeBased", "Field")
        ),
    ),
    string_list(
        PARTITION_FIELD_NAME,
        (),
        "Fields whose values name the folders with FieldPartitioner, and the outer folders with FieldAndTimeBasedPartitioner; "
        "a dot leads into a nested field, unless a column has exactly that name. A null makes the folder `field=null`, and so "
        "does a missing member of a record without a schema; a record whose schema lacks the field is rejected. See "
        "`kafka2parquet.partition.escape`.",
        validator=field_paths,
    ),
    boolean(
        "partition.field.format.path",
        True,
        "Whether the outer folders of FieldAndTimeBasedPartitioner are called `field=value`; otherwise only by the value.",
    ),
    string(
        PARTITION_FIELD,
        "",
        "The single field of the first versions of FieldAndTimeBasedPartitioner: the outer folder is called by its value.",
        note="applies if `partition.field.name` is not set",
    ),
    long(
        PARTITION_DURATION_MS,
        -1,
        "Length of a time partition with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, in milliseconds.",
    ),
    string(
        PATH_FORMAT,
        "",
        "Joda pattern of the folder names with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, such as "
        "`'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH`.",
    ),
    string(
        "locale",
        "",
        "Language of the names of months and days in folders.",
        note="the whole text is the language, as in Confluent's sinks: `en-US` doesn't give English names",
    ),
    string(
        TIMEZONE,
        "",
        "Time zone of folders and of `rotate.schedule.interval.ms`, such as `UTC` or `Europe/Paris`.",
        validator=_time_zone,
    ),
    string(
        TIMESTAMP_EXTRACTOR,
        "Record",
        "Source of a record's time: `Record`, `RecordField` or `Wallclock`.",
        choices=("Record", "RecordField", "Wallclock"),
        note="not set: `Record`, the record's own timestamp, while Confluent uses the clock",
    ),
    string(
        TIMESTAMP_FIELD,
        "timestamp",
        "Field of the value with the time, for `RecordField`; a dot leads into a nested field.",
        note="a text without time zone is read as UTC",
    ),
)

KEY_AND_NULL_OPTIONS = (
    choice(
        "behavior.on.null.values",
        "fail",
        "What happens to records without a value (tombstones): the task ends, they are left out, or they are written.",
        ("ignore", "fail", "write"),
        note="tombstones that are written with `store.kafka.keys` only have files of keys and headers; with the metadata column"
        " `key`, they are rows whose other columns are null",
        ignore_case=True,
    ),
    boolean(
        "report.null.values.to.dlq",
        True,
        "Whether tombstones that are left out are reported like rejected records, if rejects are kept or logged.",
    ),
    string(
        "tombstone.encoded.partition",
        "tombstone",
        "Folder of tombstones with `behavior.on.null.values=write` and `store.kafka.keys`.",
    ),
    boolean(
        STORE_KAFKA_KEYS,
        False,
        "Whether keys are written to separate files; a record without a key is then rejected.",
        note="`kafka2parquet.metadata.columns` with `key` writes them as a column of the same file",
    ),
    boolean(
        "store.kafka.headers",
        False,
        "Whether headers are written to separate files, as text; a record without headers is then rejected.",
        note="`kafka2parquet.metadata.columns` with `headers` writes them as a column of the same file",
    ),
)


def format_class(package: str) -> Option:
    """Return the option of `format.class`, for the formats in a Java package."""
    return class_name(
        "format.class",
        None,
        "Class that writes the files.",
        required=True,
        choices=(f"{package}.parquet.ParquetFormat",),
        refused=dict.fromkeys(("AvroFormat", "JsonFormat", "ByteArrayFormat"), "only Parquet is written: use ParquetFormat"),
    )


def view_formats(package: str) -> tuple[Option, ...]:
    """Return the options of the formats of key and header files, for the formats in a Java package."""
    return tuple(
        class_name(
            f"{view}.format.class",
            f"{package}.avro.AvroFormat",
            f"Format of the files of {view}.",
            choices=(f"{package}.parquet.ParquetFormat",),
            note=f"has to be ParquetFormat with `store.kafka.{view}`",
        )
        for view in ("keys", "headers")
    )
