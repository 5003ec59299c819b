"""Settings of the object stores."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, gt, min_len, optional

_MIB = 1 << 20
_CUSTOMER_KEY_BYTES = 32


def _masked(value: object) -> str:
    return "None" if value is None else "'***'"


def _multiple_of_256_kib(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value % (256 << 10):
        raise ValueError(f"{attribute.name} must be a multiple of 256 KiB, not {value}")


def _key_length(_: object, attribute: attrs.Attribute[bytes | None], value: bytes | None) -> None:
    if value is not None and len(value) != _CUSTOMER_KEY_BYTES:
        raise ValueError(f"{attribute.name} must have {_CUSTOMER_KEY_BYTES} bytes, not {len(value)}")


def _proxy(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise ValueError(f"{attribute.name} must be an http or https URL with a host")


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

    arn: str = attrs.field(validator=min_len(1))
    session_name: str = attrs.field(validator=min_len(1))
    external_id: str | None = attrs.field(default=None, repr=_masked)
    region: str | None = None
    sts_url: str | None = None


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
        requester_pays: whether we agree to pay for requests to somebody else's bucket.
        proxy_url: HTTP proxy on the way to S3, with user and password in it; None: the one of the environment. STS and
            the places where credentials are looked for are reached by the one of the environment in any case.
        user_agent: added to the name that requests give us.
        part_size_bytes: files up to this size go up in one request, larger ones in parts of this size. Each upload in
            progress holds one part in memory.
        attempts: how often a request is made before its error is told; from 2 on, that mends a kept connection that the
            other side has closed. The engine does the rest.
        connect_timeout_s: for a connection, in seconds.
        read_timeout_s: for the next bytes of an answer, in seconds.
        request_timeout_s: for a whole request, in seconds.
    """

    region: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = attrs.field(default=None, repr=_masked)
    session_token: str | None = attrs.field(default=None, repr=_masked)
    profile: str | None = None
    role: AssumedRole | None = None
    path_style: bool | None = None
    accelerate: bool = False
    acl: str | None = None
    server_side_encryption: str | None = None
    kms_key_id: str | None = None
    customer_key: bytes | None = attrs.field(default=None, repr=_masked, validator=_key_length)
    storage_class: str | None = None
    requester_pays: bool = False
    proxy_url: str | None = attrs.field(default=None, repr=_masked, validator=_proxy)
    user_agent: str | None = attrs.field(default=None, validator=optional(min_len(1)))
    part_size_bytes: int = attrs.field(default=64 * _MIB, validator=ge(5 * _MIB))
    attempts: int = attrs.field(default=2, validator=ge(1))
    connect_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    read_timeout_s: float = attrs.field(default=60.0, validator=gt(0))
    request_timeout_s: float = attrs.field(default=300.0, validator=gt(0))

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


@attrs.frozen(kw_only=True)
class GcsOptions:
    """How to reach Google Cloud Storage.

    Attributes:
        token: path or parsed JSON of a service account's key (or of another file with credentials), or a word that gcsfs
            knows, such as `anon`; None: the application's default credentials.
        project: project that the buckets belong to; None: the one of the credentials.
        billing_project: project that pays for requests to somebody else's bucket (requester pays).
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
    project: str | None = None
    billing_project: str | None = None
    endpoint_url: str | None = None
    storage_class: str | None = None
    proxy_url: str | None = attrs.field(default=None, repr=_masked, validator=_proxy)
    user_agent: str | None = attrs.field(default=None, validator=optional(min_len(1)))
    part_size_bytes: int = attrs.field(default=64 * _MIB, validator=[ge(256 << 10), _multiple_of_256_kib])
    connect_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    read_timeout_s: float = attrs.field(default=60.0, validator=gt(0))
    request_timeout_s: float = attrs.field(default=300.0, validator=gt(0))

    def to_fsspec(self) -> dict[str, Any]:
        """As arguments of `gcsfs.core.GCSFileSystem`; without those for which gcsfs has none."""
        options = {
            "token": self.token,
            "project": self.project,
            "requester_pays": self.billing_project,
            "endpoint_url": self.endpoint_url,
        }
        return {name: value for name, value in options.items() if value is not None}
