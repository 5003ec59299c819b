from typing import Any

import pytest

from kafka2parquet.connect.clients.producer import admin_settings, producer_settings
from kafka2parquet.errors import ConfigurationError


def test_producer_settings_become_kafka_pythons() -> None:
    """Names get underscores, numbers become numbers, and `none` means no codec."""
    settings = producer_settings({"bootstrap.servers": "a:1, b:2", "linger.ms": "5", "compression.type": "none"})
    assert (("a:1", "b:2"), {"linger_ms": 5}) == (settings.bootstrap_servers, settings.client_settings)


def test_codec() -> None:
    """Kafka's codecs have the same names in kafka-python."""
    assert {"compression_type": "zstd"} == producer_settings({"compression.type": "zstd"}).client_settings


@pytest.mark.parametrize("translate", [producer_settings, admin_settings])
def test_security_is_that_of_all_clients(translate: Any) -> None:
    """User and password come from sasl.jaas.config, and certificates from PEM files."""
    settings = translate(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": 'x.Y required username="u" password="hunter2";',
            "ssl.truststore.location": "/ca.pem",
        }
    )
    assert {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "hunter2",
        "ssl_cafile": "/ca.pem",
    } == settings.client_settings
    assert "hunter2" not in repr(settings)


def test_what_keeps_letters_safe_can_not_be_changed() -> None:
    """Such a setting has no effect, and a note gives the reason."""
    assert ("Producer setting acks has no effect: a dead letter has arrived when all in-sync replicas have it.",) == (
        tuple(map(str, producer_settings({"acks": "0"}).notes))
    )


def test_all_problems_at_once() -> None:
    """Every setting is checked, whatever the problems of the others."""
    with pytest.raises(ConfigurationError) as caught:
        producer_settings({"linger.ms": "x", "compression.type": "rar", "max.request.sizes": "1", "transactional.id": "t"})
    assert {
        "Invalid value x for configuration linger.ms: Not a number of type LONG.",
        "Invalid value rar for configuration compression.type: String must be one of: none, gzip, snappy, lz4, zstd.",
        "Producer setting max.request.sizes is not known. Did you mean max.request.size?",
        "Producer setting transactional.id is not supported. Dead letters are sent at least once: remove it.",
    } == set(caught.value.problems)


def test_admin_setting_that_is_not_known() -> None:
    """The note names the client."""
    assert ("Admin setting linger.ms is not known and has no effect.",) == tuple(
        map(str, admin_settings({"linger.ms": "1"}).notes)
    )
