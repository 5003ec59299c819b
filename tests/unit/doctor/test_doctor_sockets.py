"""The way to a server: each step that fails is named, on sockets of this machine."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.doctor.broker.listener import Visit
from kafka2parquet.doctor.check import Finding, Level
from kafka2parquet.doctor.sockets import TroubleError, connect, split_address
from kafka2parquet.testing import EmbeddedBroker
from tests.stack.certificates import Authority
from tests.stack.server import HOST, free_port

DAY = datetime.timedelta(days=1)
Handle = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@contextlib.contextmanager
def listening(handle: Handle) -> Iterator[str]:
    """Serves connections with a function, one after the other, and yields the address."""
    with socket.create_server((HOST, 0)) as server:
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"{HOST}:{server.getsockname()[1]}"
        stopped.set()
        with contextlib.suppress(OSError), socket.create_connection(server.getsockname()[:2]):
            pass
        thread.join(10)


def speaking_tls(certificate: Path, *, clients: Path | None = None, most: ssl.TLSVersion | None = None) -> Handle:
    """Returns a function that does the TLS handshake, and then reads until the client leaves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    if most is not None:
        context.maximum_version = most

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            while secure.recv(1024):
                pass

    return handle


def last_finding(server: str, **settings: Any) -> Finding:
    visit = Visit(server, settings, step_s=0.5)
    if visit.connection is not None:
        visit.connection.close()
    return visit.findings[-1]


def cause(server: str, **settings: Any) -> tuple[str, str]:
    finding = last_finding(server, **settings)
    return finding.check.id, finding.cause


def trusting(authority: Authority, **settings: Any) -> dict[str, Any]:
    return {"security_protocol": "SSL", "ssl_cafile": str(authority.pem), **settings}


@pytest.mark.parametrize("server", ["broker", "broker:", ":9092", "broker:http", "broker:0", "broker:70000"])
def test_an_address_without_host_or_port(server: str) -> None:
    """A server that is not host:port is refused before anything is looked up."""
    assert ("kafka-tcp", "bad-address") == cause(server)


@pytest.mark.parametrize(
    ("server", "parts"), [("a:1", ("a", 1)), ("[::1]:9092", ("::1", 9092)), ("PLAINTEXT://broker:9092", ("broker", 9092))]
)
def test_addresses_that_clients_understand(server: str, parts: tuple[str, int]) -> None:
    """Addresses of IPv6 are in brackets, and a protocol before the address is allowed, as in Kafka's clients."""
    assert parts == split_address(server)


def test_an_unknown_host() -> None:
    """A host that has no address is named."""
    finding = last_finding("no-such-host.invalid:9092")
    assert ("kafka-tcp", "dns", Level.FAILED) == (finding.check.id, finding.cause, finding.level)
    assert "no-such-host.invalid" in finding.text
    assert "getent hosts no-such-host.invalid" in finding.paste


def test_a_port_on_which_nothing_listens() -> None:
    """A refused connection is not confused with a server that doesn't answer."""
    assert ("kafka-tcp", "refused") == cause(f"{HOST}:{free_port()}")


def test_a_server_that_never_answers() -> None:
    """A full queue of connections looks like a firewall that drops packets."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        port = server.getsockname()[1]
        for _ in range(4):  # Linux accepts one more than the backlog
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((HOST, port))
        with pytest.raises(TroubleError) as raised:
            connect(HOST, port, 0.2)
    assert "timeout" == raised.value.cause


def test_a_certificate_of_an_unknown_authority(authority: Authority, tmp_path: Path) -> None:
    """The cure says how to see who signed the certificate, and where to name the authority."""
    other = Authority(tmp_path, "other")
    with listening(speaking_tls(other.issue("server"))) as server:
        finding = last_finding(server, **trusting(authority))
    assert ("kafka-tls", "unknown-ca") == (finding.check.id, finding.cause)
    assert "ssl.truststore.location" in finding.paste


def test_no_authority_at_all(authority: Authority) -> None:
    """Without a trust store the system's authorities count, which don't know a private one."""
    with listening(speaking_tls(authority.issue("server"))) as server:
        assert ("kafka-tls", "unknown-ca") == cause(server, security_protocol="SSL")


def test_a_certificate_for_another_host(authority: Authority) -> None:
    """A certificate for another address is refused."""
    with listening(speaking_tls(authority.issue("server", host="127.0.0.9"))) as server:
        assert ("kafka-tls", "host-name") == cause(server, **trusting(authority))


def test_the_host_is_not_compared_if_the_settings_say_so(authority: Authority) -> None:
    """With an empty `ssl.endpoint.identification.algorithm` the certificate may be for any host, and only Kafka is missing."""
    with listening(speaking_tls(authority.issue("server", host="127.0.0.9"))) as server:
        assert "kafka-protocol" == last_finding(server, **trusting(authority, ssl_check_hostname=False)).check.id


@pytest.mark.parametrize(("begins_in", "expected"), [(-10 * DAY, "expired"), (DAY, "not-yet-valid")])
def test_a_certificate_at_another_time(authority: Authority, begins_in: datetime.timedelta, expected: str) -> None:
    """A certificate that is over is not confused with one that is not valid yet."""
    with listening(speaking_tls(authority.issue("server", begins_in=begins_in))) as server:
        assert ("kafka-tls", expected) == cause(server, **trusting(authority))


def test_a_client_certificate_that_is_missing(authority: Authority) -> None:
    """The cause is named, although TLS 1.3 reports it only after the handshake."""
    with listening(speaking_tls(authority.issue("server"), clients=authority.pem)) as server:
        assert ("kafka-tls", "client-certificate") == cause(server, **trusting(authority))


def test_a_client_certificate_that_is_missing_in_an_older_tls(authority: Authority) -> None:
    """With OpenSSL, TLS 1.2 reports it like any other failed handshake, so the cure mentions the certificate."""
    handle = speaking_tls(authority.issue("server"), clients=authority.pem, most=ssl.TLSVersion.TLSv1_2)
    with listening(handle) as server:
        finding = last_finding(server, **trusting(authority))
    assert ("kafka-tls", "tls-refused") == (finding.check.id, finding.cause)
    assert "client certificate" in finding.cure


def test_a_client_certificate_that_the_server_does_not_trust(authority: Authority, tmp_path: Path) -> None:
    """A certificate of another authority is refused like a missing one."""
    own = Authority(tmp_path, "other").issue("client")
    with listening(speaking_tls(authority.issue("server"), clients=authority.pem)) as server:
        assert ("kafka-tls", "client-certificate") == cause(server, **trusting(authority, ssl_certfile=str(own)))


@pytest.mark.parametrize("setting", ["ssl_cafile", "ssl_certfile"])
def test_a_file_that_is_missing(authority: Authority, tmp_path: Path, setting: str) -> None:
    """A file that can't be read is named before TLS begins."""
    with listening(speaking_tls(authority.issue("server"))) as server:
        finding = last_finding(server, **{**trusting(authority), setting: str(tmp_path / "none.pem")})
    assert ("kafka-tls", "bad-file") == (finding.check.id, finding.cause)
    assert "none.pem" in finding.text


def test_a_broker_without_tls(authority: Authority) -> None:
    """TLS to a plaintext listener of Kafka names the protocol to set."""
    with EmbeddedBroker() as broker:
        finding = last_finding(broker.bootstrap, **trusting(authority))
    assert ("kafka-tls", "wrong-protocol") == (finding.check.id, finding.cause)
    assert "security.protocol=PLAINTEXT" in finding.paste


class Quiet(http.server.BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        return


def test_a_web_server(authority: Authority) -> None:
    """A server that answers in HTTP is not a broker, with and without TLS."""
    server = http.server.ThreadingHTTPServer((HOST, 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        finding = last_finding(f"{HOST}:{server.server_address[1]}")
        assert ("kafka-protocol", "not-kafka") == (finding.check.id, finding.cause)
        assert "web server" in finding.text
        assert ("kafka-tls", "tls-refused") == cause(f"{HOST}:{server.server_address[1]}", **trusting(authority))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_broker_that_is_fine() -> None:
    """Each step that works has a finding, and the connection is open at the end."""
    with EmbeddedBroker() as broker:
        visit = Visit(broker.bootstrap, {})
        assert visit.connection is not None
        visit.connection.close()
    assert [("kafka-tcp", Level.OK), ("kafka-protocol", Level.OK), ("kafka-login", Level.OK)] == [
        (finding.check.id, finding.level) for finding in visit.findings
    ]
