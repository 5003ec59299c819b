"""Creates the kafka-python consumer with the settings that delivery needs, and explains why it can't connect."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kafka.errors
from kafka import KafkaConsumer

from kafka2parquet.consumers.kafka_python.connection.assignors import group_settings
from kafka2parquet.consumers.kafka_python.connection.bootstrap_log import BootstrapLog, check_certificates
from kafka2parquet.consumers.kafka_python.connection.errors import translate
from kafka2parquet.consumers.kafka_python.connection.group_join_fix import repair_join
from kafka2parquet.consumers.kafka_python.connection.polling import poll_columns
from kafka2parquet.errors import Kafka2ParquetError, KafkaUnavailableError

_BOOTSTRAP_ATTEMPT_MS = 5000

#: Defaults that users may override. Waiting until data has gathered costs a sink nothing and saves most of its CPU time.
DEFAULTS: Mapping[str, Any] = {
    "fetch_min_bytes": 256 << 10,
    "fetch_max_wait_ms": 500,
    "metadata_max_age_ms": 60_000,
    "allow_auto_create_topics": False,
    "client_id": "kafka2parquet",
}

#: Settings on which delivery depends; users can't override them.
FIXED: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "check_crcs": True,
    "key_deserializer": None,
    "value_deserializer": None,
}


def connect(
    bootstrap_servers: str | Sequence[str],
    group_id: str,
    settings: Mapping[str, Any],
    timeout_s: float,
    stopping: Callable[[], bool],
) -> KafkaConsumer | None:
    """Return a consumer that has reached a broker and is not yet subscribed; None if `stopping` became true before.

    Blocks for at most about `timeout_s` seconds.

    Raises:
        KafkaAuthenticationError: Kafka or TLS refused the connection.
        KafkaUnavailableError: no broker answered in time.
        ConfigurationError: kafka-python doesn't know or doesn't support a setting.
    """
    configuration = {
        **DEFAULTS,
        **group_settings(settings),
        **FIXED,
        "bootstrap_servers": bootstrap_servers,
        "bootstrap_timeout_ms": max(1, min(_BOOTSTRAP_ATTEMPT_MS, round(timeout_s * 1000))),
        "group_id": group_id,
    }
    check_certificates(configuration)
    deadline = time.monotonic() + timeout_s
    with BootstrapLog(bootstrap_servers) as log:
        while not stopping():
            try:
                consumer = KafkaConsumer(**configuration)
                break
            except kafka.errors.KafkaTimeoutError as error:
                if (refusal := log.refusal()) is not None:
                    raise refusal from error
                if time.monotonic() >= deadline:
                    raise KafkaUnavailableError(
                        f"No Kafka broker answered at {log.servers} within {timeout_s:.0f} s"
                        f"{': ' + log.reason if log.reason else ''}. Check bootstrap.servers, and that the security protocol"
                        f" matches the listener.{_sasl_advice(configuration)}"
                    ) from error
            except (kafka.errors.KafkaError, OSError, ValueError, AssertionError) as error:
                raise (translate(error, "connecting") or _unavailable(error, log.servers)) from error
        else:
            return None
    repair_join(consumer)
    poll_columns(consumer)
    return consumer


def _unavailable(error: Exception, servers: str) -> Kafka2ParquetError:
    return KafkaUnavailableError(f"Kafka at {servers} can't be reached: {error}.")


def _sasl_advice(settings: Mapping[str, Any]) -> str:
    """Return advice about credentials if SASL is used.

    Can go once kafka-python reports a refusal that the broker sends just before it closes the connection. It drops the answer.
    """
    if not str(settings.get("security_protocol")).startswith("SASL"):
        return ""
    return " Check the user name and password, or the token, too: a broker's refusal may look like a lost connection."
