"""Writes a configuration to start with: a sink of JSON records for one kind of store, with a comment for each group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import attrs

STORES = ("local", "s3", "gcs", "minio")
NOTATIONS = ("json", "properties", "yaml", "toml")


@attrs.frozen
class Group:
    """Properties that belong together.

    Attributes:
        comment: lines of a comment about the properties.
        properties: names and values.
    """

    comment: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]


@attrs.frozen
class Example:
    """The choices behind an example.

    Attributes:
        store: one of `STORES`.
        name: name of the connector.
        topic: topic to read.
        bucket: bucket in S3, GCS or MinIO.
        region: region of the S3 bucket.
        url: URL of the folder for `local`, or of the server for `minio`.
    """

    store: str
    name: str
    topic: str
    bucket: str
    region: str
    url: str

    def groups(self) -> tuple[Group, ...]:
        """Return the properties of the example, in groups."""
        return (
            Group(
                ("The name decides the consumer group, connect-<name>. With another name, everything is read again.",),
                (("name", self.name), ("connector.class", f"{self._package}.{self._connector}")),
            ),
            Group(
                ("The topic, and the number of tasks. Tasks beyond the number of partitions have nothing to do.",),
                (("topics", self.topic), ("tasks.max", "1")),
            ),
            Group(
                ("Values are JSON objects without a schema: the columns are learned from them.",
                 "For Avro: io.confluent.connect.avro.AvroConverter, with value.converter.schema.registry.url."),
                (("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
                 ("value.converter.schemas.enable", "false")),
            ),
            self._destination,
            Group(
                ("The format of the files. parquet.codec may also be zstd, gzip, lz4 or none.",),
                (("storage.class", f"{self._package}.storage.{'GcsStorage' if self._is_gcs else 'S3Storage'}"),
                 ("format.class", f"{self._package}.format.parquet.ParquetFormat"),
                 ("parquet.codec", "snappy")),
            ),
            Group(
                ("When files are closed: after flush.size rows, and every ten minutes by the clock, whichever comes first.",),
                (("flush.size", "1000000"), ("rotate.schedule.interval.ms", "600000")),
            ),
            Group(
                ("Folders by the hour of each record's own timestamp, in this time zone.",
                 "For a time in the records: timestamp.extractor=RecordField, with the name of the field in timestamp.field."),
                (("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"),
                 ("path.format", "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"),
                 ("partition.duration.ms", "3600000"),
                 ("locale", "en"),
                 ("timezone", "UTC"),
                 ("timestamp.extractor", "Record")),
            ),
            Group(
                ("A record that can't be written ends the task, and the message says which one.",
                 "To keep such records in separate files instead: errors.tolerance=all, kafka2parquet.quarantine=true."),
                (("errors.tolerance", "none"),),
            ),
        )  # fmt: skip

    @property
    def _is_gcs(self) -> bool:
        return self.store == "gcs"

    @property
    def _package(self) -> str:
        return f"io.confluent.connect.{'gcs' if self._is_gcs else 's3'}"

    @property
    def _connector(self) -> str:
        return "GcsSinkConnector" if self._is_gcs else "S3SinkConnector"

    @property
    def _destination(self) -> Group:
        if self.store == "local":
            return Group(("Where the files go: a local folder.",), (("kafka2parquet.storage.url", self.url),))
        folder = ("topics.dir", "topics")
        if self._is_gcs:
            return Group(
                (
                    "Where the files go. Credentials come from the usual places (gcloud auth application-default login, the",
                    "machine's service account). For a key file: gcs.credentials.path.",
                ),
                (("gcs.bucket.name", self.bucket), folder),
            )
        bucket = (("s3.bucket.name", self.bucket), ("s3.region", self.region), folder)
        if self.store == "s3":
            return Group(
                (
                    "Where the files go. Credentials come from the usual places (environment, profile, the machine's role).",
                    "Others: aws.access.key.id and aws.secret.access.key, as ${env:NAME} or ${file:PATH:KEY}.",
                ),
                bucket,
            )
        return Group(
            ("Where the files go. The credentials come from these environment variables.",),
            (
                *bucket,
                ("store.url", self.url),
                ("s3.path.style.access.enabled", "true"),
                ("aws.access.key.id", "${env:AWS_ACCESS_KEY_ID}"),
                ("aws.secret.access.key", "${env:AWS_SECRET_ACCESS_KEY}"),
            ),
        )


def render(groups: Sequence[Group], notation: str) -> str:
    """Return the text of a configuration in one of `NOTATIONS`, with comments."""
    if notation == "json":
        return _as_json(groups)
    return "\n".join(_lines(groups, notation)).strip() + "\n"


def _as_json(groups: Sequence[Group]) -> str:
    lines: list[str] = []
    for group in groups:
        lines += [f"  // {line}" for line in group.comment]
        lines += [f"  {json.dumps(name)}: {json.dumps(text, ensure_ascii=False)}," for name, text in group.properties]
    lines[-1] = lines[-1].removesuffix(",")
    return "\n".join(["{", *lines, "}"]) + "\n"


def _lines(groups: Sequence[Group], notation: str) -> Iterator[str]:
    for group in groups:
        yield ""
        yield from (f"# {line}" for line in group.comment)
        for name, text in group.properties:
            quoted = json.dumps(text, ensure_ascii=False)
            if notation == "properties":
                yield f"{name}={text}".replace("\\", "\\\\")
            elif notation == "yaml":
                yield f"{name}: {quoted}"
            else:
                yield f'"{name}" = {quoted}'
