"""BootstrapLog: finds out why no broker accepted the connection.

Can go once kafka-python raises the reason: it only raises a timeout, and logs why each attempt failed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka.errors import KafkaTimeoutError

from kafka2parquet.errors import KafkaAuthenticationError
from kafka2parquet.util.pem_files import load_authorities, load_certificates

_AUTHENTICATION = re.compile(r"AuthenticationFailed|Invalid username or password|UnsupportedSaslMechanism")
_TLS = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|SSLError|certificate|SSL handshake|No such file or directory",
    re.IGNORECASE,
)
#: kafka-python's log line for one failed attempt, with the reason.
_ATTEMPT = re.compile(r"Bootstrap (?:connection|attempt) to \S+ failed: (?P<reason>.*) \(backoff [\d.]+ secs\)", re.DOTALL)


class BootstrapLog(logging.Handler):
    """Collects kafka-python's log lines while a client connects: `with BootstrapLog("broker:9092"): KafkaProducer(...)`.

    If a timeout leaves the block and the log shows that Kafka refused the credentials, the timeout becomes a
    KafkaAuthenticationError.
    """

    def __init__(self, bootstrap_servers: str | Sequence[str]) -> None:
        super().__init__(logging.WARNING)
        self.servers = bootstrap_servers if isinstance(bootstrap_servers, str) else ",".join(bootstrap_servers)
        self._lines: list[str] = []

    def __enter__(self) -> BootstrapLog:
        logging.getLogger("kafka").addHandler(self)
        return self

    def __exit__(self, error_type: object, error: BaseException | None, *_: object) -> None:
        logging.getLogger("kafka").removeHandler(self)
        if isinstance(error, KafkaTimeoutError) and (refusal := self.refusal()) is not None:
            raise refusal from error

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log line. The logger calls this method."""
        self._lines.append(record.getMessage())

    @property
    def reason(self) -> str:
        """The most informative reason of all failed attempts; "" if nothing was logged."""
        reasons = [found["reason"] for line in self._lines if (found := _ATTEMPT.fullmatch(line))]
        for pattern in (_AUTHENTICATION, _TLS):
            telling = [reason for reason in reasons if pattern.search(reason)]
            if telling:
                return telling[-1]
        return reasons[-1] if reasons else ""

    def refusal(self) -> KafkaAuthenticationError | None:
        """Return the error to raise if Kafka or TLS refused the connection; None if no broker answered."""
        reason = self.reason
        if not _AUTHENTICATION.search(reason) and not _TLS.search(reason):
            return None
        return KafkaAuthenticationError(
            f"Kafka at {self.servers} refused the connection: {reason}. Check security.protocol, the user name and password,"
            " and the certificates."
        )


def check_certificates(settings: Mapping[str, Any]) -> None:
    """Load the key and certificate files once, to find bad files early.

    Can go once kafka-python reports a bad file: it treats a bad file like a broker that is down.

    Args:
        settings: settings of a kafka-python client.

    Raises:
        KafkaAuthenticationError: a file can't be read or decrypted, or has the wrong content.
    """
    if not str(settings.get("security_protocol")).endswith("SSL") or settings.get("ssl_context") is not None:
        return
    loads: dict[str, Callable[[str], None]] = {
        "ssl_cafile": load_authorities,
        "ssl_crlfile": load_authorities,
        "ssl_certfile": lambda file: load_certificates(file, settings.get("ssl_keyfile"), settings.get("ssl_password")),
    }
    for name, load in loads.items():
        file = settings.get(name)
        if not file:
            continue
        try:
            load(file)
        except (OSError, ValueError) as error:
            raise KafkaAuthenticationError(
                f"{name}={file} can't be loaded: {error}. Check that the file is in PEM format and readable, and that the"
                " password belongs to the private key beside the certificates."
            ) from error
