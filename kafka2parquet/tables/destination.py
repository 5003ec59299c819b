"""Destination: the text that names a table on the command line, and the target that is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import endpoint, gcs_options, make_storage, s3_options
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.storage.options import GcsOptions, S3Options
from kafka2parquet.tables.delta import DeltaTarget
from kafka2parquet.tables.glue import GlueTarget
from kafka2parquet.tables.iceberg import IcebergTarget
from kafka2parquet.tables.target import TableTarget

#: The forms of a destination, for help texts.
FORMS = "iceberg:CATALOG.NAMESPACE.TABLE, delta (in the topic's folder) or glue:DATABASE.TABLE"
TOPIC = "{topic}"
_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_]")


@attrs.frozen
class Destination:
    """A kind of table, and its name.

    Attributes:
        kind: `iceberg`, `delta` or `glue`.
        path: parts of the table's name; `{topic}` in them stands for the topic, with `_` for characters that names can't have.
    """

    kind: str
    path: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read the text of a destination.

        Raises:
            ConfigurationError: it has none of the forms.
        """
        kind, _, name = text.partition(":")
        path = tuple(name.split(".")) if name else ()
        is_complete = {"iceberg": len(path) >= 3, "glue": len(path) == 2, "delta": not path}
        if not is_complete.get(kind, False) or "" in path:
            raise ConfigurationError(f"{text} is not a table. Name it as {FORMS}.")
        return cls(kind, path)

    @property
    def is_by_topic(self) -> bool:
        """Whether each topic has a separate table."""
        return self.kind == "delta" or any(TOPIC in part for part in self.path)

    def of(self, topic: str) -> Destination:
        """Return the destination of a topic."""
        name = _NOT_IN_NAMES.sub("_", topic)
        return attrs.evolve(self, path=tuple(part.replace(TOPIC, name) for part in self.path))


def destinations(text: str, topics: Sequence[str]) -> dict[str, Destination]:
    """Return the destination of each topic.

    Raises:
        ConfigurationError: the text has none of the forms, or several topics would go to one table.
    """
    parsed = Destination.parse(text)
    found = {topic: parsed.of(topic) for topic in topics}
    if parsed.kind != "delta" and len(set(found.values())) < len(found):
        advice = (
            "Their names differ only in characters that a table's name can't have" if parsed.is_by_topic else f"Put {TOPIC}"
        )
        advice += "." if parsed.is_by_topic else " into its name."
        raise ConfigurationError(f"The topics {', '.join(topics)} would go to one table, {text}. {advice}")
    return found


def make_target(
    destination: Destination,
    topic: str,
    config: ConnectConfig,
    worker: WorkerConfig,
    *,
    partition_by: Sequence[str] | None = None,
) -> TableTarget:
    """Make a topic's target. Its store gets the endpoint and the credentials of the sink. Nothing is connected yet.

    Args:
        destination: the table.
        topic: the topic.
        config: the sink's configuration.
        worker: the worker's.
        partition_by: columns to partition a new table by; None for the format's default.

    Raises:
        ConfigurationError: a library is missing, or the table can't be over such files.
    """
    if destination.kind == "glue":
        return GlueTarget(*destination.path)
    options = _options(config, worker)
    if destination.kind == "iceberg":
        catalog, *name = destination.path
        return IcebergTarget(_iceberg_catalog(catalog, options), ".".join(name), partition_by=tuple(partition_by or ()))
    folder = _folder(make_naming(config), topic)
    storage = make_storage(config, worker.endpoint_url)
    return DeltaTarget(storage, folder, partition_by=partition_by, storage_options=delta_options(options))


def _folder(naming: ObjectNaming, topic: str) -> str:
    prefix = naming.prefix(topic)
    if not prefix.endswith("/"):
        raise ConfigurationError(
            f"A Delta table has to contain all files of {topic}, and there is no folder for these files alone: {prefix}…"
            " Use Iceberg, or the topic's name as the folder's and / as directory.delim."
        )
    return prefix


def _options(config: ConnectConfig, worker: WorkerConfig) -> S3Options | GcsOptions | None:
    scheme, url = urlsplit(config.destination).scheme, endpoint(config, worker.endpoint_url)
    if scheme in ("s3", "s3a"):
        return s3_options(config, url)
    return gcs_options(config, url) if scheme in ("gs", "gcs") else None


def delta_options(options: S3Options | GcsOptions | None) -> dict[str, str]:
    """Return the settings of a store as `deltalake` takes them. What is not set comes from the environment."""
    found: dict[str, str | None] = {}
    if isinstance(options, S3Options):
        url = options.endpoint_url
        found = {
            "AWS_REGION": options.region,
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true" if url is not None and url.startswith("http://") else None,
            "AWS_ACCESS_KEY_ID": options.access_key_id,
            "AWS_SECRET_ACCESS_KEY": options.secret_access_key,
            "AWS_SESSION_TOKEN": options.session_token,
        }
    elif isinstance(options, GcsOptions):
        token = options.token
        found = {
            "GOOGLE_SERVICE_ACCOUNT": token if isinstance(token, str) and token != "anon" else None,  # noqa: S105
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(token) if isinstance(token, dict) else None,
            "GOOGLE_BASE_URL": options.endpoint_url,
        }
    return {name: value for name, value in found.items() if value}


def iceberg_options(options: S3Options | GcsOptions | None) -> dict[str, str]:
    """Return the settings of a store as `pyiceberg` takes them."""
    if not isinstance(options, S3Options):
        return {}
    found = {
        "s3.endpoint": options.endpoint_url,
        "s3.region": options.region,
        "s3.access-key-id": options.access_key_id,
        "s3.secret-access-key": options.secret_access_key,
        "s3.session-token": options.session_token,
    }
    return {name: value for name, value in found.items() if value}


def _iceberg_catalog(name: str, options: S3Options | GcsOptions | None) -> Callable[[], Any]:
    """Return a function that loads a catalogue. Settings of the store come from the sink where pyiceberg's have none."""

    def load() -> Any:
        from pyiceberg.catalog import load_catalog
        from pyiceberg.utils.config import Config

        own: Any = Config().get_catalog_config(name)
        if own is None:
            raise ConfigurationError(
                f"pyiceberg has no catalogue {name}. Describe it in .pyiceberg.yaml, or set"
                f" PYICEBERG_CATALOG__{name.upper()}__URI."
            )
        has_own_store = any(setting.startswith("s3.") for setting in own)
        of_sink: dict[str, Any] = {} if has_own_store else iceberg_options(options)
        return load_catalog(name, **of_sink, **own)

    return load
