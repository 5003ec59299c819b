"""S3Options and GcsOptions: the settings of the object stores."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import attrs

from kafka2parquet.util.argument_types import AtLeast
from kafka2parquet.util.arguments import Count, Name, PositiveSeconds, checked
from kafka2parquet.util.secrets import without_credentials

_MIB = 1 << 20
_CUSTOMER_KEY_BYTES = 32


def _masked(value: object) -> str:
    return "None" if value is None else "'***'"


def _without_login(value: str | None) -> str:
    return repr(value if value is None else without_credentials(value))


class _MultipleOf256KiB:
    def unmet(self, value: int) -> str | None:
        return None if value % (256 << 10) == 0 else "a multiple of 256 KiB"


class _IsCustomerKey:
    def unmet(self, value: bytes) -> str | None:
        return None if len(value) == _CUSTOMER_KEY_BYTES else f"{_CUSTOMER_KEY_BYTES} bytes"


class _IsHttpUrl:
    def unmet(self, value: str) -> str | None:
        parts = urlsplit(value)
        return None if parts.scheme in ("http", "https") and parts.hostname else "an http or https URL with a host"


_ProxyUrl = Annotated[str, _IsHttpUrl()]
_CustomerKey = Annotated[bytes, _IsCustomerKey()]
_S3PartSize = Annotated[int, AtLeast(5 * _MIB)]
_GcsPartSize = Annotated[int, AtLeast(256 << 10), _MultipleOf256KiB()]


@checked
@attrs.frozen(kw_only=True)
class AssumedRole:
    """An AWS role to assume, by `AssumeRole` of STS. Its credentials are renewed before they expire.

    Attributes:
        arn: the role's ARN, such as `arn:aws:iam::123456789012:role/sink`.
        session_name: name of the session, which appears in AWS's logs.
        external_id: external id that the role's trust policy may require.
        region: region of STS; None for the bucket's region.
        sts_url: endpoint of a compatible STS.
    """

    arn: Name
    session_name: Name
    external_id: str | None = attrs.field(default=None, repr=_masked)
    region: Name | None = None
    sts_url: Name | None = attrs.field(default=None, repr=_without_login)


@checked
@attrs.frozen(kw_only=True)
class S3Options:
    """How to reach S3.

    A setting that is None comes from the usual sources: environment, shared configuration files, the machine's role.

    Attributes:
        region: region of the bucket, such as `eu-central-1`.
        endpoint_url: endpoint of a compatible store. Requests then carry a Content-MD5 instead of AWS's newer checksums,
            which many compatible stores refuse.
        access_key_id: public part of the key.
        secret_access_key: secret part of the key.
        session_token: session token of temporary credentials. They can't be renewed, so prefer a profile or a role.
        profile: profile of the shared configuration files with the credentials.
        role: role to assume with these credentials.
        path_style: whether URLs have the bucket in the path instead of the host name; None: only with `endpoint_url`.
        accelerate: whether to use S3 Transfer Acceleration, which has to be enabled on the bucket.
        acl: canned access control list of the objects, such as `bucket-owner-full-control`.
        server_side_encryption: `AES256`, `aws:kms` or `aws:kms:dsse`; None for the bucket's setting.
        kms_key_id: id of the key in KMS.
        customer_key: key of 32 bytes with which S3 encrypts each object, without storing the key (SSE-C). If you lose the key,
            you lose the objects.
        storage_class: storage class of the objects, such as `STANDARD_IA`. Footers are read back at once, so archive classes
            don't work.
        requester_pays: whether to agree to pay for requests to another owner's bucket.
        proxy_url: HTTP proxy for requests to S3, which may contain user and password; None for the environment's proxy. STS
            and the sources of credentials are always reached through the environment's proxy.
        user_agent: text to append to the User-Agent header.
        part_size_bytes: size of a part in bytes. Files up to this size are uploaded in one request, larger files in parts.
            Each running upload holds one part in memory.
        attempts: number of attempts before a request's error is raised. With 2 or more, a pooled connection that the other
            side has closed is not an error. The engine retries beyond these attempts.
        connect_timeout_s: timeout for connecting, in seconds.
        read_timeout_s: timeout for the next bytes of an answer, in seconds.
        request_timeout_s: timeout for a whole request, in seconds.
    """

    region: Name | None = None
    endpoint_url: Name | None = attrs.field(default=None, repr=_without_login)
    access_key_id: Name | None = None
    secret_access_key: str | None = attrs.field(default=None, repr=_masked)
    session_token: str | None = attrs.field(default=None, repr=_masked)
    profile: Name | None = None
    role: AssumedRole | None = None
    path_style: bool | None = None
    accelerate: bool = False
    acl: Name | None = None
    server_side_encryption: Name | None = None
    kms_key_id: Name | None = None
    customer_key: _CustomerKey | None = attrs.field(default=None, repr=_masked)
    storage_class: Name | None = None
    requester_pays: bool = False
    proxy_url: _ProxyUrl | None = attrs.field(default=None, repr=_masked)
    user_agent: Name | None = None
    part_size_bytes: _S3PartSize = 64 * _MIB
    attempts: Count = 2
    connect_timeout_s: PositiveSeconds = 10.0
    read_timeout_s: PositiveSeconds = 60.0
    request_timeout_s: PositiveSeconds = 300.0

    def to_fsspec(self) -> dict[str, Any]:
        """Return arguments for `s3fs.S3FileSystem`, except the role, for which s3fs lacks an argument."""
        options = {
            "key": self.access_key_id,
            "secret": self.secret_access_key,
            "token": self.session_token,
            "profile": self.profile,
            "endpoint_url": self.endpoint_url,
            "client_kwargs": None if self.region is None else {"region_name": self.region},
            "config_kwargs": self._client_config(),
            "requester_pays": self.requester_pays or None,
            "s3_additional_kwargs": self._object_arguments() or None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _client_config(self) -> dict[str, Any]:
        """Return arguments for `botocore.config.Config`."""
        s3: dict[str, Any] = {}
        if self.path_style is not None:
            s3["addressing_style"] = "path" if self.path_style else "virtual"
        if self.accelerate:
            s3["use_accelerate_endpoint"] = True
        config = {
            "connect_timeout": self.connect_timeout_s,
            "read_timeout": self.read_timeout_s,
            "retries": {"mode": "standard", "total_max_attempts": self.attempts},
            "s3": s3 or None,
            "proxies": None if self.proxy_url is None else {"http": self.proxy_url, "https": self.proxy_url},
            "user_agent_extra": self.user_agent,
        }
        return {name: value for name, value in config.items() if value is not None}

    def _object_arguments(self) -> dict[str, Any]:
        """Return arguments for requests that create or read an object. s3fs gives each request those that it supports."""
        arguments = {
            "ACL": self.acl,
            "ServerSideEncryption": self.server_side_encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "SSECustomerAlgorithm": None if self.customer_key is None else "AES256",
            "SSECustomerKey": self.customer_key,
            "StorageClass": self.storage_class,
            # Needed for versions of s3fs before 2026, which apply `requester_pays` to few requests only.
            "RequestPayer": "requester" if self.requester_pays else None,
        }
        return {name: value for name, value in arguments.items() if value is not None}


@checked
@attrs.frozen(kw_only=True)
class GcsOptions:
    """How to reach Google Cloud Storage.

    Attributes:
        token: path or parsed JSON of a service account's key (or of another file with credentials), or a word that gcsfs
            supports, such as `anon`; None for the application's default credentials.
        project: project of the buckets; None for the project of the credentials.
        billing_project: project that pays for requests to another owner's bucket (requester pays).
        endpoint_url: endpoint of an emulator.
        storage_class: storage class of the objects, such as `NEARLINE`; None for the bucket's class.
        proxy_url: HTTP proxy for requests to GCS and for access tokens, which may contain user and password; None for the
            environment's proxy.
        user_agent: text to append to the User-Agent header.
        part_size_bytes: size of a part in bytes, a multiple of 256 KiB. Files up to this size are uploaded in one request,
            larger files in parts. Each running upload holds one part in memory.
        connect_timeout_s: timeout for connecting, in seconds.
        read_timeout_s: timeout for the next bytes of an answer, in seconds.
        request_timeout_s: timeout for a whole request with gcsfs's own six attempts, in seconds.
    """

    token: str | dict[str, Any] | None = attrs.field(default=None, repr=_masked)
    project: Name | None = None
    billing_project: Name | None = None
    endpoint_url: Name | None = attrs.field(default=None, repr=_without_login)
    storage_class: Name | None = None
    proxy_url: _ProxyUrl | None = attrs.field(default=None, repr=_masked)
    user_agent: Name | None = None
    part_size_bytes: _GcsPartSize = 64 * _MIB
    connect_timeout_s: PositiveSeconds = 10.0
    read_timeout_s: PositiveSeconds = 60.0
    request_timeout_s: PositiveSeconds = 300.0

    def to_fsspec(self) -> dict[str, Any]:
        """Return arguments for `gcsfs.core.GCSFileSystem`, except settings for which gcsfs lacks an argument."""
        options = {
            "token": self.token,
            "project": self.project,
            "requester_pays": self.billing_project,
            "endpoint_url": self.endpoint_url,
        }
        return {name: value for name, value in options.items() if value is not None}
