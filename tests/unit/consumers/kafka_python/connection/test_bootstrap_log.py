"""Why no broker lets us in: certificates that can't be loaded, and what kafka-python logs."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.consumers.kafka_python.connection.bootstrap_log import BootstrapLog, check_certificates
from kafka2parquet.errors import KafkaAuthenticationError
from tests.stack.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_good_files(authority: Authority, protocol: str) -> None:
    """Valid files pass the check, including encrypted keys with their password."""
    pem, encrypted = str(authority.issue("me")), str(authority.issue("me", password="secret"))
    settings = {"security_protocol": protocol, "ssl_cafile": str(authority.pem)}
    check_certificates({**settings, "ssl_certfile": pem})
    check_certificates({**settings, "ssl_certfile": encrypted, "ssl_password": "secret"})


def test_files_that_are_not_used(tmp_path: Path) -> None:
    """Files that the security protocol doesn't use are not checked."""
    missing = str(tmp_path / "none.pem")
    check_certificates({"ssl_cafile": missing})
    check_certificates({"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": missing})
    check_certificates(
        {"security_protocol": "SSL", "ssl_cafile": missing, "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
    )


def test_files_that_can_not_be_loaded(authority: Authority, tmp_path: Path) -> None:
    """The error names the setting and the file at once, and OpenSSL doesn't prompt for a password."""
    encrypted, garbage = str(authority.issue("me", password="secret")), tmp_path / "garbage.pem"
    garbage.write_text("not PEM")
    cases: list[dict[str, Any]] = [
        {"ssl_cafile": str(tmp_path / "none.pem")},
        {"ssl_cafile": str(tmp_path)},
        {"ssl_cafile": str(garbage)},
        {"ssl_certfile": str(garbage)},
        {"ssl_certfile": str(authority.pem)},
        {"ssl_certfile": encrypted},
        {"ssl_certfile": encrypted, "ssl_password": "wrong"},
        {"ssl_certfile": encrypted, "ssl_password": "long" * 1000},
    ]
    for case in cases:
        name, file = next(iter(case.items()))
        with pytest.raises(KafkaAuthenticationError, match=f"^{name}={file} can't be loaded: "):
            check_certificates({"security_protocol": "SSL", **case})


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], ""),
        (["Bootstrap failed: KafkaTimeoutError: Unable to bootstrap from a:1"], ""),
        (
            [
                "Bootstrap connection to bootstrap-0 failed: KafkaConnectionError: socket disconnected (backoff 0.04 secs)",
                "Bootstrap bootstrap-0 not ready; waiting 0.04 secs",
                "Bootstrap failed: KafkaTimeoutError: Unable to bootstrap from a:1",
            ],
            "KafkaConnectionError: socket disconnected",
        ),
        (
            [
                "Bootstrap connection to bootstrap-0 failed: SaslAuthenticationFailedError: no (backoff 0.04 secs)",
                "Bootstrap attempt to bootstrap-0 failed: KafkaConnectionError: socket disconnected (backoff 0.04 secs)",
            ],
            "SaslAuthenticationFailedError: no",
        ),
    ],
)
def test_the_reason_that_says_most(lines: list[str], reason: str) -> None:
    """The reason of a single attempt wins over a summary, and a refusal wins over what follows it."""
    with BootstrapLog("a:1") as log:
        for line in lines:
            logging.getLogger("kafka.net.manager").warning(line)
    assert reason == log.reason
