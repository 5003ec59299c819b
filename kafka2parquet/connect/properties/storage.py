"""Properties that Confluent's S3 and GCS sinks share: storage, rotation, format and partitioners."""

from __future__ import annotations

from kafka2parquet.connect.properties.option import Option, Value, ValueType, at_least, field_paths, ignored, one_of
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

#: Why properties of other formats have no effect.
JSON_ONLY = "it concerns JSON and byte-array files, and only Parquet files are written"
_AVRO_ONLY = "it concerns Avro schemas, and Parquet files are written from Arrow schemas"


def _time_zone(value: Value) -> None:
    if not value:
        return
    try:
        time_zone(str(value))
    except ConfigurationError:
        raise ValueError(f"The datetime zone id '{value}' is not recognised") from None


ROTATION_OPTIONS = (
    Option(
        "flush.size",
        ValueType.INT,
        None,
        "Number of rows in all open files of a topic-partition at which the files are closed; 1 or less: one row in each file.",
        required=True,
    ),
    Option(
        "rotate.interval.ms",
        ValueType.LONG,
        -1,
        "Span of record time, in milliseconds, at which the open files of a topic-partition are closed; 0 or less: off.",
        note="a quiet partition's files are closed after the same time by the clock; needs a partitioner by time",
    ),
    Option(
        "rotate.schedule.interval.ms",
        ValueType.LONG,
        -1,
        "Period by the clock, in milliseconds, counted from midnight in `timezone`, at which open files are closed; "
        "0 or less: off.",
    ),
    Option(
        "rotate.file.on.partition.change",
        ValueType.BOOLEAN,
        True,
        "Whether files are closed when a record falls into another folder than the record before; applies only with "
        "`rotate.interval.ms` and a partitioner by time.",
    ),
    Option(
        "partitioner.max.open.files",
        ValueType.INT,
        1000,
        "Number of open files of a topic-partition that are closed before another file is begun; below 0: no limit.",
        note="Confluent's sinks have no limit, which is -1; each open file takes memory",
    ),
)

FORMAT_OPTIONS = (
    Option(
        "parquet.codec",
        ValueType.STRING,
        "snappy",
        "Compression of the Parquet pages, part of the file name.",
        validator=one_of(*PARQUET_CODECS),
        choices=PARQUET_CODECS,
        refused={"lzo": "zstd is smaller and read by every engine"},
    ),
    Option(
        "schema.compatibility",
        ValueType.STRING,
        "NONE",
        "When a record with another schema closes the file.",
        choices=("NONE", "BACKWARD", "FORWARD", "FULL"),
        accepted=("BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE"),
        otherwise="NONE",
        note="learned schemas of JSON records only grow, and never close a file; nor does any schema with"
        " `kafka2parquet.unite.schemas`",
    ),
    ignored(
        "avro.codec",
        ValueType.STRING,
        "null",
        "Compression of Avro files.",
        "only Parquet files are written",
        validator=one_of("null", "deflate", "snappy", "bzip2"),
    ),
    ignored(
        "schema.generator.class",
        ValueType.CLASS,
        None,
        "Class that names the columns of folders for Hive.",
        "it concerns Hive, and no metastore is written to",
    ),
    ignored("schemas.cache.config", ValueType.INT, 1000, "Size of the cache of Avro schemas.", _AVRO_ONLY),
    ignored(
        "enhanced.avro.schema.support",
        ValueType.BOOLEAN,
        True,
        "Whether enum symbols and package names are kept in Avro schemas.",
        _AVRO_ONLY,
    ),
    ignored("connect.meta.data", ValueType.BOOLEAN, True, "Whether Avro schemas carry the properties of Connect.", _AVRO_ONLY),
    ignored(
        "allow.optional.map.keys", ValueType.BOOLEAN, False, "Whether map keys may be optional in Avro schemas.", _AVRO_ONLY
    ),
)

STORAGE_OPTIONS = (
    Option(
        "topics.dir",
        ValueType.STRING,
        "topics",
        "Folder in the bucket with one folder for each topic; blank: the folders of the topics lie at the top.",
    ),
    Option(
        "store.url",
        ValueType.STRING,
        None,
        "URL of the object store where it is not the provider's own.",
        note="endpoint of s3fs or gcsfs",
    ),
    Option("directory.delim", ValueType.STRING, "/", "What separates folders in a key."),
    Option("file.delim", ValueType.STRING, "+", "What separates topic, partition and offset in a file name."),
    Option(
        "filename.offset.zero.pad.width",
        ValueType.INT,
        10,
        "Digits that the offset in a file name is padded to.",
        validator=at_least(0),
    ),
    ignored(
        "retry.backoff.ms",
        ValueType.LONG,
        5000,
        "Pause after a failed upload, in milliseconds.",
        "failed uploads are retried with growing pauses and jitter until the store is back",
    ),
    ignored("shutdown.timeout.ms", ValueType.LONG, 3000, "Time for the Hive metastore client to stop.", "there is no Hive"),
)

PARTITIONER_OPTIONS = (
    Option(
        "partitioner.class",
        ValueType.CLASS,
        f"{PARTITIONER_PACKAGE}.DefaultPartitioner",
        "Which folder a record belongs to: one of Confluent's partitioners, the public partitioner by field and time"
        f" `{FIELD_AND_TIME_CLASSES[0]}`, or a Python class as `package.module:Class`.",
        choices=tuple(
            f"{PARTITIONER_PACKAGE}.{name}Partitioner" for name in ("Default", "Hourly", "Daily", "TimeBased", "Field")
        ),
    ),
    Option(
        "partition.field.name",
        ValueType.LIST,
        (),
        "Fields whose values name the folders with FieldPartitioner, and the outer folders with FieldAndTimeBasedPartitioner; "
        "a dot leads into a nested field, where no column has that name itself. A null makes the folder `field=null`, and so "
        "does a member that a record without a schema lacks; a record whose schema lacks the field is rejected. See "
        "`kafka2parquet.partition.escape`.",
        validator=field_paths,
    ),
    Option(
        "partition.field.format.path",
        ValueType.BOOLEAN,
        True,
        "Whether the outer folders of FieldAndTimeBasedPartitioner are `field=value`, and not only the value.",
    ),
    Option(
        "partition.field",
        ValueType.STRING,
        "",
        "The one field of FieldAndTimeBasedPartitioner in its first versions: the outer folder is its bare value.",
        note="counts where `partition.field.name` is not set",
    ),
    Option(
        "partition.duration.ms",
        ValueType.LONG,
        -1,
        "Length of a time partition with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, in milliseconds.",
    ),
    Option(
        "path.format",
        ValueType.STRING,
        "",
        "Joda pattern of the folder names with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, such as "
        "`'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH`.",
    ),
    Option(
        "locale",
        ValueType.STRING,
        "",
        "Language of names of months and days in folders.",
        note="taken whole as a language, as Confluent does: `en-US` gives no English names",
    ),
    Option(
        "timezone",
        ValueType.STRING,
        "",
        "Time zone of folders and of `rotate.schedule.interval.ms`, such as `UTC` or `Europe/Paris`.",
        validator=_time_zone,
    ),
    Option(
        "timestamp.extractor",
        ValueType.STRING,
        "Record",
        "Where a record's time comes from: `Record`, `RecordField` or `Wallclock`.",
        choices=("Record", "RecordField", "Wallclock"),
        note="not set: `Record`, the record's own timestamp, where Confluent takes the clock",
    ),
    Option(
        "timestamp.field",
        ValueType.STRING,
        "timestamp",
        "Field of the value with the time, for `RecordField`; a dot leads into a nested field.",
        note="a text without time zone is taken for UTC",
    ),
)

KEY_AND_NULL_OPTIONS = (
    Option(
        "behavior.on.null.values",
        ValueType.STRING,
        "fail",
        "What happens to records without a value (tombstones): the task ends, they are left out, or they are written.",
        validator=one_of("ignore", "fail", "write", ignore_case=True),
        choices=("ignore", "fail", "write"),
        note="written with `store.kafka.keys` they have files of keys and headers only; else, with the metadata column `key`,"
        " they are rows whose other columns are null",
    ),
    Option(
        "report.null.values.to.dlq",
        ValueType.BOOLEAN,
        True,
        "Whether tombstones that are left out are reported like rejected records, where these are kept or logged.",
    ),
    Option(
        "tombstone.encoded.partition",
        ValueType.STRING,
        "tombstone",
        "Folder of tombstones with `behavior.on.null.values=write` and `store.kafka.keys`.",
    ),
    Option(
        "store.kafka.keys",
        ValueType.BOOLEAN,
        False,
        "Whether keys are written to files of their own; a record without key is then rejected.",
        note="`kafka2parquet.metadata.columns` with `key` writes them as a column of the same file",
    ),
    Option(
        "store.kafka.headers",
        ValueType.BOOLEAN,
        False,
        "Whether headers are written to files of their own, as text; a record without headers is then rejected.",
        note="`kafka2parquet.metadata.columns` with `headers` writes them as a column of the same file",
    ),
)


def format_class(package: str) -> Option:
    """The property that names the format of the files, by its classes in a package."""
    return Option(
        "format.class",
        ValueType.CLASS,
        None,
        "Class that writes the files.",
        required=True,
        choices=(f"{package}.parquet.ParquetFormat",),
        refused=dict.fromkeys(("AvroFormat", "JsonFormat", "ByteArrayFormat"), "only Parquet is written: use ParquetFormat"),
    )


def view_formats(package: str) -> tuple[Option, ...]:
    """The properties for the formats of files of keys and headers, where formats are in that Java package."""
    return tuple(
        Option(
            f"{view}.format.class",
            ValueType.CLASS,
            f"{package}.avro.AvroFormat",
            f"Format of the files of {view}.",
            choices=(f"{package}.parquet.ParquetFormat",),
            note=f"with `store.kafka.{view}` it has to be ParquetFormat",
        )
        for view in ("keys", "headers")
    )
