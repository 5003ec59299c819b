"""Properties of Confluent's GCS sink."""

from __future__ import annotations

from kafka2parquet.connect.properties.option import Option, ValueType, at_least, ignored, one_of, unsupported
from kafka2parquet.connect.properties.s3 import part_size, proxy_url
from kafka2parquet.connect.properties.storage import JSON_ONLY, format_class, view_formats

GCS_FORMATS = "io.confluent.connect.gcs.format"

GCS_OPTIONS = (
    Option("gcs.bucket.name", ValueType.STRING, None, "Bucket that the files go to.", required=True),
    Option(
        "storage.class",
        ValueType.CLASS,
        None,
        "Class that writes to the store.",
        required=True,
        choices=("io.confluent.connect.gcs.storage.GcsStorage",),
        note="always gcsfs",
    ),
    format_class(GCS_FORMATS),
    *view_formats(GCS_FORMATS),
    Option(
        "gcs.part.size",
        ValueType.INT,
        25 << 20,
        "Bytes of a part of an upload.",
        validator=part_size,
        note="smaller files go up in one request",
    ),
    ignored(
        "gcs.part.retries",
        ValueType.INT,
        3,
        "Attempts for a request.",
        "gcsfs makes six at once, and failed uploads are retried until the store is back",
        validator=at_least(0),
    ),
    ignored(
        "gcs.retry.backoff.ms",
        ValueType.LONG,
        200,
        "First pause between two attempts, in milliseconds.",
        "pauses grow from half a second, with jitter",
        validator=at_least(0),
    ),
    Option(
        "gcs.credentials.path",
        ValueType.STRING,
        "",
        "File with the key of a service account.",
        note="not set: the application's default credentials",
    ),
    Option("gcs.credentials.json", ValueType.PASSWORD, "", "Key of a service account, as JSON text."),
    unsupported(
        "gcs.credentials.provider.class",
        ValueType.CLASS,
        None,
        "Class that finds the credentials.",
        "Use `gcs.credentials.path`, `gcs.credentials.json` or the application's default credentials",
    ),
    ignored(
        "gcs.compression.type",
        ValueType.STRING,
        "none",
        "Compression of JSON and byte-array files.",
        JSON_ONLY + "; see `parquet.codec`",
        validator=one_of("none", "gzip"),
    ),
    Option(
        "gcs.proxy.url",
        ValueType.STRING,
        "",
        "Proxy on the way to GCS, and to where access tokens are given out.",
        validator=proxy_url,
        note="not set: the proxy of the environment (HTTPS_PROXY)",
    ),
    Option("gcs.proxy.user", ValueType.STRING, "", "User at the proxy; overrides a user in `gcs.proxy.url`."),
    Option("gcs.proxy.password", ValueType.PASSWORD, "", "Password at the proxy; overrides a password in `gcs.proxy.url`."),
    ignored(
        "gcs.parts.prefix",
        ValueType.STRING,
        None,
        "Prefix of temporary objects, no longer used by Confluent.",
        "there are no temporary objects",
    ),
    ignored("format.bytearray.extension", ValueType.STRING, ".bin", "Extension of byte-array files.", JSON_ONLY),
    ignored("format.bytearray.separator", ValueType.STRING, None, "What separates records in byte-array files.", JSON_ONLY),
)
