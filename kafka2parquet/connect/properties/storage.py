"""Properties that Confluent's S3 and GCS sinks share: storage, rotation, format and partitioners."""

from __future__ import annotations

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
    integer(
        "flush.size",
        None,
        "Number of rows in all open files of a topic-partition at which the files are closed; 1 or less: one row in each file.",
        required=True,
    ),
    long(
        "rotate.interval.ms",
        -1,
        "Span of record time, in milliseconds, at which the open files of a topic-partition are closed; 0 or less: off.",
        note="a quiet partition's files are closed after the same time by the clock; needs a partitioner by time",
    ),
    long(
        "rotate.schedule.interval.ms",
        -1,
        "Period by the clock, in milliseconds, counted from midnight in `timezone`, at which open files are closed; "
        "0 or less: off.",
    ),
    boolean(
        "rotate.file.on.partition.change",
        True,
        "Whether files are closed when a record falls into another folder than the record before; applies only with "
        "`rotate.interval.ms` and a partitioner by time.",
    ),
    integer(
        "partitioner.max.open.files",
        1000,
        "Number of open files of a topic-partition that are closed before another file is begun; below 0: no limit.",
        note="Confluent's sinks have no limit, which is -1; each open file takes memory",
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
        no_effect="it concerns Hive, and no metastore is written to",
    ),
    integer("schemas.cache.config", 1000, "Size of the cache of Avro schemas.", no_effect=_AVRO_ONLY),
    boolean(
        "enhanced.avro.schema.support",
        True,
        "Whether enum symbols and package names are kept in Avro schemas.",
        no_effect=_AVRO_ONLY,
    ),
    boolean("connect.meta.data", True, "Whether Avro schemas carry the properties of Connect.", no_effect=_AVRO_ONLY),
    boolean("allow.optional.map.keys", False, "Whether map keys may be optional in Avro schemas.", no_effect=_AVRO_ONLY),
)

STORAGE_OPTIONS = (
    string(
        "topics.dir",
        "topics",
        "Folder in the bucket with one folder for each topic; blank: the folders of the topics lie at the top.",
    ),
    string("store.url", None, "URL of the object store where it is not the provider's own.", note="endpoint of s3fs or gcsfs"),
    string("directory.delim", "/", "What separates folders in a key."),
    string("file.delim", "+", "What separates topic, partition and offset in a file name."),
    integer("filename.offset.zero.pad.width", 10, "Digits that the offset in a file name is padded to.", validator=at_least(0)),
    long(
        "retry.backoff.ms",
        5000,
        "Pause after a failed upload, in milliseconds.",
        no_effect="failed uploads are retried with growing pauses and jitter until the store is back",
    ),
    long("shutdown.timeout.ms", 3000, "Time for the Hive metastore client to stop.", no_effect="there is no Hive"),
)

PARTITIONER_OPTIONS = (
    class_name(
        "partitioner.class",
        f"{PARTITIONER_PACKAGE}.DefaultPartitioner",
        "Which folder a record belongs to: one of Confluent's partitioners, the public partitioner by field and time"
        f" `{FIELD_AND_TIME_CLASSES[0]}`, or a Python class as `package.module:Class`.",
        choices=tuple(
            f"{PARTITIONER_PACKAGE}.{name}Partitioner" for name in ("Default", "Hourly", "Daily", "TimeBased", "Field")
        ),
    ),
    string_list(
        "partition.field.name",
        (),
        "Fields whose values name the folders with FieldPartitioner, and the outer folders with FieldAndTimeBasedPartitioner; "
        "a dot leads into a nested field, where no column has that name itself. A null makes the folder `field=null`, and so "
        "does a member that a record without a schema lacks; a record whose schema lacks the field is rejected. See "
        "`kafka2parquet.partition.escape`.",
        validator=field_paths,
    ),
    boolean(
        "partition.field.format.path",
        True,
        "Whether the outer folders of FieldAndTimeBasedPartitioner are `field=value`, and not only the value.",
    ),
    string(
        "partition.field",
        "",
        "The one field of FieldAndTimeBasedPartitioner in its first versions: the outer folder is its bare value.",
        note="counts where `partition.field.name` is not set",
    ),
    long(
        "partition.duration.ms",
        -1,
        "Length of a time partition with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, in milliseconds.",
    ),
    string(
        "path.format",
        "",
        "Joda pattern of the folder names with TimeBasedPartitioner or FieldAndTimeBasedPartitioner, such as "
        "`'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH`.",
    ),
    string(
        "locale",
        "",
        "Language of names of months and days in folders.",
        note="taken whole as a language, as Confluent does: `en-US` gives no English names",
    ),
    string(
        "timezone",
        "",
        "Time zone of folders and of `rotate.schedule.interval.ms`, such as `UTC` or `Europe/Paris`.",
        validator=_time_zone,
    ),
    string(
        "timestamp.extractor",
        "Record",
        "Where a record's time comes from: `Record`, `RecordField` or `Wallclock`.",
        choices=("Record", "RecordField", "Wallclock"),
        note="not set: `Record`, the record's own timestamp, where Confluent takes the clock",
    ),
    string(
        "timestamp.field",
        "timestamp",
        "Field of the value with the time, for `RecordField`; a dot leads into a nested field.",
        note="a text without time zone is taken for UTC",
    ),
)

KEY_AND_NULL_OPTIONS = (
    choice(
        "behavior.on.null.values",
        "fail",
        "What happens to records without a value (tombstones): the task ends, they are left out, or they are written.",
        ("ignore", "fail", "write"),
        note="written with `store.kafka.keys` they have files of keys and headers only; else, with the metadata column `key`,"
        " they are rows whose other columns are null",
        ignore_case=True,
    ),
    boolean(
        "report.null.values.to.dlq",
        True,
        "Whether tombstones that are left out are reported like rejected records, where these are kept or logged.",
    ),
    string(
        "tombstone.encoded.partition",
        "tombstone",
        "Folder of tombstones with `behavior.on.null.values=write` and `store.kafka.keys`.",
    ),
    boolean(
        "store.kafka.keys",
        False,
        "Whether keys are written to files of their own; a record without key is then rejected.",
        note="`kafka2parquet.metadata.columns` with `key` writes them as a column of the same file",
    ),
    boolean(
        "store.kafka.headers",
        False,
        "Whether headers are written to files of their own, as text; a record without headers is then rejected.",
        note="`kafka2parquet.metadata.columns` with `headers` writes them as a column of the same file",
    ),
)


def format_class(package: str) -> Option:
    """The property that names the format of the files, by its classes in a package."""
    return class_name(
        "format.class",
        None,
        "Class that writes the files.",
        required=True,
        choices=(f"{package}.parquet.ParquetFormat",),
        refused=dict.fromkeys(("AvroFormat", "JsonFormat", "ByteArrayFormat"), "only Parquet is written: use ParquetFormat"),
    )


def view_formats(package: str) -> tuple[Option, ...]:
    """The properties for the formats of files of keys and headers, where formats are in that Java package."""
    return tuple(
        class_name(
            f"{view}.format.class",
            f"{package}.avro.AvroFormat",
            f"Format of the files of {view}.",
            choices=(f"{package}.parquet.ParquetFormat",),
            note=f"with `store.kafka.{view}` it has to be ParquetFormat",
        )
        for view in ("keys", "headers")
    )
