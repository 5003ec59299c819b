"""Placeholders that nobody filled in, and quotes that got into values."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.placeholders import find_placeholder
from kafka2parquet.errors import ConfigurationError
from tests.support.sink_properties import json_sink

CASE = Path(__file__).parent / "forms" / "cases" / "placeholders.json"


def problems(**changes: str) -> list[str]:
    given = json_sink({name.replace("__", "."): text for name, text in changes.items()})
    return [str(problem) for problem in validate(given).problems]


def test_each_placeholder_is_a_problem() -> None:
    """The problem says what to write, and doesn't show a value that may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        load_connect_config(CASE)
    write = "Write the value, or ${{env:{}}} for the environment variable of that name."

    assert {
        "s3.bucket.name=${S3_BUCKET} is a placeholder that is not filled in. " + write.format("S3_BUCKET"),
        "s3.region=<AWS_REGION> is a placeholder that is not filled in. Write the value, or ${env:NAME} for an environment "
        "variable, ${file:PATH:KEY} for a property of a file.",
    } <= set(caught.value.problems)
    assert 4 == len(caught.value.problems)
    assert any(problem.startswith("aws.secret.access.key is a placeholder") for problem in caught.value.problems)


@pytest.mark.parametrize(
    "text",
    [
        "${BUCKET}",
        "${BUCKET:-lake}",
        "${var.bucket}",
        "lake-${ENV}",
        "$BUCKET",
        "$bucket",
        "$(BUCKET)",
        "<BUCKET>",
        "<your bucket>",
        "<env>-lake",
        "{{ bucket }}",
        "{{bucket}}-lake",
        "{{ .Values.bucket }}",
        "{% if x %}a",
        "%BUCKET%",
        "%(bucket)s",
        "@bucket@",
        "__BUCKET__",
        "CHANGE_ME",
        "changeme",
        "change-me",
        "REPLACE_ME",
        "REPLACE_WITH_BUCKET",
        "YOUR_BUCKET_NAME",
        "INSERT_BUCKET_HERE",
        "TODO",
        "XXXX",
        "****************",
        "[hidden]",
        "[your bucket]",
        "{bucket}",
        "#{Bucket}#",
        "((bucket))",
        "<your bucket's name, without s3://>",
        "AKIAXXXXXXXXXXXXXXXX",
        "xxxx",
        "${{ secrets.BUCKET }}",
    ],
)
def test_placeholders(text: str) -> None:
    """Placeholders of shells, templates and people are recognised."""
    found = find_placeholder("s3.bucket.name", text)

    assert found is not None
    assert found in text
    assert 1 == len([problem for problem in problems(s3__bucket__name=text) if "placeholder" in problem])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s3.bucket.name", "your-data-lake-bucket"),
        ("topics", "todo,change-requests"),
        ("topics", "my_topic"),
        ("topics.dir", "raw/$env"),
        ("topics.regex", r"orders\.(?<region>[a-z]+)\.\d{2}"),
        ("topics.regex", "^.*${2}$"),
        ("transforms.route.regex", "(?<topic>.*)"),
        ("transforms.route.replacement", "${topic}-x"),
        ("transforms.route.replacement", "$1"),
        ("transforms.route.topic.format", "${topic}-${timestamp}"),
        ("path.format", "'year'=YYYY/'<hour>'=HH"),
        ("aws.secret.access.key", "a<b>c/+="),
        ("name", "sink-100%-of-it"),
        ("file.delim", "+"),
        ("sasl.jaas.config", 'x.Y required username="a" password="p<b>$c{d}";'),
        ("sasl.jaas.config", 'x.Y required username="${env:USER}" password="${file:/a:b}";'),
        ("consumer.override.ssl.key.password", "a${b}c"),
        ("consumer.override.ssl.key.password", "$ecret1"),
        ("store.url", "http://user@host:9000"),
        ("kafka2parquet.storage.url", "memory://a"),
        ("aws.access.key.id", "${env:KEY}"),
        ("aws.access.key.id", "${file:/run/secrets/a.properties:key}"),
    ],
)
def test_values_that_are_none(name: str, text: str) -> None:
    """Values that only look like placeholders are accepted."""
    assert find_placeholder(name, text) is None


def test_placeholder_in_a_login() -> None:
    """The rest of the login isn't shown."""
    given = {
        "consumer.override.security.protocol": "SASL_SSL",
        "consumer.override.sasl.mechanism": "PLAIN",
        "consumer.override.sasl.jaas.config": 'x.Y required username="<user>" password="a-secret";',
    }
    (problem,) = validate(json_sink(given)).problems

    assert str(problem).startswith("consumer.override.sasl.jaas.config: <user> in it is a placeholder that is not filled in.")
    assert "a-secret" not in str(problem)


def test_unknown_properties_may_hold_templates() -> None:
    """Only custom classes know the meaning of unknown properties, and properties without effect do no harm."""
    assert [] == problems(my__name__template="{{topic}}", confluent__topic__bootstrap__servers="${BROKERS}")


def test_values_that_came_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of variables are accepted, because a secret may look like anything."""
    monkeypatch.setenv("K2P_SECRET", "<x>")
    given = {"aws.access.key.id": "a", "aws.secret.access.key": "${env:K2P_SECRET}"}

    assert "<x>" == load_connect_config(json_sink(given)).text("aws.secret.access.key")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_are_a_warning(quote: str) -> None:
    """Quotes are a warning, because Java keeps them; the value isn't shown, as it may be a secret."""
    config = load_connect_config(json_sink({"s3.bucket.name": f"{quote}lake{quote}"}))

    assert ("s3.bucket.name: the quotes around the value are part of it, as in Connect. Remove them.",) == tuple(
        map(str, config.warnings)
    )


def test_quotes_around_a_number() -> None:
    """The problem says that the quotes are the mistake."""
    assert ['Invalid value "100" for configuration flush.size: Not a number of type INT. Remove the quotes around it.'] == (
        problems(flush__size='"100"')
    )


@pytest.mark.parametrize(("name", "text"), [("path.format", "'data'"), ("s3.bucket.name", "'"), ("topics.dir", "'a'/'b'")])
def test_quotes_that_mean_something(name: str, text: str) -> None:
    """Quotes in patterns have no warning."""
    assert not [warning for warning in validate(json_sink({name: text})).config.warnings if "quotes" in str(warning)]
