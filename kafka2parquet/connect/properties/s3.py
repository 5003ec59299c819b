"""Properties of Confluent's S3 sink."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from kafka2parquet.connect.properties.option import (
    Option,
    Value,
    ValueType,
    at_least,
    between,
    ignored,
    one_of,
    simple_name,
    unsupported,
)
from kafka2parquet.connect.properties.storage import JSON_ONLY, LONG_MAX, format_class, view_formats

S3_FORMATS = "io.confluent.connect.s3.format"
ASSUME_ROLE = "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider"
DEFAULT_CREDENTIALS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"

_PROXY = "not set: the proxy of the environment (HTTPS_PROXY)"
STS_PREFIX = "s3.credentials.provider.sts."
_OWN_TAGS = ("startOffset", "endOffset", "recordCount")
_MOST_TAGS = 10
_TAG_TEXT = re.compile(r"[\w .:/=+@-]*")


def part_size(value: Value) -> None:
    """The size of a part of a multipart upload, as S3 limits it."""
    if isinstance(value, int) and value < 5 << 20:
        raise ValueError(f"Part size must be at least: {5 << 20} bytes (5MB)")


def url(value: Value) -> None:
    """An empty text, or a URL with scheme and host."""
    if value:
        parts = urlsplit(str(value))
        if not parts.scheme or not parts.hostname:
            raise ValueError("not a URL with scheme and host")


def proxy_url(value: Value) -> None:
    """An empty text, or the URL of an HTTP proxy."""
    url(value)
    if value and urlsplit(str(value)).scheme not in ("http", "https"):
        raise ValueError("not the URL of an http or https proxy")


def customer_key(value: Value) -> None:
    """A key of 32 bytes, in base64."""
    try:
        size = len(base64.b64decode(str(value), validate=True)) if value else 32
    except ValueError:
        raise ValueError("not base64") from None
    if size != 32:
        raise ValueError(f"32 bytes are needed, in base64; these are {size}")


def tag_pairs(value: Value) -> None:
    """Tags as `key:value`, within what S3 allows (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html)."""
    pairs = [pair for pair in value if pair] if isinstance(value, tuple) else []
    keys = [pair.partition(":")[0].strip() for pair in pairs]
    for pair, key in zip(pairs, keys, strict=True):
        if ":" not in pair:
            raise ValueError(f"{pair} is not a key and a value with a colon between them")
        if not key or len(key) > 128 or len(pair.partition(":")[2].strip()) > 256:
            raise ValueError(f"{pair}: keys have 1 to 128 characters, values at most 256")
        if not _TAG_TEXT.fullmatch(pair):
            raise ValueError(f"{pair}: only letters, digits, spaces and + - = . _ : / @ may be in tags")
        if key in _OWN_TAGS:
            raise ValueError(f"the key {key} is taken: {', '.join(_OWN_TAGS)} are set for each file")
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands there twice")
    if len(keys) > _MOST_TAGS - len(_OWN_TAGS):
        raise ValueError(f"at most {_MOST_TAGS - len(_OWN_TAGS)} fit, for an object has {_MOST_TAGS} tags")


S3_OPTIONS = (
    Option("s3.bucket.name", ValueType.STRING, None, "Bucket that the files go to.", required=True),
    Option("s3.region", ValueType.STRING, "us-west-2", "Region of the bucket."),
    Option(
        "storage.class",
        ValueType.CLASS,
        None,
        "Class that writes to the store.",
        required=True,
        choices=("io.confluent.connect.s3.storage.S3Storage",),
        note="always s3fs",
    ),
    format_class(S3_FORMATS),
    Option(
        "s3.part.size",
        ValueType.INT,
        25 << 20,
        "Bytes of a part of a multipart upload.",
        validator=part_size,
        note="smaller files go up in one request",
    ),
    Option(
        "s3.part.retries",
        ValueType.INT,
        3,
        "Attempts for a request, at once; 0 counts as 1.",
        validator=at_least(0),
        note="after them, uploads are still retried until the store is back",
    ),
    ignored(
        "s3.retry.backoff.ms",
        ValueType.LONG,
        200,
        "First pause between two attempts, in milliseconds.",
        "pauses grow from half a second, with jitter",
        validator=at_least(0),
    ),
    Option("s3.wan.mode", ValueType.BOOLEAN, False, "Whether S3 Transfer Acceleration is used."),
    Option(
        "s3.path.style.access.enabled",
        ValueType.BOOLEAN,
        True,
        "Whether the bucket is named in the path of a URL, and not in its host.",
    ),
    Option(
        "s3.credentials.provider.class",
        ValueType.CLASS,
        DEFAULT_CREDENTIALS,
        "Class that finds the credentials.",
        choices=(DEFAULT_CREDENTIALS, ASSUME_ROLE),
        read_as={simple_name(ASSUME_ROLE): DEFAULT_CREDENTIALS},
        note="the default one becomes botocore's search: environment, profile files, container, instance; "
        "AwsAssumeRoleCredentialsProvider takes on a role with `aws.access.key.id`, or with what is found there",
    ),
    Option(f"{STS_PREFIX}role.arn", ValueType.STRING, "", "Role that AwsAssumeRoleCredentialsProvider takes on."),
    Option(f"{STS_PREFIX}role.external.id", ValueType.STRING, "", "What the role's trust policy may ask for."),
    Option(f"{STS_PREFIX}role.session.name", ValueType.STRING, "", "Name of the role's session, which AWS puts into its logs."),
    Option(f"{STS_PREFIX}region", ValueType.STRING, "", "Region of the STS that is asked.", note="not set: `s3.region`"),
    unsupported(
        "s3.credentials.provider.*",
        ValueType.STRING,
        None,
        "Settings of other credentials providers.",
        f"The known ones are `{STS_PREFIX}role.arn`, `.role.external.id`, `.role.session.name` and `{STS_PREFIX}region`",
    ),
    Option(
        "aws.access.key.id",
        ValueType.STRING,
        "",
        "Access key.",
        note="not set: as `s3.credentials.provider.class` says",
    ),
    Option("aws.secret.access.key", ValueType.PASSWORD, None, "Secret of the access key."),
    Option(
        "s3.ssea.name",
        ValueType.STRING,
        "",
        "Encryption on the server.",
        validator=one_of("", "AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"),
        choices=("AES256", "aws:kms", "aws:kms:dsse"),
    ),
    Option(
        "s3.sse.customer.key",
        ValueType.PASSWORD,
        None,
        "Key of the customer for encryption on the server: 32 bytes in base64, with `s3.ssea.name=AES256`.",
        validator=customer_key,
    ),
    Option("s3.sse.kms.key.id", ValueType.STRING, "", "Key in KMS, with `s3.ssea.name=aws:kms`."),
    Option(
        "s3.acl.canned",
        ValueType.STRING,
        None,
        "Canned access control list of the objects.",
        validator=one_of(
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "log-delivery-write",
            "bucket-owner-read",
            "bucket-owner-full-control",
            "aws-exec-read",
        ),
    ),
    ignored(
        "s3.compression.type",
        ValueType.STRING,
        "none",
        "Compression of JSON and byte-array files.",
        JSON_ONLY + "; see `parquet.codec`",
        validator=one_of("none", "gzip"),
    ),
    ignored(
        "s3.compression.level",
        ValueType.INT,
        -1,
        "Level of `s3.compression.type`.",
        JSON_ONLY,
        validator=between(-1, 9),
    ),
    ignored(
        "s3.send.digest",
        ValueType.BOOLEAN,
        False,
        "Whether uploads carry an MD5 digest.",
        "uploads carry the checksums that the AWS client adds",
    ),
    Option(
        "s3.object.tagging",
        ValueType.BOOLEAN,
        False,
        "Whether objects are tagged with their offsets and number of records.",
        note="before the flush is committed",
    ),
    Option(
        "s3.object.tagging.key.value.pairs",
        ValueType.LIST,
        (),
        "More tags, as `key:value`.",
        validator=tag_pairs,
    ),
    Option(
        "s3.object.behavior.on.tagging.error",
        ValueType.STRING,
        "ignore",
        "What happens when an object can't be tagged in `s3.part.retries` attempts.",
        validator=one_of("ignore", "fail", ignore_case=True),
        choices=("ignore", "fail"),
    ),
    Option("s3.proxy.url", ValueType.STRING, "", "Proxy on the way to S3.", validator=proxy_url, note=_PROXY),
    Option("s3.proxy.user", ValueType.STRING, None, "User at the proxy; overrides a user in `s3.proxy.url`."),
    Option("s3.proxy.password", ValueType.PASSWORD, None, "Password at the proxy; overrides a password in `s3.proxy.url`."),
    ignored(
        "s3.http.send.expect.continue",
        ValueType.BOOLEAN,
        True,
        "Whether uploads wait for `100 Continue`.",
        "the AWS client for Python decides",
    ),
    ignored(
        "json.decimal.format",
        ValueType.STRING,
        "BASE64",
        "How decimals are written to JSON files.",
        JSON_ONLY,
        validator=one_of("BASE64", "NUMERIC", ignore_case=True),
    ),
    ignored("format.bytearray.extension", ValueType.STRING, ".bin", "Extension of byte-array files.", JSON_ONLY),
    ignored("format.bytearray.separator", ValueType.STRING, None, "What separates records in byte-array files.", JSON_ONLY),
    *view_formats(S3_FORMATS),
    Option(
        "s3.schema.partition.affix.type",
        ValueType.STRING,
        "NONE",
        "Whether the name of the record's schema becomes a folder, `schema_name=<name>`, and where.",
        validator=one_of("NONE", "PREFIX", "SUFFIX"),
        choices=("NONE", "PREFIX", "SUFFIX"),
    ),
    ignored(
        "max.write.duration.ms",
        ValueType.LONG,
        LONG_MAX,
        "Time for writing the records of one poll, in milliseconds.",
        "reading goes on while files are written",
    ),
    ignored(
        "enable.conditional.writes",
        ValueType.BOOLEAN,
        True,
        "Whether an object that exists is left alone.",
        "objects are always created and never replaced",
    ),
    ignored(
        "max.files.scan.limit",
        ValueType.INT,
        100,
        "How many names are tried when an object exists.",
        "an object that exists is recognised by its footer",
    ),
    ignored(
        "s3.elastic.buffer.enable",
        ValueType.BOOLEAN,
        False,
        "Whether the buffer of a part grows as needed.",
        "buffers are bounded by `kafka2parquet.memory.bytes`",
    ),
    ignored(
        "s3.elastic.buffer.init.capacity",
        ValueType.INT,
        128 << 10,
        "First size of that buffer.",
        "buffers are bounded by `kafka2parquet.memory.bytes`",
        validator=at_least(4096),
    ),
)
