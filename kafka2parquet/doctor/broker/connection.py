"""BrokerConnection: one plain connection to one broker, which sends single requests and waits for their answers.

kafka-python encodes and decodes the messages and makes the SASL tokens. Its clients are not used, because they try again in the
background and raise only that they have timed out.
"""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from kafka.errors import KafkaError
from kafka.net.sasl import get_sasl_mechanism
from kafka.net.transport import KafkaSSLTransport
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse
from kafka.protocol.sasl import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
    SaslHandshakeRequest,
    SaslHandshakeResponse,
)

from kafka2parquet.doctor.check import NotPossibleError
from kafka2parquet.doctor.sockets import STEP_S, TroubleError, connect, start_tls, tls_trouble

_CLIENT_ID = "kafka2parquet-doctor"
_MOST_ANSWER_BYTES = 100 << 20
#: Error codes of Kafka's protocol.
UNSUPPORTED_SASL_MECHANISM = 33
ILLEGAL_SASL_STATE = 34
SASL_AUTHENTICATION_FAILED = 58


class NoAnswerError(NotPossibleError):
    """The broker closed the connection, or sent something that is not an answer.

    Attributes:
        received: the first bytes that it sent.
    """

    def __init__(self, why: str, received: bytes = b"") -> None:
        self.received = received
        super().__init__(why)


class UnsupportedRequestError(NotPossibleError):
    """The broker is too old for a request."""


class BrokerConnection:
    """A connection to a broker. Each method blocks for at most some seconds. For one thread.

    Attributes:
        host: the broker's host.
        port: the broker's port.
        versions: lowest and highest version of each request that the broker knows, by the request's number.
    """

    def __init__(self, host: str, port: int, timeout_s: float = STEP_S) -> None:
        """Connect over TCP.

        Raises:
            TroubleError: one of the causes of `tcp_causes`.
        """
        self.host = host
        self.port = port
        self.versions: dict[int, tuple[int, int]] = {}
        self._ids = itertools.count(1)
        self._socket: socket.socket = connect(host, port, timeout_s)

    def __enter__(self) -> BrokerConnection:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def server(self) -> str:
        """The address as host:port."""
        return f"{self.host}:{self.port}"

    @property
    def tls_version(self) -> str:
        """The version of TLS in use; "" without TLS."""
        return str(self._socket.version() or "") if isinstance(self._socket, ssl.SSLSocket) else ""

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake.

        Raises:
            TroubleError: one of the causes of `tls_causes`.
        """
        self._socket = start_tls(self._socket, self.host, self.port, context)

    def listen(self) -> None:
        """Wait for the server to speak first, as it does only to refuse the client's certificate.

        Raises:
            TroubleError: the server ended TLS with an alert.
        """
        try:
            self._socket.recv(1)
        except ssl.SSLError as error:
            raise tls_trouble(error, self.host, self.port) from error
        except OSError:
            return

    def ask_versions(self) -> None:
        """Ask for the versions of all requests, which a broker answers before any login.

        Raises:
            NoAnswerError: the answer is missing, or not Kafka's.
            TroubleError: TLS failed after the handshake, as it does if the server refuses the client's certificate.
        """
        answer = self._exchange(ApiVersionsRequest(), ApiVersionsResponse, 0)
        self.versions = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}

    def mechanisms(self, mechanism: str) -> tuple[int, tuple[str, ...]]:
        """Ask to log in with a SASL mechanism. Returns an error code and the mechanisms that the listener offers."""
        answer = self._exchange(SaslHandshakeRequest(mechanism=mechanism), SaslHandshakeResponse, 1)
        return int(answer.error_code), tuple(answer.mechanisms)

    def offers_login(self) -> bool:
        """Return whether the listener is one for SASL; asks with a mechanism, and sends nothing that is secret."""
        return self.supports(SaslHandshakeRequest, 0) and self.mechanisms("PLAIN")[0] != ILLEGAL_SASL_STATE

    def log_in(self, settings: Mapping[str, Any]) -> None:
        """Log in with the mechanism of the settings, after `mechanisms`.

        Raises:
            TroubleError: `refused-login` or `no-token`.
        """
        name = str(settings["sasl_mechanism"])
        try:
            mechanism = get_sasl_mechanism(name)(host=self.host, **_DEFAULTS_OF_SASL | dict(settings))
            while not mechanism.is_done():
                answer = self._exchange(SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes()), SaslAuthenticateResponse, 1)
                if answer.error_code:
                    raise TroubleError("refused-login", reason=(answer.error_message or "no reason given").rstrip("."))
                mechanism.receive(answer.auth_bytes)
        except TroubleError:
            raise
        except NoAnswerError as error:
            raise TroubleError("refused-login", reason=str(error)) from error
        except Exception as error:  # libraries of Kerberos and of AWS raise errors of their own
            raise TroubleError("no-token", reason=f"{type(error).__name__}: {error}".rstrip(".")) from error

    def supports(self, request_class: Any, version: int) -> bool:
        """Return whether the broker knows a request in this version or a later one."""
        return self.versions.get(request_class.API_KEY, (0, -1))[1] >= version

    def ask(self, request: Any, response_class: Any, least: int, most: int) -> Any:
        """Send a request in the highest version from `least` to `most` that the broker knows, and return the answer.

        Raises:
            UnsupportedRequestError: the broker doesn't know these versions.
            NoAnswerError: the answer is missing.
        """
        lowest, highest = self.versions.get(request.API_KEY, (0, -1))
        version = min(most, highest)
        if version < max(least, lowest):
            raise UnsupportedRequestError(f"the broker {self.server} is too old for {request.name} {least}")
        return self._exchange(request, response_class, version)

    def _exchange(self, request: Any, response_class: Any, version: int) -> Any:
        request.API_VERSION = version
        number = next(self._ids)
        request.with_header(correlation_id=number, client_id=_CLIENT_ID)
        received = b""
        try:
            self._socket.sendall(request.encode(header=True, framed=True))
            received = self._read(4)
            (size,) = struct.unpack(">i", received)
            if not 4 <= size <= _MOST_ANSWER_BYTES:
                raise NoAnswerError("the answer is not Kafka's", received)
            frame = self._read(size)
        except TimeoutError as error:
            raise NoAnswerError("no answer in time") from error
        except ssl.SSLError as error:
            raise tls_trouble(error, self.host, self.port) from error
        except OSError as error:
            raise NoAnswerError("the server closed the connection", received) from error
        if frame[:4] != struct.pack(">i", number):
            raise NoAnswerError("the answer is not Kafka's", received + frame[:64])
        try:
            return response_class.decode(frame, version=version, header=True)
        except (KafkaError, ValueError, struct.error, IndexError) as error:
            raise NoAnswerError(f"the answer can't be read: {error}", received + frame[:64]) from error

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            chunk = self._socket.recv(size - len(content))
            if not chunk:
                raise NoAnswerError("the server closed the connection", content)
            content += chunk
        return content


_DEFAULTS_OF_SASL = {"sasl_kerberos_name": None, "sasl_kerberos_service_name": "kafka", "sasl_kerberos_domain_name": None}


def tls_context(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the TLS context that kafka-python makes of a client's settings."""
    given = {name: value for name, value in settings.items() if name in KafkaSSLTransport.DEFAULT_CONFIG}
    context: ssl.SSLContext = KafkaSSLTransport._build_ssl_context({**KafkaSSLTransport.DEFAULT_CONFIG, **given})
    return context


def trusting_context() -> ssl.SSLContext:
    """Return a TLS context that verifies nothing, only to find out what a listener speaks. No secret is sent through it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
