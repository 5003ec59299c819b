"""Translates settings of Kafka's Java clients to kafka-python's: the part that all clients share."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import attrs

from kafka2parquet.connect.clients.jaas import read_jaas
from kafka2parquet.connect.properties.option import ValueType, invalid_value, one_of, parse_value
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem, note
from kafka2parquet.util.pem_files import pem_location

#: Settings that every client of kafka-python has under the same name, with `_` for `.`.
COMMON_SAME_NAME = {
    "client.dns.lookup": ValueType.STRING,
    "client.id": ValueType.STRING,
    "connections.max.idle.ms": ValueType.LONG,
    "metadata.max.age.ms": ValueType.LONG,
    "receive.buffer.bytes": ValueType.INT,
    "reconnect.backoff.max.ms": ValueType.LONG,
    "reconnect.backoff.ms": ValueType.LONG,
    "request.timeout.ms": ValueType.INT,
    "retry.backoff.ms": ValueType.LONG,
    "sasl.kerberos.service.name": ValueType.STRING,
    "send.buffer.bytes": ValueType.INT,
}

#: Settings of every client without a counterpart, each with the reason.
COMMON_WITHOUT_EFFECT = {
    "default.api.timeout.ms": "calls have their own deadlines",
    "retry.backoff.max.ms": "all pauses are `retry.backoff.ms`",
    "sasl.client.callback.handler.class": "it is a Java class",
    "sasl.login.callback.handler.class": "it is a Java class",
    "socket.connection.setup.timeout.max.ms": "`request.timeout.ms` bounds it",
    "socket.connection.setup.timeout.ms": "`request.timeout.ms` bounds it",
    "ssl.enabled.protocols": "Python's ssl module decides",
    "ssl.keymanager.algorithm": "Python's ssl module decides",
    "ssl.keystore.password": "PEM files have only `ssl.key.password`",
    "ssl.protocol": "Python's ssl module decides",
    "ssl.provider": "Python's ssl module decides",
    "ssl.trustmanager.algorithm": "Python's ssl module decides",
    "ssl.truststore.password": "PEM files need none",
}

#: Settings of every client that need more than another name.
COMMON_SPECIAL = (
    "bootstrap.servers",
    "sasl.jaas.config",
    "sasl.mechanism",
    "security.protocol",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.type",
)
_PEM_FILE = "Put it into a PEM file, and name the file in ssl.truststore.location or ssl.keystore.location"
INTERCEPTORS = (
    "Remove it. Nothing is lost if the interceptor only observes, as for metrics or traces. What changes records belongs in a"
    " transform"
)
#: Packages of interceptors that only observe, each with what they do.
_OBSERVERS = {
    "io.confluent.monitoring.clients.interceptor.": "it only reports metrics to Confluent Control Center",
    "io.opentelemetry.instrumentation.kafkaclients.": "it only records traces",
}
_NO_EFFECT_PREFIXES = ("metric.", "metrics.", "sasl.login.", "sasl.kerberos.", "sasl.oauthbearer.", "auto.include.")

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "AWS_MSK_IAM")
#: The options of login modules that have a setting in kafka-python.
_LOGIN_OPTIONS = {"PLAIN": ("username", "password"), "SCRAM": ("username", "password"), "GSSAPI": ("serviceName",)}
_WITHOUT_OPTIONS = {
    "GSSAPI": "tickets come from the system (kinit, or KRB5_CLIENT_KTNAME for a keytab)",
    "AWS_MSK_IAM": "credentials come from AWS's own environment variables and files",
}


#: Settings of a client by their Java names, under the prefixes that the names have in the user's configuration, such as
#: `consumer.override.`. Settings under later prefixes take precedence.
PrefixedSettings: TypeAlias = Mapping[str, Mapping[str, str]]
NO_PREFIXED: PrefixedSettings = MappingProxyType({})


@attrs.frozen(eq=False)
class ClientTable:
    """The settings of one kind of client.

    Attributes:
        client: kind of the client, for messages.
        in_python: how to pass settings that only Python can express.
        own_same_name: settings that kafka-python has under the same name, besides the settings of every client.
        own_without_effect: settings whose value is fixed, or that have no counterpart, each with the reason.
        own_unsupported: settings that are refused, each with what to do instead.
        own_special: settings that need more than another name.
        own_choices: settings that need more than another name and have a fixed set of values, each with the values.
    """

    client: str
    in_python: str
    own_same_name: Mapping[str, ValueType]
    own_without_effect: Mapping[str, str]
    own_unsupported: Mapping[str, str]
    own_special: tuple[str, ...] = ()
    own_choices: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    @property
    def same_name(self) -> Mapping[str, ValueType]:
        """All settings that kafka-python has under the same name."""
        return {**COMMON_SAME_NAME, **self.own_same_name}

    @property
    def without_effect(self) -> Mapping[str, str]:
        """All settings without effect, each with the reason."""
        return {**COMMON_WITHOUT_EFFECT, **self.own_without_effect}

    @property
    def unsupported(self) -> Mapping[str, str]:
        """All settings that are refused, each with what to do instead."""
        return {
            "ssl.cipher.suites": f"{self.in_python} (ssl_ciphers)",
            "ssl.engine.factory.class": f"{self.in_python} (ssl_context)",
            "ssl.keystore.certificate.chain": _PEM_FILE,
            "ssl.keystore.key": _PEM_FILE,
            "ssl.truststore.certificates": _PEM_FILE,
            **self.own_unsupported,
        }

    @property
    def special(self) -> tuple[str, ...]:
        """All settings that need more than another name."""
        return (*COMMON_SPECIAL, *self.own_special, *self.own_choices)


@attrs.frozen
class ClientSettings:
    """The settings that a client is made with.

    Attributes:
        bootstrap_servers: `host:port` of some brokers.
        client_settings: keyword arguments of kafka-python's client.
        notes: notes about settings without effect.
        files: files of keys and certificates that a connection needs, by the names of the settings as the user wrote them.
    """

    bootstrap_servers: tuple[str, ...]
    client_settings: Mapping[str, object] = attrs.field(repr=False)
    notes: tuple[Problem, ...] = ()
    files: Mapping[str, str] = attrs.field(factory=dict)


class Translation:
    """One pass over the settings of a client. Problems and notes name settings as the user wrote them, with their prefixes.

    Args:
        table: the settings that the client knows.
        given: settings without a prefix.
        prefixed: settings that take precedence over `given`.

    Attributes:
        given: texts of the settings by their Java names.
        settings: keyword arguments of kafka-python's client.
        problems: all problems, without passwords.
        notes: notes about settings without effect.
        files: files of keys and certificates, by the names of the settings as the user wrote them.
    """

    def __init__(self, table: ClientTable, given: Mapping[str, str], prefixed: PrefixedSettings = NO_PREFIXED) -> None:
        self._table = table
        self._prefixes = {name: prefix for prefix, settings in prefixed.items() for name in settings}
        self.given = dict(given)
        for settings in prefixed.values():
            self.given |= settings
        self.settings: dict[str, object] = {}
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.files: dict[str, str] = {}

    def written(self, name: str) -> str:
        """Return the name of a setting as the user wrote it."""
        return f"{self._prefixes.get(name, '')}{name}"

    def invalid(self, name: str, text: str, rule: str, advice: str = "") -> None:
        """Add the problem that a value of the setting `name` breaks a rule."""
        written = self.written(name)
        self.problems.append(Problem(written, invalid_value(written, text, rule), advice))

    def finish(self) -> ClientSettings:
        """Translate settings that only need another name, and settings about security.

        Raises:
            ConfigurationError: settings are wrong; all problems, without passwords.
        """
        self._plain()
        self._security()
        if self.problems:
            raise ConfigurationError(self.problems)
        servers = (server.strip() for server in self.given.get("bootstrap.servers", "").split(","))
        files = self.files if str(self.settings.get("security_protocol")).endswith("SSL") else {}
        return ClientSettings(tuple(server for server in servers if server), self.settings, tuple(self.notes), files)

    def _plain(self) -> None:
        table = self._table
        same_name, without_effect, unsupported = table.same_name, table.without_effect, table.unsupported
        for name, text in self.given.items():
            written = self.written(name)
            if name in same_name:
                try:
                    self.settings[name.replace(".", "_")] = parse_value(same_name[name], text)
                except ValueError as error:
                    self.invalid(name, text, str(error))
            elif name in table.own_choices:
                self._one_of(name, table.own_choices[name])
            elif name == "interceptor.classes" and (observes := _only_observe(text)):
                self.notes.append(note(written, f"{table.client} setting {written} has no effect: {observes}"))
            elif name in without_effect:
                self.notes.append(note(written, f"{table.client} setting {written} has no effect: {without_effect[name]}"))
            elif name in unsupported:
                if text and (name, text.lower()) != ("group.protocol", "classic"):
                    message = f"{table.client} setting {written} is not supported"
                    self.problems.append(Problem(written, message, f"{unsupported[name]}."))
            elif name not in table.special:
                self._unknown(name)

    def _unknown(self, name: str) -> None:
        table, written = self._table, self.written(name)
        setting = f"{table.client} setting {written}"
        known = (*table.same_name, *table.without_effect, *table.unsupported, *table.special)
        meant = next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.9)), None)
        if meant is not None:
            advice = f"Did you mean {written.removesuffix(name)}{meant}?"
            self.problems.append(Problem(written, f"{setting} is not known", advice))
        elif name.startswith(_NO_EFFECT_PREFIXES):
            self.notes.append(note(written, f"{setting} has no effect: kafka-python has no such setting"))
        else:
            self.notes.append(note(written, f"{setting} is not known and has no effect"))

    def _one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        """Return the text of a setting, which has to be one of `choices`; None if it isn't set."""
        text = self.given.get(name)
        if text is None:
            return None
        try:
            one_of(*choices)(text)
        except ValueError as error:
            self.invalid(name, text, str(error))
        return text

    def _security(self) -> None:
        protocol = self._one_of("security.protocol", _PROTOCOLS) or "PLAINTEXT"
        if protocol != "PLAINTEXT":
            self.settings["security_protocol"] = protocol
        if protocol.startswith("SASL"):
            self._sasl()
        elif "sasl.mechanism" in self.given or "sasl.jaas.config" in self.given:
            written = self.written("security.protocol")
            message = f"sasl.* is set, but {written} is {protocol}"
            self.problems.append(Problem(written, message, f"Set {written} to SASL_SSL or SASL_PLAINTEXT."))
        if protocol.endswith("SSL"):
            self._tls()

    def _sasl(self) -> None:
        mechanism = self.given.get("sasl.mechanism", "GSSAPI")
        if mechanism not in _MECHANISMS:
            advice = (
                f"{self._table.in_python} (sasl_oauth_token_provider)"
                if mechanism == "OAUTHBEARER"
                else "Use another mechanism"
            )
            rule = f"String must be one of: {', '.join(_MECHANISMS)}"
            self.invalid("sasl.mechanism", mechanism, rule, f"{advice}.")
            return
        self.settings["sasl_mechanism"] = mechanism
        options = self._login_options(mechanism)
        if options is None:
            return
        if mechanism == "GSSAPI" and "serviceName" in options:
            self.settings.setdefault("sasl_kerberos_service_name", options["serviceName"])
        if not mechanism.startswith(("PLAIN", "SCRAM")):
            return
        if "username" not in options or "password" not in options:
            written = self.written("sasl.jaas.config")
            message = f"{written} has no username and password, which {mechanism} needs"
            self.problems.append(Problem(written, message, _jaas_form(mechanism)))
            return
        self.settings["sasl_plain_username"] = options["username"]
        self.settings["sasl_plain_password"] = options["password"]

    def _login_options(self, mechanism: str) -> Mapping[str, str] | None:
        """Return the options of the login module; None if they can't be read. Adds a note about options without effect."""
        written = self.written("sasl.jaas.config")
        text = self.given.get("sasl.jaas.config", "").strip()
        if not text:
            return {}
        try:
            options = read_jaas(text).options
        except ValueError as error:
            self.problems.append(Problem(written, f"{written} can't be read: {error}", _jaas_form(mechanism)))
            return None
        known = _LOGIN_OPTIONS.get(mechanism.partition("-")[0], ())
        unused = [name for name in options if name not in known]
        if unused:
            they, have = ("option", "has") if len(unused) == 1 else ("options", "have")
            message = (
                f"{self._table.client} setting {written}: the {they} {', '.join(unused)} {have} no effect:"
                f" {_WITHOUT_OPTIONS.get(mechanism, 'kafka-python logs in with username and password only')}"
            )
            self.notes.append(note(written, message))
        return options

    def _tls(self) -> None:
        for store, setting in (("truststore", "ssl_cafile"), ("keystore", "ssl_certfile")):
            prefix = self._prefixes.get(f"ssl.{store}.location", "")
            problems: list[Problem] = []
            with collecting(problems):
                location = pem_location(self.given, f"ssl.{store}")
                if location is not None:
                    self.settings[setting] = location
                    self.files[self.written(f"ssl.{store}.location")] = location
            self.problems += (problem.under(prefix) for problem in problems)
        password = self.given.get("ssl.key.password")
        if password:
            self.settings["ssl_password"] = password
        if self.given.get("ssl.endpoint.identification.algorithm", "https") == "":
            self.settings["ssl_check_hostname"] = False


def _only_observe(interceptors: str) -> str:
    """Return what a list of interceptors does; "" if one of them may do more than observe."""
    names = [name.strip() for name in interceptors.split(",") if name.strip()]
    found = [next((does for package, does in _OBSERVERS.items() if name.startswith(package)), "") for name in names]
    return "; ".join(dict.fromkeys(found)) if all(found) else ""


def _jaas_form(mechanism: str) -> str:
    """Return advice about how to write a login for the mechanism."""
    if not mechanism.startswith(("PLAIN", "SCRAM")):
        return 'Its form is: module required name="…";'
    module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
    return f'Write it as org.apache.kafka.common.security.{module} required username="…" password="…";'
