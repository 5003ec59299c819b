"""Properties of Confluent's S3 sink."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from kafka2parquet.connect.properties.option import Value, at_least, between, one_of, simple_name
from kafka2parquet.connect.properties.storage import JSON_ONLY, LONG_MAX, format_class, view_formats
from kafka2parquet.connect.properties.typed import boolean, choice, class_name, integer, long, password, string, string_list

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
        "s3.part.retries",
        3,
        "Attempts for a request, at once; 0 counts as 1.",
        validator=at_least(0),
        note="after them, uploads are still retried until the store is back",
    ),
    long(
        "s3.retry.backoff.ms",
        200,
        "First pause between two attempts, in milliseconds.",
        validator=at_least(0),
        no_effect="pauses grow from half a second, with jitter",
    ),
    boolean("s3.wan.mode", False, "Whether S3 Transfer Acceleration is used."),
    boolean("s3.path.style.access.enabled", True, "Whether the bucket is named in the path of a URL, and not in its host."),
    class_name(
        "s3.credentials.provider.class",
        DEFAULT_CREDENTIALS,
        "Class that finds the credentials.",
        choices=(DEFAULT_CREDENTIALS, ASSUME_ROLE),
        read_as={simple_name(ASSUME_ROLE): DEFAULT_CREDENTIALS},
        note="the default one becomes botocore's search: environment, profile files, container, instance; "
        "AwsAssumeRoleCredentialsProvider takes on a role with `aws.access.key.id`, or with what is found there",
    ),
    string(f"{STS_PREFIX}role.arn", "", "Role that AwsAssumeRoleCredentialsProvider takes on."),
    string(f"{STS_PREFIX}role.external.id", "", "What the role's trust policy may ask for."),
    string(f"{STS_PREFIX}role.session.name", "", "Name of the role's session, which AWS puts into its logs."),
    string(f"{STS_PREFIX}region", "", "Region of the STS that is asked.", note="not set: `s3.region`"),
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
        "s3.ssea.name",
        "",
        "Encryption on the server.",
        validator=one_of("", "AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"),
        choices=("AES256", "aws:kms", "aws:kms:dsse"),
    ),
    password(
        "s3.sse.customer.key",
        None,
        "Key of the customer for encryption on the server: 32 bytes in base64, with `s3.ssea.name=AES256`.",
        validator=customer_key,
    ),
    string("s3.sse.kms.key.id", "", "Key in KMS, with `s3.ssea.name=aws:kms`."),
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
    string("s3.proxy.url", "", "Proxy on the way to S3.", validator=proxy_url, note=_PROXY),
    string("s3.proxy.user", None, "User at the proxy; overrides a user in `s3.proxy.url`."),
    password("s3.proxy.password", None, "Password at the proxy; overrides a password in `s3.proxy.url`."),
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
    string("format.bytearray.separator", None, "What separates records in byte-array files.", no_effect=JSON_ONLY),
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
        "Time for writing the records of one poll, in milliseconds.",
        no_effect="reading goes on while files are written",
    ),
    boolean(
        "enable.conditional.writes",
        True,
        "Whether an object that exists is left alone.",
        no_effect="objects are always created and never replaced",
    ),
    integer(
        "max.files.scan.limit",
        100,
        "How many names are tried when an object exists.",
        no_effect="an object that exists is recognised by its footer",
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
        "First size of that buffer.",
        validator=at_least(4096),
        no_effect="buffers are bounded by `kafka2parquet.memory.bytes`",
    ),
)
