"""Settings of the object stores."""

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
    """A role of AWS to take on, by `AssumeRole` of STS. Its credentials are renewed before they expire.

    Attributes:
        arn: the role's name, such as `arn:aws:iam::123456789012:role/sink`.
        session_name: name of the session, which AWS puts into its logs.
        external_id: what the role's trust policy may ask for.
        region: region of the STS that is asked; None: the bucket's.
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
    """How to reach S3. What is None comes from the usual sources: environment, shared configuration files, the machine's role.

    Attributes:
        region: region of the bucket, such as `eu-central-1`.
        endpoint_url: of a compatible store. Objects then carry a Content-MD5 instead of the newer checksums of AWS, which
            many compatible stores refuse.
        access_key_id: public part of the key.
        secret_access_key: secret part of the key.
        session_token: of temporary credentials. Those can't be renewed: prefer a profile or a role.
        profile: which profile of the shared configuration files has the credentials.
        role: a role to take on with those credentials.
        path_style: whether the bucket stands in the path instead of the host name; None: with `endpoint_url` only.
        accelerate: whether S3 Transfer Acceleration is used, which the bucket has to have switched on.
        acl: canned access control list of the objects, such as `bucket-owner-full-control`.
        server_side_encryption: `AES256`, `aws:kms` or `aws:kms:dsse`; None: what the bucket says.
        kms_key_id: key in KMS.
        customer_key: 32 bytes with which S3 encrypts each object and forgets them (SSE-C). Who loses them loses the objects.
        storage_class: of the objects, such as `STANDARD_IA`. Footers are read back at once, so none that has to be thawed.
        requester_pays: whether we agree to pay for requests to another owner's bucket.
        proxy_url: HTTP proxy on the way to S3, with user and password in it; None: the one of the environment. STS and
            the places where credentials are looked for are reached by the one of the environment in any case.
        user_agent: added to the name that requests give us.
        part_size_bytes: files up to this size go up in one request, larger ones in parts of this size. Each upload in
            progress holds one part in memory.
        attempts: how often a request is made before its error is raised. From 2 on, a kept connection that the other side has
            closed is not an error. The engine repeats requests beyond that.
        connect_timeout_s: for a connection, in seconds.
        read_timeout_s: for the next bytes of an answer, in seconds.
        request_timeout_s: for a whole request, in seconds.
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
        """As arguments of `s3fs.S3FileSystem`; without the role, for which s3fs has no argument."""
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
        """Arguments of `botocore.config.Config`."""
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
        """Arguments of the requests that make or read an object; s3fs gives each request those that it knows."""
        arguments = {
            "ACL": self.acl,
            "ServerSideEncryption": self.server_side_encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "SSECustomerAlgorithm": None if self.customer_key is None else "AES256",
            "SSECustomerKey": self.customer_key,
            "StorageClass": self.storage_class,
            # Versions of s3fs before 2026 say it by `requester_pays` in few requests.
            "RequestPayer": "requester" if self.requester_pays else None,
        }
        return {name: value for name, value in arguments.items() if value is not None}


@checked
@attrs.frozen(kw_only=True)
class GcsOptions:
    """How to reach Google Cloud Storage.

    Attributes:
        token: path or parsed JSON of a service account's key (or of another file with credentials), or a word that gcsfs
            knows, such as `anon`; None: the application's default credentials.
        project: project that the buckets belong to; None: the one of the credentials.
        billing_project: project that pays for requests to another owner's bucket (requester pays).
        endpoint_url: of an emulator.
        storage_class: of the objects, such as `NEARLINE`; None: the bucket's.
        proxy_url: HTTP proxy on the way to GCS and to where access tokens are given out, with user and password in it;
            None: the one of the environment.
        user_agent: added to the name that requests give us.
        part_size_bytes: files up to this size go up in one request, larger ones in parts of this size, a multiple of
            256 KiB. Each upload in progress holds one part in memory.
        connect_timeout_s: for a connection, in seconds.
        read_timeout_s: for the next bytes of an answer, in seconds.
        request_timeout_s: for a whole request with gcsfs's own six attempts, in seconds.
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
        """As arguments of `gcsfs.core.GCSFileSystem`; without those for which gcsfs has none."""
        options = {
            "token": self.token,
            "project": self.project,
            "requester_pays": self.billing_project,
            "endpoint_url": self.endpoint_url,
        }
        return {name: value for name, value in options.items() if value is not None}
