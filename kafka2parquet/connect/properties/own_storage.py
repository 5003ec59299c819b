"""This library's own properties of stores, for which Confluent's sinks have no name. They depend on the store, not the sink."""

from __future__ import annotations

from kafka2parquet.connect.properties.option import Value, one_of
from kafka2parquet.connect.properties.s3 import url
from kafka2parquet.connect.properties.typed import boolean, string

_FROZEN = ("GLACIER", "DEEP_ARCHIVE")
_S3_CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
)
_GCS_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")


def _s3_class(value: Value) -> None:
    if value in _FROZEN:
        raise ValueError(
            "such objects can't be read without restoring them, but the sink reads footers; use a lifecycle rule instead"
        )
    one_of("", *_S3_CLASSES)(value)


def _header_text(value: Value) -> None:
    text = str(value)
    if not text.isascii() or not text.isprintable():
        raise ValueError("a header may only contain printable ASCII")


OWN_STORAGE_OPTIONS = (
    string(
        "kafka2parquet.s3.profile",
        "",
        "Profile in the shared AWS configuration files that has the credentials.",
        note="not set: the profile in the environment (AWS_PROFILE), or `default`",
    ),
    string(
        "kafka2parquet.s3.sts.url", "", "Endpoint of a compatible STS, for AwsAssumeRoleCredentialsProvider.", validator=url
    ),
    string(
        "kafka2parquet.s3.storage.class",
        "",
        "Storage class of the objects.",
        validator=_s3_class,
        choices=_S3_CLASSES,
        note="not set: STANDARD",
    ),
    boolean("kafka2parquet.s3.requester.pays", False, "Whether you agree to pay for requests to another owner's bucket."),
    string(
        "kafka2parquet.gcs.storage.class",
        "",
        "Storage class of the objects.",
        validator=one_of("", *_GCS_CLASSES),
        choices=_GCS_CLASSES,
        note="not set: the bucket's",
    ),
    string("kafka2parquet.gcs.billing.project", "", "Project that pays for requests to another owner's bucket."),
    string(
        "kafka2parquet.user.agent",
        "",
        "Text that is added to the user agent of requests to S3 or GCS, for the store's logs.",
        validator=_header_text,
    ),
)
