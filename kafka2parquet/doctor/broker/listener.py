"""The way to one broker: TCP, TLS, Kafka's protocol, login. Each step is a check, and the first that fails names the cause."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from typing import Any

from kafka.protocol.metadata import MetadataRequest, MetadataResponse

from kafka2parquet.consumers.kafka_python.connection.bootstrap_log import check_certificates
from kafka2parquet.doctor.broker.connection import (
    ILLEGAL_SASL_STATE,
    UNSUPPORTED_SASL_MECHANISM,
    BrokerConnection,
    NoAnswerError,
    tls_context,
    trusting_context,
)
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.sockets import STEP_S, TroubleError, connect, split_address, tcp_causes, tls_causes
from kafka2parquet.errors import KafkaAuthenticationError

_EXAMPLE = "broker-1.example:9092"
_SERVER = {"server": _EXAMPLE}
_LISTENER = {**_SERVER, "found": "SASL_SSL", "given": "PLAINTEXT"}
_WRONG_PROTOCOL = Cause(
    "wrong-protocol",
    _LISTENER,
    "The listener at {server} speaks {found}, and security.protocol is {given}.",
    "Set the protocol in the worker's properties (first line) or in the sink's (second line), or name the port of a listener"
    " that speaks {given} in bootstrap.servers.",
    paste="security.protocol={found}\nconsumer.override.security.protocol={found}",
)

TCP = Check(
    "kafka-tcp",
    "TCP connection",
    "Looks up the host of each server in `bootstrap.servers` and connects to it. The Kafka client reports all failures of this"
    " and of the next steps alike, as a time-out.",
    (
        Cause(
            "bad-address",
            _SERVER,
            "{server} is not host:port.",
            "Write each server in bootstrap.servers as host:port, such as broker-1.example:9092.",
        ),
        *tcp_causes("bootstrap.servers", _EXAMPLE),
    ),
)
TLS = Check(
    "kafka-tls",
    "TLS handshake",
    "Does the TLS handshake with the trusted certificates and the client's certificate of the configuration.",
    (
        _WRONG_PROTOCOL,
        *tls_causes(
            "Put the authority's certificate into a PEM file, and name the file in the worker's properties.",
            "ssl.truststore.type=PEM\nssl.truststore.location=/path/to/ca.pem",
            _EXAMPLE,
        ),
        Cause(
            "client-certificate",
            {**_SERVER, "reason": "tlsv13 alert certificate required"},
            "{server} requires a client certificate. None was sent, or it is not trusted there ({reason}).",
            "Name a PEM file with the private key and a certificate that the brokers trust in the worker's properties. The last"
            " line is for an encrypted key.",
            paste="ssl.keystore.type=PEM\nssl.keystore.location=/path/to/client.pem\nssl.key.password=<password>",
        ),
        Cause(
            "bad-file",
            {"reason": "ssl_cafile=/etc/ca.pem can't be loaded"},
            "A file with keys or certificates can't be used: {reason}.",
            "Name an existing, readable PEM file in ssl.truststore.location or ssl.keystore.location, and set ssl.key.password"
            " to the password of the private key.",
        ),
    ),
)
PROTOCOL = Check(
    "kafka-protocol",
    "Kafka protocol",
    "Asks which requests the broker knows (ApiVersions). A broker answers this request before any login.",
    (
        _WRONG_PROTOCOL,
        Cause(
            "not-kafka",
            {**_SERVER, "reason": "it is a web server"},
            "{server} doesn't speak Kafka's protocol ({reason}).",
            "Name the brokers' own port in bootstrap.servers, not that of a REST proxy, a web console, a controller or"
            " ZooKeeper.",
        ),
        Cause(
            "no-topic-ids",
            _SERVER,
            "The broker at {server} is older than Kafka 2.8: its topics have no ids. A topic that was deleted and created"
            " again is then noticed only if its log is shorter than the committed offset.",
            "Use a newer version of Kafka. Until then, choose another topics.dir whenever you create a topic again.",
            Level.WARNING,
        ),
    ),
)
LOGIN = Check(
    "kafka-login",
    "Login",
    "Logs in with `sasl.mechanism` and `sasl.jaas.config`, and sees whether the listener wants a login at all.",
    (
        _WRONG_PROTOCOL,
        Cause(
            "mechanism",
            {**_SERVER, "given": "PLAIN", "offered": "SCRAM-SHA-512, GSSAPI"},
            "The listener at {server} doesn't offer sasl.mechanism={given}. It offers {offered}.",
            "Set a mechanism that is offered, with the login module in sasl.jaas.config that belongs to it: PlainLoginModule"
            " for PLAIN, ScramLoginModule for SCRAM.",
            paste="sasl.mechanism=<one of {offered}>",
        ),
        Cause(
            "refused-login",
            {**_SERVER, "user": "user alice", "mechanism": "PLAIN", "reason": "Invalid username or password"},
            "{server} refused the login of {user} by {mechanism} ({reason}).",
            "Correct the user name and password in sasl.jaas.config. For SCRAM, an administrator can list the users:",
            paste="kafka-configs --bootstrap-server {server} --describe --entity-type users",
        ),
        Cause(
            "no-token",
            {**_SERVER, "mechanism": "GSSAPI", "reason": "RuntimeError: GSSAPI lib not found!"},
            "This machine can't make a token for {mechanism} ({reason}).",
            "GSSAPI needs the package gssapi and a ticket; AWS_MSK_IAM needs AWS credentials. To see what there is:",
            paste="pip install gssapi && klist\naws sts get-caller-identity",
        ),
        Cause(
            "clear-text",
            {**_SERVER, "user": "user alice"},
            "The login of {user} at {server} works, and sends the password unencrypted.",
            "Use a listener with TLS, or a SCRAM mechanism, which never sends the password.",
            Level.WARNING,
            paste="security.protocol=SASL_SSL",
        ),
    ),
)
CHECKS = (TCP, TLS, PROTOCOL, LOGIN)

#: The version of the request for metadata from which on topics have ids.
_WITH_TOPIC_IDS = 10


class Visit:
    """The steps to one server, up to the first that fails.

    Attributes:
        server: the server as host:port.
        findings: one for each step that was taken.
        connection: the connection after the last step; None if a step failed. The caller closes it.
    """

    def __init__(self, server: str, settings: Mapping[str, Any], step_s: float = STEP_S) -> None:
        """Take the steps. Blocks for some seconds.

        Args:
            server: the server as host:port.
            settings: kafka-python's settings of a client.
            step_s: time limit for each step, in seconds.
        """
        self.server = server
        self.findings: list[Finding] = []
        self.connection: BrokerConnection | None = None
        self._settings = settings
        self._step_s = step_s
        self._protocol = str(settings.get("security_protocol", "PLAINTEXT"))
        self._step = TCP
        self._open: BrokerConnection | None = None
        try:
            self._take_steps()
            self.connection = self._open
        except TroubleError as trouble:
            values = {"server": server, "given": self._protocol, **trouble.values}
            self.findings.append(self._step.found(trouble.cause, server, **values))
            if self._open is not None:
                self._open.close()

    @property
    def trouble(self) -> Finding | None:
        """The finding of the step that failed; None if no step did."""
        return None if self.connection is not None else self.findings[-1]

    def _take_steps(self) -> None:
        connection = self._open = BrokerConnection(*split_address(self.server), self._step_s)
        self._passed()
        if self._protocol.endswith("SSL"):
            self._step = TLS
            self._start_tls(connection)
        try:
            # A server that speaks TLS 1.3 refuses the client's certificate only after the handshake, in this answer.
            connection.ask_versions()
        except TroubleError as trouble:
            raise (self._refusal() or _without_certificate(trouble)) from trouble
        except NoAnswerError as error:
            if self._step is TLS and (refusal := self._refusal()) is not None:
                raise refusal from error
            self._step = PROTOCOL if self._step is TCP else self._step
            is_web_server = speaks_http(connection.host, connection.port, self._step_s)
            if not is_web_server:
                self._raise_if_other_protocol(connection)
            self._step = PROTOCOL
            reason = "it is a web server" if is_web_server else _described(error)
            raise TroubleError("not-kafka", reason=reason) from error
        if self._step is TLS:
            self._passed(connection.tls_version)
        self._step = PROTOCOL
        if connection.supports(MetadataRequest, _WITH_TOPIC_IDS):
            self._passed()
        else:
            self.findings.append(PROTOCOL.found("no-topic-ids", self.server, server=self.server))
        self._step = LOGIN
        self._log_in(connection)

    def _passed(self, text: str = "") -> None:
        self.findings.append(self._step.ok(self.server, text))

    def _start_tls(self, connection: BrokerConnection) -> None:
        try:
            check_certificates(self._settings)
        except KafkaAuthenticationError as error:
            raise TroubleError("bad-file", reason=str(error).rstrip(".")) from error
        try:
            connection.start_tls(tls_context(self._settings))
        except TroubleError as trouble:
            if trouble.cause == "tls-refused":
                self._raise_if_other_protocol(connection)
            raise _without_certificate(trouble) from trouble

    def _refusal(self) -> TroubleError | None:
        """Return the server's refusal of the client's certificate after the handshake; None if the server doesn't say so.

        The server's alert is lost if the server has closed the connection before the client sends. So the client does the
        handshake once more, and sends nothing.
        """
        try:
            with BrokerConnection(*split_address(self.server), self._step_s) as connection:
                connection.start_tls(tls_context(self._settings))
                connection.listen()
        except TroubleError as found:
            refusal = _without_certificate(found)
            return refusal if refusal.cause == "client-certificate" else None
        return None

    def _log_in(self, connection: BrokerConnection) -> None:
        """Log in, if the settings say so, and see that the listener answers a request that needs a login."""
        if not self._protocol.startswith("SASL"):
            try:
                connection.ask(MetadataRequest(topics=[]), MetadataResponse, 1, 10)
            except NoAnswerError as error:
                self._raise_if_other_protocol(connection)
                values = {"user": "a client without login", "mechanism": "no mechanism", "reason": str(error)}
                raise TroubleError("refused-login", **values) from error
            self._passed("not needed")
            return
        mechanism = str(self._settings["sasl_mechanism"])
        name = self._settings.get("sasl_plain_username")
        user = f"user {name}" if name else "this client"
        try:
            code, offered = connection.mechanisms(mechanism)
            if code == UNSUPPORTED_SASL_MECHANISM or (not code and mechanism not in offered):
                raise TroubleError("mechanism", given=mechanism, offered=", ".join(sorted(offered)))
            if code == ILLEGAL_SASL_STATE:
                self._raise_if_other_protocol(connection)
            connection.log_in(self._settings)
        except TroubleError as trouble:
            raise TroubleError(trouble.cause, **{"user": user, "mechanism": mechanism, **trouble.values}) from trouble
        except NoAnswerError as error:
            raise TroubleError("refused-login", user=user, mechanism=mechanism, reason=str(error)) from error
        if (self._protocol, mechanism) == ("SASL_PLAINTEXT", "PLAIN"):
            self.findings.append(LOGIN.found("clear-text", self.server, server=self.server, user=user))
        else:
            self._passed(f"{mechanism} as {user}")

    def _raise_if_other_protocol(self, connection: BrokerConnection) -> None:
        spoken = listener_protocol(connection.host, connection.port, self._step_s)
        if spoken is not None and spoken != self._protocol:
            raise TroubleError("wrong-protocol", found=spoken)


def _described(error: NoAnswerError) -> str:
    return f"it sent {error.received[:40]!r}" if error.received else str(error)


def _without_certificate(trouble: TroubleError) -> TroubleError:
    """Return the trouble of a client certificate, if the server's alert is about one; otherwise the same trouble."""
    reason = str(trouble.values.get("reason", ""))
    words = ("certificate", "unknown ca", "access denied")
    is_about_one = _is_alert(reason) and any(word in reason.lower() for word in words)
    return TroubleError("client-certificate", reason=reason) if is_about_one else trouble


def _is_alert(reason: str) -> bool:
    return "alert" in reason.lower()


def speaks_http(host: str, port: int, step_s: float) -> bool:
    """Return whether a server answers in HTTP, without TLS."""
    try:
        with contextlib.closing(connect(host, port, step_s)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(4) == b"HTTP"
    except (TroubleError, OSError):
        return False


def listener_protocol(host: str, port: int, step_s: float = STEP_S) -> str | None:
    """Find out which `security.protocol` a listener speaks; None if it isn't a listener of Kafka. Sends no secrets."""
    contexts: tuple[ssl.SSLContext | None, ...] = (None, trusting_context())
    for context in contexts:
        try:
            with BrokerConnection(host, port, step_s) as connection:
                if context is not None:
                    connection.start_tls(context)
                connection.ask_versions()
                has_login = connection.offers_login()
        except TroubleError as trouble:
            if context is not None and trouble.cause == "tls-refused" and _is_alert(str(trouble.values["reason"])):
                return "SSL"  # it speaks TLS, and wants a client certificate
            continue
        except NoAnswerError:
            continue
        plain = "PLAINTEXT" if context is None else "SSL"
        return f"SASL_{plain}" if has_login else plain
    return None
