"""Where files go: the properties of the stores, as options of the storage."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import GcsOptions, S3Options


def make_storage(config: ConnectConfig, endpoint_url: str = "") -> FsspecStorage:
    """The storage that the configuration names; nothing is connected yet.

    Args:
        config: the configuration.
        endpoint_url: counts for more than `store.url`.

    Raises:
        ConfigurationError: the destination or its credentials can't be understood.
    """
    scheme = urlsplit(config.destination).scheme
    endpoint = _with_scheme(endpoint_url or config.text("store.url")) or None
    if scheme == "s3":
        return FsspecStorage(config.destination, s3_options(config, endpoint), **_s3_upload_arguments(config))
    if scheme == "gs":
        return FsspecStorage(config.destination, gcs_options(config, endpoint))
    return FsspecStorage(config.destination)


def s3_options(config: ConnectConfig, endpoint_url: str | None = None) -> S3Options:
    """How S3 is reached; of another sink's configuration only the endpoint counts."""
    if config.provider != "s3":
        return S3Options(endpoint_url=endpoint_url)
    return S3Options(
        region=config.text("s3.region"),
        endpoint_url=endpoint_url,
        access_key_id=config.text("aws.access.key.id") or None,
        secret_access_key=config.text("aws.secret.access.key") or None,
        path_style=config.flag("s3.path.style.access.enabled"),
        part_size_bytes=config.number("s3.part.size"),
    )


def gcs_options(config: ConnectConfig, endpoint_url: str | None = None) -> GcsOptions:
    """How GCS is reached; of another sink's configuration only the endpoint counts."""
    if config.provider != "gcs":
        return GcsOptions(endpoint_url=endpoint_url)
    token = config.text("gcs.credentials.path") or None
    if config.text("gcs.credentials.json"):
        try:
            token = json.loads(config.text("gcs.credentials.json"))
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f"gcs.credentials.json is not JSON ({error.msg} at character {error.pos}). Put the whole key file into it, or "
                "its path into gcs.credentials.path."
            ) from None
    if token is None and endpoint_url is not None:
        token = "anon"  # noqa: S105  # an emulator knows no credentials
    return GcsOptions(token=token, endpoint_url=endpoint_url, part_size_bytes=config.number("gcs.part.size"))


def _s3_upload_arguments(config: ConnectConfig) -> dict[str, object]:
    """Arguments of every upload: access control and encryption."""
    if config.provider != "s3":
        return {}
    arguments = {
        "ACL": config.text("s3.acl.canned"),
        "ServerSideEncryption": config.text("s3.ssea.name"),
        "SSEKMSKeyId": config.text("s3.sse.kms.key.id") if config.text("s3.ssea.name").startswith("aws:kms") else "",
    }
    given = {name: value for name, value in arguments.items() if value}
    return {"s3_additional_kwargs": given} if given else {}


def _with_scheme(url: str) -> str:
    """As Confluent's sink does, a URL without scheme is taken for https."""
    return url if not url or "://" in url else f"https://{url}"
