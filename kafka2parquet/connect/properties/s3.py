"""The properties of Confluent's S3 sink."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from kafka2parquet.connect.properties.names import (
    S3_PART_RETRIES,
    S3_PATH_STYLE_ACCESS_ENABLED,
    S3_SSE_KMS_KEY_ID,
    S3_SSEA_NAME,
    S3_WAN_MODE,
)
from kafka2parquet.connect.properties.option import Value, at_least, between, one_of, simple_name
from kafka2parquet.connect.properties.storage import JSON_ONLY, LONG_MAX, format_class, view_formats
from kafka2parquet.connect.properties.typed import boolean, choice, class_name, integer, long, password, string, string_list
from kafka2parquet.util.display import counted

S3_FORMATS = "io.confluent.connect.s3.format"
ASSUME_ROLE = "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider"
DEFAULT_CREDENTIALS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"

_PROXY = "not set: the proxy in the environment (HTTPS_PROXY)"
STS_PREFIX = "s3.credentials.provider.sts."
_OWN_TAGS = ("startOffset", "endOffset", "recordCount")
_MOST_TAGS = 10
_TAG_TEXT = re.compile(r"[\w .:/=+@-]*")


def part_size(value: Value) -> None:
    """Check the size of a part of a multipart upload, which S3 limits."""
    if isinstance(value, int) and value < 5 << 20:
        raise ValueError(f"Part size must be at least: {5 << 20} bytes (5MB)")


def url(value: Value) -> None:
    """Check that a text is empty, or a URL with scheme and host."""
    if value:
        parts = urlsplit(str(value))
        if not parts.scheme or not parts.hostname:
            raise ValueError("not a URL with scheme and host")


def proxy_url(value: Value) -> None:
    """Check that a text is empty, or the URL of an HTTP proxy."""
    url(value)
    if value and urlsplit(str(value)).scheme not in ("http", "https"):
        raise ValueError("not the URL of an http or https proxy")


def customer_key(value: Value) -> None:
    """Check that a text is empty, or a key of 32 bytes in base64."""
    try:
        size = len(base64.b64decode(str(value), validate=True)) if value else 32
    except ValueError:
        raise ValueError("not base64") from None
    if size != 32:
        raise ValueError(f"the key has {counted(size, 'byte')} in base64 instead of 32")


def tag_pairs(value: Value) -> None:
    """Check tags of the form `key:value` by the limits of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html)."""
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
        raise ValueError("a key is repeated")
    if len(keys) > _MOST_TAGS - len(_OWN_TAGS):
        raise ValueError(f"at most {_MOST_TAGS - len(_OWN_TAGS)} tags can be added, because an object has at most {_MOST_TAGS}")


S3_OPTIONS = (
    string("s3.bucket.name", None, "Bucket that the files go to.", required=True),
    string("s3.region", "us-west-2", "Region of the bucket."),
    class_name(
        "storage.class",
        None,
        "Class that writes to the store.",
        required=True,
        choices=("io.confluent.connect.s3.storage.S3Storage",),
        note="always s3fs",
    ),
    format_class(S3_FORMATS),
    integer(
        "s3.part.size",
        25 << 20,
        "Bytes of a part of a multipart upload.",
        validator=part_size,
        note="smaller files go up in one request",
    ),
    integer(
        S3_PART_RETRIES,
        3,
        "Number of immediate attempts for a request; 0 counts as 1.",
        validator=at_least(0),
        note="after that, uploads are retried until the store is back",
    ),
    long(
        "s3.retry.backoff.ms",
        200,
        "First pause between two attempts, in milliseconds.",
        validator=at_least(0),
        no_effect="pauses grow from half a second, with jitter",
    ),
    boolean(S3_WAN_MODE, False, "Whether S3 Transfer Acceleration is used."),
    boolean(S3_PATH_STYLE_ACCESS_ENABLED, True, "Whether URLs have the bucket in their path instead of in their host."),
    class_name(
        "s3.credentials.provider.class",
        DEFAULT_CREDENTIALS,
        "Class that finds the credentials.",
        choices=(DEFAULT_CREDENTIALS, ASSUME_ROLE),
        read_as={simple_name(ASSUME_ROLE): DEFAULT_CREDENTIALS},
        note="the default one becomes botocore's search: environment, profile files, container, instance; "
        "AwsAssumeRoleCredentialsProvider assumes a role with `aws.access.key.id`, or with credentials from there",
    ),
    string(f"{STS_PREFIX}role.arn", "", "Role that AwsAssumeRoleCredentialsProvider assumes."),
    string(f"{STS_PREFIX}role.external.id", "", "External id, which the role's trust policy may require."),
    string(f"{STS_PREFIX}role.session.name", "", "Name of the role's session, which appears in AWS's logs."),
    string(f"{STS_PREFIX}region", "", "Region of the STS endpoint.", note="not set: `s3.region`"),
    string(
        "s3.credentials.provider.*",
        None,
        "Settings of other credentials providers.",
        unsupported=f"The known ones are `{STS_PREFIX}role.arn`, `.role.external.id`, `.role.session.name` and"
        f" `{STS_PREFIX}region`",
    ),
    string("aws.access.key.id", "", "Access key.", note="not set: as `s3.credentials.provider.class` says"),
    password("aws.secret.access.key", None, "Secret of the access key."),
    string(
        S3_SSEA_NAME,
        "",
        "Server-side encryption.",
        validator=one_of("", "AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"),
        choices=("AES256", "aws:kms", "aws:kms:dsse"),
    ),
    password(
        "s3.sse.customer.key",
        None,
        "Customer key for server-side encryption: 32 bytes in base64, with `s3.ssea.name=AES256`.",
        validator=customer_key,
    ),
    string(S3_SSE_KMS_KEY_ID, "", "Id of a key in KMS, with `s3.ssea.name=aws:kms`."),
    string(
        "s3.acl.canned",
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
    string(
        "s3.compression.type",
        "none",
        "Compression of JSON and byte-array files.",
        validator=one_of("none", "gzip"),
        no_effect=JSON_ONLY + "; see `parquet.codec`",
    ),
    integer("s3.compression.level", -1, "Level of `s3.compression.type`.", validator=between(-1, 9), no_effect=JSON_ONLY),
    boolean(
        "s3.send.digest",
        False,
        "Whether uploads carry an MD5 digest.",
        no_effect="uploads carry the checksums that the AWS client adds",
    ),
    boolean(
        "s3.object.tagging",
        False,
        "Whether objects are tagged with their offsets and number of records.",
        note="before the flush is committed",
    ),
    string_list("s3.object.tagging.key.value.pairs", (), "More tags, as `key:value`.", validator=tag_pairs),
    choice(
        "s3.object.behavior.on.tagging.error",
        "ignore",
        "What happens when an object can't be tagged in `s3.part.retries` attempts.",
        ("ignore", "fail"),
        ignore_case=True,
    ),
    string("s3.proxy.url", "", "Proxy for requests to S3.", validator=proxy_url, note=_PROXY),
    string("s3.proxy.user", None, "User of the proxy; overrides a user in `s3.proxy.url`."),
    password("s3.proxy.password", None, "Password of the proxy; overrides a password in `s3.proxy.url`."),
    boolean(
        "s3.http.send.expect.continue",
        True,
        "Whether uploads wait for `100 Continue`.",
        no_effect="the AWS client for Python decides",
    ),
    string(
        "json.decimal.format",
        "BASE64",
        "How decimals are written to JSON files.",
        validator=one_of("BASE64", "NUMERIC", ignore_case=True),
        no_effect=JSON_ONLY,
    ),
    string("format.bytearray.extension", ".bin", "Extension of byte-array files.", no_effect=JSON_ONLY),
    string("format.bytearray.separator", None, "Separator between records in byte-array files.", no_effect=JSON_ONLY),
    *view_formats(S3_FORMATS),
    choice(
        "s3.schema.partition.affix.type",
        "NONE",
        "Whether the name of the record's schema becomes a folder, `schema_name=<name>`, and where.",
        ("NONE", "PREFIX", "SUFFIX"),
    ),
    long(
        "max.write.duration.ms",
        LONG_MAX,
        "Longest time for writing the records of one poll, in milliseconds.",
        no_effect="reading goes on while files are written",
    ),
    boolean(
        "enable.conditional.writes",
        True,
        "Whether existing objects are left alone.",
        no_effect="objects are always created and never replaced",
    ),
    integer(
        "max.files.scan.limit",
        100,
        "How many names to try if an object exists.",
        no_effect="an existing object is recognised by its footer",
    ),
    boolean(
        "s3.elastic.buffer.enable",
        False,
        "Whether the buffer of a part grows as needed.",
        no_effect="buffers are bounded by `kafka2parquet.memory.bytes`",
    ),
    integer(
        "s3.elastic.buffer.init.capacity",
        128 << 10,
        "Initial size of that buffer.",
        validator=at_least(4096),
        no_effect="buffers are bounded by `kafka2parquet.memory.bytes`",
    ),
)
