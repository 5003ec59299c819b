"""Makes the storage: translates the properties of stores to storage options."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote, urlsplit

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.properties.names import (
    S3_PART_RETRIES,
    S3_PATH_STYLE_ACCESS_ENABLED,
    S3_SSE_KMS_KEY_ID,
    S3_SSEA_NAME,
    S3_WAN_MODE,
)
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.connect.properties.s3 import ASSUME_ROLE, STS_PREFIX
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import AssumedRole, GcsOptions, S3Options

_PROVIDER = "s3.credentials.provider.class"
_STORES = {"s3": "s3", "gs": "gcs"}
_Options = TypeVar("_Options", S3Options, GcsOptions)


def make_storage(config: ConnectConfig, endpoint_url: str = "", *, impatient: bool = False) -> FsspecStorage:
    """Make the configured storage. Nothing is connected yet.

    Args:
        config: the configuration.
        endpoint_url: URL of the object store; takes precedence over `store.url`.
        impatient: whether a request is made only once and fails after some seconds, for examinations.

    Raises:
        ConfigurationError: the destination or its credentials are invalid; all problems.
    """
    problems = storage_problems(config, endpoint_url)
    if problems:
        raise ConfigurationError(problems)
    scheme, url = urlsplit(config.destination).scheme, endpoint(config, endpoint_url)
    if scheme == "s3":
        s3 = s3_options(config, url)
        return FsspecStorage(config.destination, _impatient(attrs.evolve(s3, attempts=1)) if impatient else s3)
    if scheme == "gs":
        gcs = gcs_options(config, url)
        return FsspecStorage(config.destination, _impatient(gcs) if impatient else gcs)
    return FsspecStorage(config.destination)


def _impatient(options: _Options) -> _Options:
    return attrs.evolve(options, connect_timeout_s=5.0, read_timeout_s=15.0, request_timeout_s=30.0)


def storage_problems(config: ConnectConfig, endpoint_url: str = "") -> list[Problem]:
    """Return the problems that keep the storage from being made; same arguments as `make_storage`."""
    scheme = urlsplit(config.destination).scheme
    problems = [*_misplaced(config, scheme)]
    if _uses(config, "s3", scheme):
        problems += _s3_problems(config, endpoint(config, endpoint_url))
    makers = {"s3": s3_options, "gs": gcs_options}
    if scheme in makers:
        with collecting(problems):
            makers[scheme](config)
    return problems


def endpoint(config: ConnectConfig, endpoint_url: str) -> str | None:
    """Return the URL of the object store; None for the provider's own. `endpoint_url` takes precedence over `store.url`."""
    return _with_scheme(endpoint_url or config.text("store.url")) or None


def s3_options(config: ConnectConfig, endpoint_url: str | None = None) -> S3Options:
    """Make the options of S3. Another sink's configuration sets only the endpoint and this library's own properties."""
    own = S3Options(
        endpoint_url=endpoint_url,
        profile=config.text("kafka2parquet.s3.profile") or None,
        storage_class=config.text("kafka2parquet.s3.storage.class") or None,
        requester_pays=config.flag("kafka2parquet.s3.requester.pays"),
        user_agent=config.text("kafka2parquet.user.agent") or None,
    )
    if config.provider != "s3":
        return own
    encryption = config.text(S3_SSEA_NAME)
    customer_key = config.text("s3.sse.customer.key")
    return attrs.evolve(
        own,
        region=config.text("s3.region"),
        access_key_id=config.text("aws.access.key.id") or None,
        secret_access_key=config.text("aws.secret.access.key") or None,
        role=_role(config),
        path_style=config.flag(S3_PATH_STYLE_ACCESS_ENABLED),
        accelerate=config.flag(S3_WAN_MODE),
        acl=config.text("s3.acl.canned") or None,
        # S3 refuses requests with both a customer key and the name of an encryption.
        server_side_encryption=None if customer_key else encryption or None,
        kms_key_id=config.text(S3_SSE_KMS_KEY_ID) or None if encryption.startswith("aws:kms") else None,
        customer_key=base64.b64decode(customer_key) if customer_key else None,
        proxy_url=_proxy_url(config, "s3.proxy"),
        part_size_bytes=config.number("s3.part.size"),
        attempts=max(1, config.number(S3_PART_RETRIES)),
    )


def gcs_options(config: ConnectConfig, endpoint_url: str | None = None) -> GcsOptions:
    """Make the options of GCS. Another sink's configuration sets only the endpoint and this library's own properties."""
    own = GcsOptions(
        endpoint_url=endpoint_url,
        storage_class=config.text("kafka2parquet.gcs.storage.class") or None,
        billing_project=config.text("kafka2parquet.gcs.billing.project") or None,
        user_agent=config.text("kafka2parquet.user.agent") or None,
    )
    if config.provider != "gcs":
        return own
    token = config.text("gcs.credentials.path") or None
    if config.text("gcs.credentials.json"):
        try:
            token = json.loads(config.text("gcs.credentials.json"))
        except json.JSONDecodeError as error:
            message = f"gcs.credentials.json is not JSON ({error.msg} at character {error.pos})"
            advice = "Put the whole key file into it, or its path into gcs.credentials.path."
            raise ConfigurationError(Problem("gcs.credentials.json", message, advice)) from None
        if not isinstance(token, dict):
            message = "gcs.credentials.json is not a JSON object"
            raise ConfigurationError(Problem("gcs.credentials.json", message, "Put the whole key file into it."))
    if token is None and endpoint_url is not None:
        token = "anon"  # noqa: S105  # an emulator has no credentials
    return attrs.evolve(
        own, token=token, proxy_url=_proxy_url(config, "gcs.proxy"), part_size_bytes=config.number("gcs.part.size")
    )


def own_tags(config: ConnectConfig) -> dict[str, str]:
    """Return the tags in `s3.object.tagging.key.value.pairs`, which each file gets in addition to its own tags."""
    pairs = (pair.partition(":") for pair in config.items("s3.object.tagging.key.value.pairs"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _uses(config: ConnectConfig, provider: str, scheme: str) -> bool:
    """Return whether the properties of a provider's sink apply: the sink is the provider's, and files go to its store."""
    return config.provider == provider == _STORES.get(scheme)


def _misplaced(config: ConnectConfig, scheme: str) -> Iterator[Problem]:
    """Find `kafka2parquet.` properties for a store that files don't go to."""
    for name in config.given:
        for store in _STORES.values():
            if name.startswith(f"kafka2parquet.{store}.") and _STORES.get(scheme) != store:
                yield Problem(name, f"{name} is for {store.upper()}, but files go to {config.destination}", "Remove it.")


def _s3_problems(config: ConnectConfig, endpoint_url: str | None) -> Iterator[Problem]:
    """Find settings that would be ignored silently, or that S3 would refuse at the first file."""
    if not takes_role(config):
        own_sts = ["kafka2parquet.s3.sts.url"] if config.text("kafka2parquet.s3.sts.url") else []
        for name in (*(f"{STS_PREFIX}{name}" for name in config.below(STS_PREFIX)), *own_sts):
            yield Problem(name, f"{name} has no effect without {_PROVIDER}={ASSUME_ROLE}", "Set that, or remove this.")
    if config.text("kafka2parquet.s3.profile") and config.text("aws.access.key.id"):
        both = ("kafka2parquet.s3.profile", "aws.access.key.id")
        yield Problem(both, f"{' and '.join(both)} exclude each other", "Remove one of them.")
    if config.text("s3.sse.customer.key") and config.text(S3_SSEA_NAME) != "AES256":
        yield Problem(
            ("s3.sse.customer.key", S3_SSEA_NAME),
            "s3.sse.customer.key needs s3.ssea.name=AES256; without it, Confluent's sink doesn't use the key",
            "Set both.",
        )
    if config.flag(S3_WAN_MODE) and endpoint_url is not None:
        yield Problem(
            (S3_WAN_MODE, "store.url"),
            "s3.wan.mode and store.url exclude each other: Transfer Acceleration has its own endpoint",
            "Remove one.",
        )
    if config.text("s3.sse.customer.key") and endpoint_url is not None and urlsplit(endpoint_url).scheme == "http":
        yield Problem(
            "s3.sse.customer.key",
            "s3.sse.customer.key would be sent unencrypted: S3 accepts such keys over https only",
            "Change store.url.",
        )


def takes_role(config: ConnectConfig) -> bool:
    """Return whether the sink assumes a role to get its credentials."""
    return simple_name(config.given.get(_PROVIDER, "").strip()) == simple_name(ASSUME_ROLE)


def _role(config: ConnectConfig) -> AssumedRole | None:
    if not takes_role(config):
        return None
    return AssumedRole(
        arn=config.text(STS_PREFIX + "role.arn"),
        session_name=config.text(STS_PREFIX + "role.session.name"),
        external_id=config.text(STS_PREFIX + "role.external.id") or None,
        region=config.text(STS_PREFIX + "region") or None,
        sts_url=config.text("kafka2parquet.s3.sts.url") or None,
    )


def _proxy_url(config: ConnectConfig, name: str) -> str | None:
    """Return the proxy's URL with user and password; separate properties take precedence, as in Confluent's sink."""
    given = config.text(f"{name}.url")
    if not given:
        for part in ("user", "password"):
            if config.text(f"{name}.{part}"):
                message = f"{name}.{part} has no effect without {name}.url"
                raise ConfigurationError(Problem(f"{name}.{part}", message, "Set that, or remove this."))
        return None
    parts = urlsplit(given)
    place = parts.netloc.rpartition("@")[2]
    user = quote(config.text(f"{name}.user"), safe="") or parts.username or ""
    password = quote(config.text(f"{name}.password"), safe="") or parts.password or ""
    if password and not user:
        message = f"{name}.password is set, but {name}.user is not"
        raise ConfigurationError(Problem(f"{name}.user", message, "Set both or none."))
    login = f"{user}:{password}@" if user else ""
    return f"{parts.scheme}://{login}{place}"


def _with_scheme(url: str) -> str:
    """Add https to a URL without a scheme, as Confluent's sink does."""
    return url if not url or "://" in url else f"https://{url}"
