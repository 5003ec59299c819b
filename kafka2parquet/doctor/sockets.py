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


def tcp_causes(property_name: str, example: str, *, host: str | None = None) -> tuple[Cause, ...]:
    """Return the causes for which a server can't be reached.

    Args:
        property_name: the property that names the server.
        example: host and port of a server, for the documentation.
        host: where the server's host comes from; None for the property.
    """
    name, port = split_address(example)
    place = {"server": example, "host": name, "port": str(port)}
    return (
        Cause(
            "dns",
            {**place, "reason": "Name or service not known"},
            "The name {host} can't be looked up ({reason}).",
            f"Correct the host in {host or property_name}, or the name service of this machine.",
            paste="getent hosts {host}",
        ),
        Cause(
            "refused",
            place,
            "Nothing listens at {server}: the connection was refused.",
            f"Correct the port in {property_name}, or start the server. To see whether the port is open:",
            paste="nc -vz {host} {port}",
        ),
        Cause(
            "timeout",
            {**place, "seconds": "5"},
            "{server} didn't answer within {seconds} s. A firewall or a security group that drops packets looks like that.",
            "Let this machine connect to {host}, port {port}. To try it:",
            paste="nc -vz -w 5 {host} {port}",
        ),
        Cause(
            "unreachable",
            {**place, "reason": "No route to host"},
            "{server} can't be reached ({reason}).",
            "Check networks, routes and VPN of this machine. To see the host's address, and the way to an address:",
            paste="getent ahosts {host}\nip route get <address>",
        ),
    )


def tls_causes(trust: str, trust_paste: str, example: str) -> tuple[Cause, ...]:
    """Return the causes for which TLS fails.

    Args:
        trust: how to name the authority that signed the server's certificate, as a sentence.
        trust_paste: the properties for that.
        example: host and port of a server, for the documentation.
    """
    host, port = split_address(example)
    connect_to = "openssl s_client -connect {host}:{port} -servername {host} </dev/null"

    def fields(reason: str) -> dict[str, str]:
        return {"server": example, "host": host, "port": str(port), "reason": reason}

    return (
        Cause(
            "unknown-ca",
            fields("unable to get local issuer certificate"),
            "The certificate of {server} comes from an authority that is not trusted here ({reason}).",
            f"{trust} The last command shows who signed the certificate.",
            paste=f"{trust_paste}\n{connect_to} | openssl x509 -noout -issuer",
        ),
        Cause(
            "host-name",
            fields("IP address mismatch, certificate is not valid for '10.0.0.7'"),
            "The certificate of {server} is for other names ({reason}).",
            "Connect by a name that is in the certificate, or have a certificate issued with this name. To see its names:",
            paste=f"{connect_to} | openssl x509 -noout -ext subjectAltName",
        ),
        Cause(
            "expired",
            fields("certificate has expired"),
            "The certificate of {server} has expired, or this machine's clock is fast.",
            "Renew the certificate on the server, or set the clock. To see both:",
            paste=f"{connect_to} | openssl x509 -noout -dates\ndate -u",
        ),
        Cause(
            "not-yet-valid",
            fields("certificate is not yet valid"),
            "The certificate of {server} is not valid yet, or this machine's clock is slow.",
            "Have a certificate issued that is valid now, or set the clock. To see both:",
            paste=f"{connect_to} | openssl x509 -noout -dates\ndate -u",
        ),
        Cause(
            "tls-refused",
            fields("the server closed the connection during the handshake"),
            "The TLS handshake with {server} failed ({reason}).",
            "Compare the TLS versions and ciphers of both sides. A server that wants a client certificate, or doesn't speak TLS"
            " at all, may end the handshake like this, too.",
            paste=connect_to,
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
        raise TroubleError("dns", server=server, host=host, port=port, reason=_said(error)) from error
    trouble: TroubleError | None = None
    for family, kind, protocol, _, address in addresses:
        connection: socket.socket | None = None
        try:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(timeout_s)
            connection.connect(address)
            return connection
        except OSError as error:
            if connection is not None:
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
