"""Credentials are hidden by their form, and secrets of a configuration wherever a text quotes them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kafka2parquet import errors, load_connect_config
from kafka2parquet.cli.execute import EXIT_CONFIGURATION, EXIT_OK
from kafka2parquet.cli.main import main
from kafka2parquet.cli.terminal import PrintableFormatter
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.records import Reject, Stage, TopicPartition
from kafka2parquet.storage.options import AssumedRole, S3Options
from kafka2parquet.util.secrets import HIDDEN, Secrets, is_secret_name, without_credentials
from tests.support.connect_story import STORY

PLANTED = "ZZsecretZZ"


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/key at http://u:%s@127.0.0.1:1: no answer",
        "http://u:p/%s@h:1",
        "http://u:p,%s@h:1",
        "http://u:p@%s@h:1",
        "http://a:8081,http://u:%s@b:8081,http://u:%s@c:8081",
        "socks5://u:%s@h:1",
        "https://%s@h/path",
        "no URL but u:%s@h:1",
        'PlainLoginModule required username="u" password="%s";',
        r'required username="u" password="a\"%s";',
        "x.Y required clientSecret='%s';",
        "password=%s",
        "?user=u&password=%s&x=1",
        '{"type": "service_account", "private_key": "%s"}',
        r"{\"private_key\": \"%s\"}",
        '{"private_key": "%s',
        "{'client_secret': '%s'}",
        "-----BEGIN PRIVATE KEY-----%s is a JKS file",
        "-----BEGIN RSA PRIVATE KEY-----\nabcdefghijklmnopqrstuvwxyz\n%s\n-----END RSA PRIVATE KEY----- is a file",
        "{'Authorization': 'Bearer %s'}",
        "Authorization: Basic %s",
        "Invalid header value b'Bearer abcdefghijklmnop%s'",
        "https://bucket/key?X-Amz-Signature=%s&X-Amz-Security-Token=%s",
    ],
)
def test_credentials_are_hidden_by_their_form(text: str) -> None:
    """Recognizable credentials are hidden, wherever the text comes from."""
    hidden = without_credentials(text.replace("%s", PLANTED))

    assert PLANTED not in hidden
    assert HIDDEN in hidden
    assert hidden == without_credentials(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "http://host:9000/bucket/user=a@b.com/x.parquet",
        "s3://bucket/topics/user=a@b.com/x.parquet",
        "arn:aws:iam::1:user/foo@bar.com is not authorized",
        "12:30 user@host",
        'Write it as x.PlainLoginModule required username="…" password="…";',
        "set basic.auth.user.info=<name>:<password>.",
        "aws.secret.access.key=${env:SECRET}",
        'Missing required configuration "aws.secret.access.key" which has no default value.',
        "Check the password: the broker refuses it.",
    ],
)
def test_other_texts_stay(text: str) -> None:
    """Ports, addresses, examples and names of properties hide nothing."""
    assert text == without_credentials(text)


def test_hostile_texts_take_no_time() -> None:
    """A record's text may be made so that a search goes over it again and again."""
    began = time.perf_counter()
    for text in ("a:" * 200_000 + " @", "a://" * 100_000 + "@", "password" * 50_000, "-----BEGIN PRIVATE KEY-----" * 20_000):
        without_credentials(text)
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("aws.secret.access.key", True),
        ("aws.secret.acces.key", True),
        ("aws.access.key.id", True),
        ("s3.credentials.provider.class", False),
        ("s3.credentials.provider.secret_access_key", True),
        ("s3.credentials.provider.sts.role.external.id", True),
        ("gcs.credentials.path", False),
        ("gcs.credentials.json", True),
        ("value.converter.basic.auth.credentials.source", False),
        ("value.converter.basic.auth.user.info", True),
        ("value.converter.request.header.Authorization", True),
        ("s3.sse.customer.key", True),
        ("s3.sse.kms.key.id", False),
        ("consumer.override.sasl.jaas.config", True),
        ("ssl.keystore.key", True),
        ("ssl.keystore.location", False),
        ("transforms.mask.hash.key", True),
        ("key.converter", False),
        ("partition.field.name", False),
    ],
)
def test_names_say_what_is_secret(name: str, secret: bool) -> None:
    """Known or unknown, spelled well or not."""
    assert secret == is_secret_name(name)


def test_secrets_are_hidden_where_they_are_quoted() -> None:
    """A secret is hidden as a whole, and in parts that other libraries quote."""
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="pass-word-1";'
    secrets = Secrets.of(
        {"sasl.jaas.config": jaas, "basic.auth.user.info": "me:info-1234", "a.token": "tok", "b.secret": "events"},
        {"my.setting": "of-my-own-class", "my.flag": "true"},
        {"topics": "events", "store.url": "http://u:a%2Fb%2Fc@host"},
    )

    assert f"x {HIDDEN} y" == secrets.hide("x pass-word-1 y")
    assert f"x {HIDDEN} y" == secrets.hide("x info-1234 y")
    assert f"x {HIDDEN} y" == secrets.hide("x of-my-own-class y")
    assert f"x {HIDDEN} y" == secrets.hide("x a/b/c y")
    plain = "tok true events PlainLoginModule required username host"
    assert plain == secrets.hide(plain)


def test_values_of_variables_are_shown_as_the_variables() -> None:
    """The value of a variable is replaced by the variable, so that a text shows where to look."""
    variables = Secrets.of_variables([("topics", "${env:T}", "one-topic, two"), ("flush.size", "${env:N}", "1000")])

    assert "topics=${env:T} after 1000 rows" == variables.hide("topics=one-topic after 1000 rows")


@pytest.mark.parametrize("repeated", [repr, str])
def test_reprs_hide(repeated: Callable[[object], str]) -> None:
    """The `repr` of options, configurations and secrets hides secrets."""
    url = f"http://u:{PLANTED}@h:1"
    options = S3Options(endpoint_url=url, proxy_url=url, secret_access_key=PLANTED)
    role = AssumedRole(arn="a", session_name="s", external_id=PLANTED, sts_url=url)
    worker = load_worker_config({"bootstrap.servers": f"u:{PLANTED}@h:1", "sasl.jaas.config": PLANTED}, endpoint_url=url)
    config = load_connect_config({**read_properties(STORY).values, "aws.secret.access.key": PLANTED, "aws.access.key.id": "A"})

    assert [] == [shown for shown in map(repeated, (options, role, worker, config, config.secrets)) if PLANTED in shown]


def test_errors_and_rejects_hide() -> None:
    """Errors and rejects hide secrets in their texts and in their `repr`."""
    text = f"HTTP error at http://u:{PLANTED}@h:1"
    found = [errors.StorageUnavailableError(text), errors.ConfigurationError([text, text])]
    reject = Reject(TopicPartition("t", 0), 1, Stage.TRANSFORM, text)

    assert [] == [error for error in found if PLANTED in f"{error} {error!r} {error.args}"]
    assert PLANTED not in reject.reason


def test_log_lines_hide() -> None:
    """Log lines and tracebacks hide secrets, also those of other libraries."""
    formatter = PrintableFormatter("%(message)s")
    formatter.secrets = Secrets({PLANTED: HIDDEN})
    try:
        raise ValueError(f"a {PLANTED}")
    except ValueError as error:
        record = logging.LogRecord("botocore", logging.ERROR, __file__, 1, "header %s", (PLANTED,), (ValueError, error, None))

    assert f"header {HIDDEN}\n    ValueError: a {HIDDEN}" == formatter.format(record)


JAAS = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{PLANTED}";'
AVRO = {
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "http://127.0.0.1:1",
}
SASL = {"consumer.override.security.protocol": "SASL_SSL", "consumer.override.sasl.mechanism": "PLAIN"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"s3.credentials.provider.secret_access_key": PLANTED}, EXIT_CONFIGURATION),
        ({**AVRO, "value.converter.request.header.Authorization": f"Bearer {PLANTED}"}, None),
        ({**AVRO, "value.converter.schema.registry.url": f"user:{PLANTED}@registry:8081"}, EXIT_CONFIGURATION),
        ({**AVRO, "value.converter.schema.registry.url": f"http://u:p,{PLANTED}@h:1"}, EXIT_CONFIGURATION),
        ({**AVRO, "value.converter.schema.registry.url": f"http://u:p/{PLANTED}@h:1"}, EXIT_OK),
        ({**AVRO, "value.converter.basic.auth.credentials.source": PLANTED}, EXIT_CONFIGURATION),
        ({**AVRO, "value.converter.bearer.auth.credentials.source": PLANTED}, EXIT_CONFIGURATION),
        ({"aws.secret.acces.key": PLANTED}, None),
        ({"s3.proxy.url": f"socks5://u:{PLANTED}@h:1"}, EXIT_CONFIGURATION),
        ({"my.password": PLANTED}, EXIT_OK),
        ({"consumer.override.sasl.mechanism": JAAS, "consumer.override.security.protocol": "SASL_SSL"}, EXIT_CONFIGURATION),
        ({"consumer.override.security.protocol": JAAS}, EXIT_CONFIGURATION),
        ({"consumer.override.sasl.jaas.confg": JAAS}, None),
        ({**SASL, "consumer.override.sasl.jaas.config": f"password={PLANTED}"}, EXIT_CONFIGURATION),
        (
            {
                "consumer.override.security.protocol": "SSL",
                "consumer.override.ssl.keystore.location": f"-----BEGIN PRIVATE KEY-----{PLANTED}",
            },
            EXIT_CONFIGURATION,
        ),
        ({"flush.size": "${env:PLANTED}"}, EXIT_CONFIGURATION),
        ({"value.converter.schemas.enable": "${env:PLANTED}"}, EXIT_CONFIGURATION),
        ({"format.class": "${env:PLANTED}"}, EXIT_CONFIGURATION),
        ({"s3.region": "${env:PLANTED}", "topics": "a.${env:PLANTED}", "s3.bucket.name": "${env:PLANTED}"}, EXIT_OK),
        ({"name": "${env:PLANTED}", "timezone": "${env:PLANTED}"}, EXIT_CONFIGURATION),
        ({"aws.access.key.id": PLANTED, "aws.secret.access.key": PLANTED, "store.url": f"http://u:{PLANTED}@h"}, EXIT_OK),
    ],
)
def test_check_shows_no_secret(
    changes: dict[str, str],
    code: int | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever it stands, in its place or in a wrong one; what is refused is named."""
    monkeypatch.setenv("PLANTED", PLANTED)
    path = tmp_path / "sink.json"
    path.write_text(json.dumps({**read_properties(STORY).values, **changes}))

    found = main(["check", str(path)])
    printed = "".join(capsys.readouterr())

    assert code in (found, None)
    assert PLANTED not in printed
    if found == EXIT_CONFIGURATION:
        assert any(name in printed or name.removeprefix("consumer.override.") in printed for name in changes)
