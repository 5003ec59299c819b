"""The Java consumer's settings, translated to those of kafka-python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import PurePath

import attrs

from kafka2parquet.connect.option import ValueType, invalid_value, one_of, parse_value
from kafka2parquet.errors import ConfigurationError

#: Settings that kafka-python has under the same name, with `_` for `.`.
SAME_NAME = {
    "client.dns.lookup": ValueType.STRING,
    "client.id": ValueType.STRING,
    "client.rack": ValueType.STRING,
    "connections.max.idle.ms": ValueType.LONG,
    "exclude.internal.topics": ValueType.BOOLEAN,
    "fetch.max.bytes": ValueType.INT,
    "fetch.max.wait.ms": ValueType.INT,
    "fetch.min.bytes": ValueType.INT,
    "heartbeat.interval.ms": ValueType.INT,
    "max.partition.fetch.bytes": ValueType.INT,
    "max.poll.interval.ms": ValueType.INT,
    "metadata.max.age.ms": ValueType.LONG,
    "receive.buffer.bytes": ValueType.INT,
    "reconnect.backoff.max.ms": ValueType.LONG,
    "reconnect.backoff.ms": ValueType.LONG,
    "request.timeout.ms": ValueType.INT,
    "retry.backoff.ms": ValueType.LONG,
    "sasl.kerberos.service.name": ValueType.STRING,
    "send.buffer.bytes": ValueType.INT,
    "session.timeout.ms": ValueType.INT,
}

#: Settings whose value is fixed here, or that have no counterpart, each with the reason.
WITHOUT_EFFECT = {
    "allow.auto.create.topics": "topics are never created",
    "auto.commit.interval.ms": "offsets are committed when their rows are durable",
    "check.crcs": "checksums are always verified",
    "default.api.timeout.ms": "calls have their own deadlines",
    "enable.auto.commit": "offsets are committed when their rows are durable",
    "isolation.level": "only committed records are ever read",
    "key.deserializer": "the converter reads keys",
    "max.poll.records": "whole batches are read; `kafka2parquet.memory.bytes` bounds them",
    "partition.assignment.strategy": "range and round robin are offered",
    "retry.backoff.max.ms": "there is one pause, `retry.backoff.ms`",
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
    "value.deserializer": "the converter reads values",
}

_PEM_FILE = "Put it into a PEM file and name that in ssl.truststore.location or ssl.keystore.location"
_IN_PYTHON = "Build the KafkaPythonConsumer in Python, with client_settings"
#: Settings that are refused, each with what to do instead.
UNSUPPORTED = {
    "group.protocol": "kafka-python speaks the classic protocol: remove it",
    "group.remote.assignor": "kafka-python speaks the classic protocol: remove it",
    "interceptor.classes": "Use a hook of the task",
    "ssl.cipher.suites": _IN_PYTHON + " (ssl_ciphers)",
    "ssl.engine.factory.class": _IN_PYTHON + " (ssl_context)",
    "ssl.keystore.certificate.chain": _PEM_FILE,
    "ssl.keystore.key": _PEM_FILE,
    "ssl.truststore.certificates": _PEM_FILE,
}

#: Settings that need more than another name.
SPECIAL = (
    "auto.offset.reset",
    "bootstrap.servers",
    "group.id",
    "group.instance.id",
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
_KNOWN = (*SAME_NAME, *WITHOUT_EFFECT, *UNSUPPORTED, *SPECIAL)
_NO_EFFECT_PREFIXES = ("metric.", "metrics.", "sasl.login.", "sasl.kerberos.", "sasl.oauthbearer.", "auto.include.")

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "AWS_MSK_IAM")
_JAAS = re.compile(r"\s*(?P<module>[\w.]+)\s+\w+(?P<options>.*?);?\s*", re.DOTALL)
_JAAS_OPTION = re.compile(r"""(\w+)\s*=\s*("(?:\\.|[^"\\])*"|[^\s;"]+)""")


@attrs.frozen
class ConsumerSettings:
    """What a consumer is made with.

    Attributes:
        bootstrap_servers: `host:port` of some brokers.
        group_id: consumer group; "" where nothing was said.
        group_instance_id: static member id; None for a dynamic member.
        first_start: where a partition without a committed offset begins, `earliest` or `latest`.
        client_settings: keyword arguments of kafka-python's consumer.
        notes: settings without effect.
    """

    bootstrap_servers: tuple[str, ...]
    group_id: str
    group_instance_id: str | None
    first_start: str
    client_settings: Mapping[str, object] = attrs.field(repr=False)
    notes: tuple[str, ...] = ()


def consumer_settings(given: Mapping[str, str]) -> ConsumerSettings:
    """Translate settings that have the names of the Java consumer.

    Raises:
        ConfigurationError: with all problems; passwords are not shown.
    """
    translation = _Translation(given)
    translation.plain_settings()
    translation.security()
    if translation.problems:
        raise ConfigurationError(translation.problems)
    return ConsumerSettings(
        bootstrap_servers=tuple(server.strip() for server in given.get("bootstrap.servers", "").split(",") if server.strip()),
        group_id=given.get("group.id", ""),
        group_instance_id=given.get("group.instance.id") or None,
        first_start=given.get("auto.offset.reset", "earliest"),
        client_settings=translation.settings,
        notes=tuple(translation.notes),
    )


class _Translation:
    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.settings: dict[str, object] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []

    def plain_settings(self) -> None:
        for name, text in self._given.items():
            if name in SAME_NAME:
                try:
                    self.settings[name.replace(".", "_")] = parse_value(SAME_NAME[name], text)
                except ValueError as error:
                    self.problems.append(f"{invalid_value(name, text, str(error))}.")
            elif name in WITHOUT_EFFECT:
                self.notes.append(f"Consumer setting {name} has no effect: {WITHOUT_EFFECT[name]}.")
            elif name in UNSUPPORTED:
                if text and (name, text.lower()) != ("group.protocol", "classic"):
                    self.problems.append(f"Consumer setting {name} is not supported. {UNSUPPORTED[name]}.")
            elif name not in SPECIAL:
                self._unknown(name)
        self._one_of("auto.offset.reset", "earliest", "latest")

    def _unknown(self, name: str) -> None:
        meant = next(iter(difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.9)), None)
        if meant is not None:
            self.problems.append(f"Consumer setting {name} is not known. Did you mean {meant}?")
        elif name.startswith(_NO_EFFECT_PREFIXES):
            self.notes.append(f"Consumer setting {name} has no effect: kafka-python has nothing like it.")
        else:
            self.notes.append(f"Consumer setting {name} is not known and has no effect.")

    def _one_of(self, name: str, *choices: str) -> str | None:
        text = self._given.get(name)
        if text is None:
            return None
        try:
            one_of(*choices)(text)
        except ValueError as error:
            self.problems.append(f"{invalid_value(name, text, str(error))}.")
        return text

    def security(self) -> None:
        protocol = self._one_of("security.protocol", *_PROTOCOLS) or "PLAINTEXT"
        if protocol != "PLAINTEXT":
            self.settings["security_protocol"] = protocol
        if protocol.startswith("SASL"):
            self._sasl()
        elif "sasl.mechanism" in self._given or "sasl.jaas.config" in self._given:
            self.problems.append(
                f"sasl.* is set, but security.protocol is {protocol}. Set security.protocol to SASL_SSL or SASL_PLAINTEXT."
            )
        if protocol.endswith("SSL"):
            self._tls()

    def _sasl(self) -> None:
        mechanism = self._given.get("sasl.mechanism", "GSSAPI")
        if mechanism not in _MECHANISMS:
            advice = f"{_IN_PYTHON} (sasl_oauth_token_provider)" if mechanism == "OAUTHBEARER" else "Use another mechanism"
            rule = f"String must be one of: {', '.join(_MECHANISMS)}"
            self.problems.append(f"{invalid_value('sasl.mechanism', mechanism, rule)}. {advice}.")
            return
        self.settings["sasl_mechanism"] = mechanism
        if not mechanism.startswith(("PLAIN", "SCRAM")):
            return
        jaas = _JAAS.fullmatch(self._given.get("sasl.jaas.config", ""))
        options = {name: _unquote(value) for name, value in _JAAS_OPTION.findall(jaas["options"])} if jaas else {}
        if "username" not in options or "password" not in options:
            module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
            self.problems.append(
                f"sasl.jaas.config has no username and password, which {mechanism} needs. Write it as "
                f'org.apache.kafka.common.security.{module} required username="…" password="…";'
            )
            return
        self.settings["sasl_plain_username"] = options["username"]
        self.settings["sasl_plain_password"] = options["password"]

    def _tls(self) -> None:
        for store, setting in (("truststore", "ssl_cafile"), ("keystore", "ssl_certfile")):
            location = self._given.get(f"ssl.{store}.location")
            if not location:
                continue
            store_type = self._given.get(f"ssl.{store}.type", "PEM" if _is_pem(location) else "JKS")
            if store_type.upper() == "PEM":
                self.settings[setting] = location
            else:
                self.problems.append(
                    f"ssl.{store}.location={location} is a {store_type} file, which Python can't read. Convert it to PEM "
                    f"(keytool -importkeystore to PKCS12, then openssl pkcs12) and set ssl.{store}.type=PEM."
                )
        password = self._given.get("ssl.key.password")
        if password:
            self.settings["ssl_password"] = password
        if self._given.get("ssl.endpoint.identification.algorithm", "https") == "":
            self.settings["ssl_check_hostname"] = False


def _is_pem(location: str) -> bool:
    return PurePath(location).suffix.lower() in (".pem", ".crt", ".cer")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
