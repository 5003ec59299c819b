"""WorkerConfig: the settings that Kafka Connect keeps with the worker instead of the connector."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.connect.clients.consumer import ConsumerSettings, consumer_settings
from kafka2parquet.connect.clients.producer import admin_settings, producer_settings
from kafka2parquet.connect.clients.translation import ClientSettings, PrefixedSettings
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.forms.properties import Properties, source_name
from kafka2parquet.connect.forms.worker_forms import read_worker
from kafka2parquet.connect.missing_values import without_missing
from kafka2parquet.connect.placeholders import fill_in, find_placeholder, may_be_secret
from kafka2parquet.connect.variables import ConfigProviders
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.secrets import Secrets, is_secret_name, without_credentials

#: Prefixes of the worker's settings that its consumers, producers and admin clients inherit, unless `consumer.` and so on
#: override them.
_CLIENT_PREFIXES = ("security.", "sasl.", "ssl.")
#: The properties of a worker that have an effect.
_OF_TASKS = (
    *_CLIENT_PREFIXES,
    "bootstrap.servers",
    "consumer.",
    "producer.",
    "admin.",
    "key.converter",
    "value.converter",
)


@attrs.frozen
class WorkerConfig:
    """Brokers, security settings and defaults for all connectors.

    Attributes:
        bootstrap_servers: `host:port` of some brokers, separated by commas.
        security: security settings that all clients inherit, by their Java names.
        consumer: settings of the consumers, `consumer.*` in a worker's properties, by their Java names.
        producer: settings of the producers of dead letters, `producer.*` in a worker's properties, by their Java names.
        admin: settings of the clients that create the topics of dead letters, `admin.*` in a worker's properties, by their
            Java names.
        converters: `key.converter`, `value.converter` and their properties, for connectors that don't set them.
        endpoint_url: URL of the object store; takes precedence over a connector's `store.url`.
        providers: providers that look up variables in connectors' configurations: `config.providers`.
        notes: notes about how the source was read.
        secrets: values of secret properties, which no text may show.
        variables: values that were looked up; texts about the configuration show the variables in their place.
    """

    bootstrap_servers: str = attrs.field(default="", repr=without_credentials)
    security: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    consumer: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    producer: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    admin: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    converters: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    endpoint_url: str = attrs.field(default="", repr=False)
    providers: ConfigProviders = attrs.field(factory=ConfigProviders)
    notes: tuple[Problem, ...] = ()
    secrets: Secrets = attrs.field(factory=Secrets)
    variables: Secrets = attrs.field(factory=Secrets)

    def consumer_for(self, config: ConnectConfig) -> ConsumerSettings:
        """Return the consumer settings for a connector; its `consumer.override.*` take precedence over the worker's.

        Raises:
            ConfigurationError: settings are wrong; all problems.
        """
        given = {**self._inherited, "group.id": f"connect-{config.name}"}
        return consumer_settings(given, _prefixed("consumer.", self.consumer, config))

    def producer_for(self, config: ConnectConfig) -> ClientSettings:
        """Return the settings of a connector's producer; its `producer.override.*` take precedence over the worker's.

        Raises:
            ConfigurationError: settings are wrong; all problems.
        """
        return producer_settings(self._inherited, _prefixed("producer.", self.producer, config))

    def admin_for(self, config: ConnectConfig) -> ClientSettings:
        """Return the settings of a connector's admin client; its `admin.override.*` take precedence over the worker's.

        Raises:
            ConfigurationError: settings are wrong; all problems.
        """
        return admin_settings(self._inherited, _prefixed("admin.", self.admin, config))

    @property
    def _inherited(self) -> Mapping[str, str]:
        """The settings that all clients inherit."""
        return {"bootstrap.servers": self.bootstrap_servers, **self.security}


def _prefixed(prefix: str, of_worker: Mapping[str, str], config: ConnectConfig) -> PrefixedSettings:
    """Return the settings of one kind of client: the worker's, and the connector's overrides, which take precedence."""
    overrides = f"{prefix}override."
    return {prefix: of_worker, overrides: config.below(overrides)}


@checked
def load_worker_config(
    source: str | os.PathLike[str] | Mapping[str, str] | None = None,
    *,
    bootstrap_servers: str | None = None,
    endpoint_url: str | None = None,
    missing_allowed: bool = False,
) -> WorkerConfig:
    """Read the properties of a Connect worker, ignoring the properties that only a real worker needs.

    Args:
        source: path of a file, or a mapping; None reads nothing. A file may be Java properties, JSON, YAML or TOML, a file of
            `CONNECT_*` variables, a file of Docker Compose or Kubernetes that sets such variables, or a KafkaConnect of
            Strimzi. A mapping may have `CONNECT_*` variables too, such as `os.environ`. `-` is standard input.
        bootstrap_servers: takes precedence over the property in `source`.
        endpoint_url: URL of the object store.
        missing_allowed: whether a variable that can't be looked up is only a note, and not a problem. Set it if the
            configuration is only checked.

    Raises:
        ConfigurationError: the file can't be read, or a variable in it can't be looked up.
    """
    unresolved = read_worker(source)
    problems: list[Problem] = []
    providers = ConfigProviders()
    with collecting(problems):
        providers = ConfigProviders.of_worker(unresolved)
    needed = {name: text for name, text in unresolved.items() if name.startswith(_OF_TASKS)}
    if bootstrap_servers:
        needed.pop("bootstrap.servers", None)
    resolved = Properties(needed)
    if not problems:
        resolved = providers.with_container().resolve(resolved, missing_allowed=missing_allowed)
    problems += [*_placeholders(needed), *resolved.problems]
    given = without_missing(resolved.values, resolved.missing)
    secrets = Secrets.of(
        {name: text for name, text in given.items() if is_secret_name(name)},
        {},
        {name: text for name, text in given.items() if not is_secret_name(name)},
    )
    variables = Secrets.of_variables(resolved.looked_up)
    if problems:
        where = (
            f"The worker's configuration in {source_name(source)}" if isinstance(source, str | os.PathLike) else "The worker"
        )
        hide = (secrets | variables).hide
        raise ConfigurationError([problem.within(where).hidden_by(hide) for problem in problems])
    clients = {}
    for prefix in ("consumer.", "producer.", "admin."):
        client = {name.removeprefix(prefix): text for name, text in given.items() if name.startswith(prefix)}
        if bootstrap_servers:
            client.pop("bootstrap.servers", None)
        clients[prefix] = client
    return WorkerConfig(
        bootstrap_servers=bootstrap_servers or given.get("bootstrap.servers", ""),
        security={name: text for name, text in given.items() if name.startswith(_CLIENT_PREFIXES)},
        consumer=clients["consumer."],
        producer=clients["producer."],
        admin=clients["admin."],
        converters={name: text for name, text in given.items() if name.startswith(("key.converter", "value.converter"))},
        endpoint_url=endpoint_url or "",
        providers=providers,
        notes=tuple(finding for finding in resolved.findings if not finding.kind.is_fatal),
        secrets=secrets,
        variables=variables,
    )


def _placeholders(given: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in given.items():
        placeholder = find_placeholder(name, text)
        if placeholder is not None:
            shown = "" if may_be_secret(name) else f": {placeholder}"
            yield Problem(name, f"{name}{shown} is a placeholder that is not filled in", fill_in(placeholder))
