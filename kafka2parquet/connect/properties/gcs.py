"""The properties of Confluent's GCS sink."""

from __future__ import annotations

from kafka2parquet.connect.properties.option import at_least, one_of
from kafka2parquet.connect.properties.s3 import part_size, proxy_url
from kafka2parquet.connect.properties.storage import JSON_ONLY, format_class, view_formats
from kafka2parquet.connect.properties.typed import class_name, integer, long, password, string

GCS_FORMATS = "io.confluent.connect.gcs.format"

GCS_OPTIONS = (
    string("gcs.bucket.name", None, "Bucket that the files go to.", required=True),
    class_name(
        "storage.class",
        None,
        "Class that writes to the store.",
        required=True,
        choices=("io.confluent.connect.gcs.storage.GcsStorage",),
        note="always gcsfs",
    ),
    format_class(GCS_FORMATS),
    *view_formats(GCS_FORMATS),
    integer(
        "gcs.part.size",
        25 << 20,
        "Bytes of a part of an upload.",
        validator=part_size,
        note="smaller files go up in one request",
    ),
    integer(
        "gcs.part.retries",
        3,
        "Attempts for a request.",
        validator=at_least(0),
        no_effect="gcsfs makes six immediate attempts, and failed uploads are retried until the store is back",
    ),
    long(
        "gcs.retry.backoff.ms",
        200,
        "First pause between two attempts, in milliseconds.",
        validator=at_least(0),
        no_effect="pauses grow from half a second, with jitter",
    ),
    string(
        "gcs.credentials.path",
        "",
        "File with the key of a service account.",
        note="not set: the application's default credentials",
    ),
    password("gcs.credentials.json", "", "Key of a service account, as JSON text."),
    class_name(
        "gcs.credentials.provider.class",
        None,
        "Class that finds the credentials.",
        unsupported="Use `gcs.credentials.path`, `gcs.credentials.json` or the application's default credentials",
    ),
    string(
        "gcs.compression.type",
        "none",
        "Compression of JSON and byte-array files.",
        validator=one_of("none", "gzip"),
        no_effect=JSON_ONLY + "; see `parquet.codec`",
    ),
    string(
        "gcs.proxy.url",
        "",
        "Proxy for requests to GCS and for access tokens.",
        validator=proxy_url,
        note="not set: the proxy in the environment (HTTPS_PROXY)",
    ),
    string("gcs.proxy.user", "", "User of the proxy; overrides a user in `gcs.proxy.url`."),
    password("gcs.proxy.password", "", "Password of the proxy; overrides a password in `gcs.proxy.url`."),
    string(
        "gcs.parts.prefix",
        None,
        "Prefix of temporary objects, no longer used by Confluent.",
        no_effect="the sink doesn't write temporary objects",
    ),
    string("format.bytearray.extension", ".bin", "Extension of byte-array files.", no_effect=JSON_ONLY),
    string("format.bytearray.separator", None, "Separator between records in byte-array files.", no_effect=JSON_ONLY),
)
