"""Makes the kafka-python consumer, with the settings that the design needs and an error that says why it can't connect."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kafka.errors
from kafka import KafkaConsumer

from kafka2parquet.consumers.join import mend_join
from kafka2parquet.consumers.kafka_errors import translate
from kafka2parquet.consumers.record_batches import ColumnarPartitionRecords
from kafka2parquet.errors import Kafka2ParquetError, KafkaAuthenticationError, KafkaUnavailableError

_BOOTSTRAP_ATTEMPT_MS = 5000

#: Waiting for data to gather costs a sink nothing and saves most of its CPU. The user may set these otherwise.
DEFAULTS: Mapping[str, Any] = {
    "fetch_min_bytes": 256 << 10,
    "fetch_max_wait_ms": 500,
    "metadata_max_age_ms": 60_000,
    "allow_auto_create_topics": False,
    "client_id": "kafka2parquet",
}

#: These are part of how delivery works.
FIXED: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "check_crcs": True,
    "key_deserializer": None,
    "value_deserializer": None,
    "max_poll_records": 1 << 30,  # counts fetched chunks
    "bootstrap_timeout_ms": _BOOTSTRAP_ATTEMPT_MS,
}

_AUTHENTICATION = re.compile(r"AuthenticationFailed|Invalid username or password|UnsupportedSaslMechanism")
_TLS = re.compile(r"CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|SSLError|certificate|SSL handshake", re.IGNORECASE)


class _LastErrors(logging.Handler):
    """Remembers what kafka-python logs while it connects: it raises a bare timeout."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.lines.append(record.getMessage())


def connect(
    bootstrap_servers: str | Sequence[str],
    group_id: str,
    settings: Mapping[str, Any],
    timeout_s: float,
    stopping: Callable[[], bool],
) -> KafkaConsumer | None:
    """A consumer that has reached some broker and is not yet subscribed; None if `stopping` became true before.

    Blocks for at most about `timeout_s` seconds.

    Raises:
        KafkaAuthenticationError: Kafka, or TLS, did not accept us.
        KafkaUnavailableError: no broker has answered in time.
        ConfigurationError: kafka-python doesn't know some setting.
    """
    configuration = {**DEFAULTS, **settings, **FIXED, "bootstrap_servers": bootstrap_servers, "group_id": group_id}
    deadline = time.monotonic() + timeout_s
    seen = _LastErrors()
    logger = logging.getLogger("kafka")
    logger.addHandler(seen)
    try:
        while not stopping():
            try:
                consumer = KafkaConsumer(**configuration)
                break
            except kafka.errors.KafkaTimeoutError as error:
                reason = _reason(seen.lines)
                if _AUTHENTICATION.search(reason) or _TLS.search(reason):
                    raise KafkaAuthenticationError(
                        f"Kafka at {_names(bootstrap_servers)} did not let us in: {reason}. Check security.protocol, the"
                        " user name and password, and the certificates."
                    ) from error
                if time.monotonic() >= deadline:
                    raise KafkaUnavailableError(
                        f"No Kafka broker has answered at {_names(bootstrap_servers)} within {timeout_s:.0f} s"
                        f"{': ' + reason if reason else ''}. Check bootstrap.servers, and that the security protocol is the"
                        " listener's."
                    ) from error
            except (kafka.errors.KafkaError, OSError, ValueError, AssertionError) as error:
                raise (translate(error, "connecting") or _unavailable(error, bootstrap_servers)) from error
        else:
            return None
    finally:
        logger.removeHandler(seen)
    mend_join(consumer)
    consumer._fetcher.PartitionRecords = ColumnarPartitionRecords
    return consumer


def _unavailable(error: Exception, bootstrap_servers: str | Sequence[str]) -> Kafka2ParquetError:
    return KafkaUnavailableError(f"Kafka at {_names(bootstrap_servers)} can't be reached: {error}.")


def _reason(lines: Sequence[str]) -> str:
    """The line that tells most."""
    for pattern in (_AUTHENTICATION, _TLS):
        telling = [line for line in lines if pattern.search(line)]
        if telling:
            return telling[-1]
    return lines[-1] if lines else ""


def _names(bootstrap_servers: str | Sequence[str]) -> str:
    return bootstrap_servers if isinstance(bootstrap_servers, str) else ",".join(bootstrap_servers)
