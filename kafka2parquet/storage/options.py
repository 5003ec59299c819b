"""Settings of the object stores."""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, gt

_MIB = 1 << 20


def _masked(value: str | None) -> str:
    return "None" if value is None else "'***'"


def _multiple_of_256_kib(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value % (256 << 10):
        raise ValueError(f"{attribute.name} must be a multiple of 256 KiB, not {value}")


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
        path_style: whether the bucket stands in the path instead of the host name; None: with `endpoint_url` only.
        part_size_bytes: files up to this size go up in one request, larger ones in parts of this size. Each upload in
            progress holds one part in memory.
        connect_timeout_s: for a connection, in seconds.
        read_timeout_s: for the next bytes of an answer, in seconds.
        request_timeout_s: for a whole request, in seconds.
    """

    region: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = attrs.field(default=None, repr=_masked)
    session_token: str | None = attrs.field(default=None, repr=_masked)
    path_style: bool | None = None
    part_size_bytes: int = attrs.field(default=64 * _MIB, validator=ge(5 * _MIB))
    connect_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    read_timeout_s: float = attrs.field(default=60.0, validator=gt(0))
    request_timeout_s: float = attrs.field(default=300.0, validator=gt(0))

    def to_fsspec(self) -> dict[str, Any]:
        """As arguments of `s3fs.S3FileSystem`."""
        config: dict[str, Any] = {
            "connect_timeout": self.connect_timeout_s,
            "read_timeout": self.read_timeout_s,
            # One more attempt mends a kept connection that the other side has closed; the engine does the rest.
            "retries": {"mode": "standard", "total_max_attempts": 2},
        }
        if self.path_style is not None:
            config["s3"] = {"addressing_style": "path" if self.path_style else "virtual"}
        options = {
            "key": self.access_key_id,
            "secret": self.secret_access_key,
            "token": self.session_token,
            "endpoint_url": self.endpoint_url,
            "client_kwargs": None if self.region is None else {"region_name": self.region},
            "config_kwargs": config,
        }
        return {name: value for name, value in options.items() if value is not None}


@attrs.frozen(kw_only=True)
class GcsOptions:
    """How to reach Google Cloud Storage.

    Attributes:
        token: path or parsed JSON of a service account's key, or a word that gcsfs knows, such as `anon`; None: the
            application's default credentials.
        project: project that is billed; None: the one of the credentials.
        endpoint_url: of an emulator.
        part_size_bytes: files up to this size go up in one request, larger ones in parts of this size, a multiple of
            256 KiB. Each upload in progress holds one part in memory.
        connect_timeout_s: for a connection, in seconds.
        read_timeout_s: for the next bytes of an answer, in seconds.
        request_timeout_s: for a whole request with gcsfs's own six attempts, in seconds.
    """

    token: str | dict[str, Any] | None = attrs.field(default=None, repr=lambda token: "None" if token is None else "'***'")
    project: str | None = None
    endpoint_url: str | None = None
    part_size_bytes: int = attrs.field(default=64 * _MIB, validator=[ge(256 << 10), _multiple_of_256_kib])
    connect_timeout_s: float = attrs.field(default=10.0, validator=gt(0))
    read_timeout_s: float = attrs.field(default=60.0, validator=gt(0))
    request_timeout_s: float = attrs.field(default=300.0, validator=gt(0))

    def to_fsspec(self) -> dict[str, Any]:
        """As arguments of `gcsfs.core.GCSFileSystem`."""
        options = {"token": self.token, "project": self.project, "endpoint_url": self.endpoint_url}
        return {name: value for name, value in options.items() if value is not None}
