"""BootstrapLog: why no broker let us in. kafka-python raises a bare timeout, and logs the reason."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from kafka.errors import KafkaTimeoutError

from kafka2parquet.errors import KafkaAuthenticationError

_AUTHENTICATION = re.compile(r"AuthenticationFailed|Invalid username or password|UnsupportedSaslMechanism")
_TLS = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|SSLError|certificate|SSL handshake|No such file or directory",
    re.IGNORECASE,
)


class BootstrapLog(logging.Handler):
    """Remembers what kafka-python logs while it connects: `with BootstrapLog("broker:9092"): KafkaProducer(...)`.

    A timeout that leaves the block is raised as KafkaAuthenticationError where that is what has happened.
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
        """Called by the logger."""
        self._lines.append(record.getMessage())

    @property
    def reason(self) -> str:
        """The line that tells most; "" where nothing was logged."""
        for pattern in (_AUTHENTICATION, _TLS):
            telling = [line for line in self._lines if pattern.search(line)]
            if telling:
                return telling[-1]
        return self._lines[-1] if self._lines else ""

    def refusal(self) -> KafkaAuthenticationError | None:
        """The error to raise where we were not let in; None where nobody answered."""
        reason = self.reason
        if not _AUTHENTICATION.search(reason) and not _TLS.search(reason):
            return None
        return KafkaAuthenticationError(
            f"Kafka at {self.servers} did not let us in: {reason}. Check security.protocol, the user name and password, and"
            " the certificates."
        )
