"""Opens connections step by step, so that each failure has its own name: look-up of the host, TCP, TLS."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from kafka2parquet.doctor.check import Cause

#: Time limit for each step of a connection, in seconds.
STEP_S = 5.0

_NOT_REACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)
_SERVER = {"server": "broker-1.example:9092"}
_REASON = {"reason": "the system's own words"}


class TroubleError(Exception):
    """A step of a connection failed.

    Attributes:
        cause: id of one of `TCP_CAUSES`, `TLS_CAUSES` or of the causes of the check that is running.
        values: values of the cause's fields.
    """

    def __init__(self, cause: str, **values: object) -> None:
        self.cause = cause
        self.values: Mapping[str, Any] = values
        super().__init__(f"{cause}: {values}")


def tcp_causes(property_name: str) -> tuple[Cause, ...]:
    """Return the causes for which a server can't be reached, for a server that a property names."""
    return (
        Cause(
            "bad-address",
            _SERVER,
            "{server} is not host:port.",
            f"Write each server in {property_name} as host:port, such as broker-1.example:9092.",
        ),
        Cause(
            "dns",
            {**_SERVER, "host": "broker-1.example", **_REASON},
            "The name {host} can't be looked up ({reason}).",
            f"Correct the host in {property_name}, or the name service of this machine: getent hosts {{host}}",
        ),
        Cause(
            "refused",
            {**_SERVER, "host": "broker-1.example", "port": "9092"},
            "Nothing listens at {server}: the connection was refused.",
            f"Correct the port in {property_name}, or start the server. To see whether the port is open: nc -vz {{host}}"
            f" {{port}}",
        ),
        Cause(
            "timeout",
            {**_SERVER, "host": "broker-1.example", "port": "9092", "seconds": "5"},
            "{server} didn't answer within {seconds} s. A firewall or a security group that drops packets looks like that.",
            "Let this machine connect to {host}, port {port}. To try: nc -vz -w 5 {host} {port}",
        ),
        Cause(
            "unreachable",
            {**_SERVER, "host": "broker-1.example", **_REASON},
            "There is no route to {server} ({reason}).",
            "Check networks, routes and VPN of this machine: getent hosts {host} shows the address, ip route get <address> the route.",
            " $1}}}}')",
        ),
    )


def tls_causes(trust: str, system_trust: str = "") -> tuple[Cause, ...]:
    """Return the causes for which TLS fails.

    Args:
        trust: how to name the authority that signed the server's certificate.
        system_trust: how the host name's check is switched off, if it can be.
    """
    fields = {**_SERVER, "host": "broker-1.example", "port": "9092", **_REASON}
    return (
        Cause(
            "unknown-ca",
            fields,
            "The certificate of {server} comes from an authority that is not trusted here ({reason}).",
            f"{trust} To see who signed it: openssl s_client -connect {{host}}:{{port}} -servername {{host}} -showcerts"
            f" </dev/null",
        ),
        Cause(
            "host-name",
            fields,
            "The certificate of {server} is for other names ({reason}).",
            "Connect by a name that is in the certificate, or have a certificate issued with this name. To see its names:"
            " openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -ext subjectAltName" + system_trust,
        ),
        Cause(
            "expired",
            fields,
            "The certificate of {server} has expired ({reason}).",
            "Renew it on the server. If it is still valid, this machine's clock is wrong: date -u. To see its dates:"
            " openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -dates",
        ),
        Cause(
            "not-yet-valid",
            fields,
            "The certificate of {server} is not valid yet ({reason}).",
            "Set this machine's clock, if it is slow: date -u. Otherwise the certificate was issued for a later time.",
        ),
        Cause(
            "tls-refused",
            fields,
            "TLS with {server} failed ({reason}).",
            "Compare the TLS versions and ciphers of both sides: openssl s_client -connect {host}:{port} </dev/null. A server"
            " that wants a client certificate may refuse the handshake like this, too.",
        ),
    )


def split_address(server: str) -> tuple[str, int]:
    """Return host and port of a server; the brackets of an IPv6 address are removed.

    Raises:
        TroubleError: the text is not host:port.
    """
    host, colon, port = server.rpartition("://")[2].rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise TroubleError("bad-address", server=server)
    return host.removeprefix("[").removesuffix("]"), int(port)


def connect(host: str, port: int, timeout_s: float = STEP_S) -> socket.socket:
    """Look a host up and connect to it, with a time limit that stays on the socket. Tries all addresses of the host.

    Raises:
        TroubleError: one of the causes of `tcp_causes`.
    """
    server = f"{host}:{port}"
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise TroubleError("dns", server=server, host=host, reason=_said(error)) from error
    trouble: TroubleError | None = None
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            trouble = _tcp_trouble(error, host, port, timeout_s)
    assert trouble is not None  # a host has at least one address
    raise trouble


def _tcp_trouble(error: OSError, host: str, port: int, timeout_s: float) -> TroubleError:
    values = {"server": f"{host}:{port}", "host": host, "port": port}
    if isinstance(error, ConnectionRefusedError):
        return TroubleError("refused", **values)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return TroubleError("timeout", **values, seconds=f"{timeout_s:g}")
    if error.errno in _NOT_REACHABLE:
        return TroubleError("unreachable", **values, reason=_said(error))
    return TroubleError("unreachable", **values, reason=_said(error))


def start_tls(connection: socket.socket, host: str, port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Do the TLS handshake. Closes the connection if that fails.

    Raises:
        TroubleError: one of the causes of `tls_causes`; `tls-refused` also if the other side doesn't speak TLS.
    """
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except (OSError, ValueError) as error:
        connection.close()
        raise tls_trouble(error, host, port) from error


#: OpenSSL's numbers of failed verifications (X509_V_ERR_…).
_VERIFY_CAUSES = {9: "not-yet-valid", 10: "expired", 62: "host-name", 64: "host-name"}


def tls_trouble(error: Exception, host: str, port: int) -> TroubleError:
    """Name the cause of an error of Python's ssl module, or of the socket below it."""
    cause, reason = "tls-refused", _said(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        cause, reason = _VERIFY_CAUSES.get(error.verify_code, "unknown-ca"), error.verify_message.rstrip(".")
    elif isinstance(error, TimeoutError):
        reason = "no answer to the handshake"
    elif isinstance(error, ConnectionError | ssl.SSLEOFError):
        reason = "the server closed the connection during the handshake"
    return TroubleError(cause, server=f"{host}:{port}", host=host, port=port, reason=reason)


def _said(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
