"""Logins as Kafka's Java clients read them."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet.connect.clients.consumer import consumer_settings
from kafka2parquet.connect.clients.jaas import read_jaas
from kafka2parquet.connect.clients.producer import producer_settings
from kafka2parquet.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("username='reader' password='pa;ss';", {"username": "reader", "password": "pa;ss"}),
        ("""username="it's" password='say "a"';""", {"username": "it's", "password": 'say "a"'}),
        (r"""username="a\"b" password='c\'d\\e';""", {"username": 'a"b', "password": "c'd\\e"}),
        (r"""a="\101\60x\t\q\477";""", {"a": "A0x\tq'7"}),
        ("""// user\nusername="a" /* not; "this" */ password='b' // end\n;""", {"username": "a", "password": "b"}),
        ("""username="//x" password="/*y*/";""", {"username": "//x", "password": "/*y*/"}),
        ("username=abc.d-1_$* password=ü€;", {"username": "abc.d-1_$*", "password": "ü€"}),
        ("username = 'a'\n\tpassword\t=\n'b' ;\n", {"username": "a", "password": "b"}),
        ("username='a' username='b';", {"username": "b"}),
        ("username=''", {"username": ""}),
        (";", {}),
    ],
)
def test_options(options: str, expected: dict[str, str]) -> None:
    """Both kinds of quotes, escapes, comments and unquoted words are read; a semicolon in quotes is text."""
    login = read_jaas(f"org.x.Module REQUIRED {options}")
    assert ("org.x.Module", expected) == (login.module, login.options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no login module"),
        ("'quoted' // only a comment", "the login module has to be followed by one of required,"),
        ("M", "the login module has to be followed by one of required,"),
        ("M username=a;", "the login module has to be followed by one of required,"),
        (
            "M required username=a password=123;",
            "after the option username is not an option with a value that Java can read",
        ),
        ("M required password=p@ss;", "the text after the option password is not an option"),
        ("M required username a;", "the text after the control flag is not an option"),
        ("M required password='a\nsecret';", "the text after the option password is not an option"),
        ("M required a=b; N required c=d;", "names more than one login module"),
    ],
)
def test_what_java_refuses(text: str, message: str) -> None:
    """A login that Java refuses is refused, and the error shows no value."""
    with pytest.raises(ValueError, match=message) as raised:
        read_jaas(text)
    assert "secret" not in str(raised.value)


def _given(mechanism: str, options: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f"org.apache.kafka.Module required {options};",
    }


def test_unreadable_login_is_a_problem() -> None:
    """The problem shows the line to write."""
    with pytest.raises(ConfigurationError) as raised:
        consumer_settings(_given("PLAIN", "username=a password=123"))
    (problem,) = raised.value.problems
    assert problem.startswith("sasl.jaas.config can't be read: the text after the option username ")
    assert problem.endswith("""org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";""")


@pytest.mark.parametrize("settings", [consumer_settings, producer_settings])
@pytest.mark.parametrize(
    ("mechanism", "options", "named"),
    [
        ("PLAIN", "username='a' password='b' serviceName=kafka", "the option serviceName has no effect"),
        ("SCRAM-SHA-512", "username='a' password='b' tokenauth=true x='1'", "the options tokenauth, x have no effect"),
        ("GSSAPI", "useKeyTab=true keyTab='/k' principal='p'", "the options useKeyTab, keyTab, principal have no effect"),
        ("AWS_MSK_IAM", "awsProfileName='p'", "the option awsProfileName has no effect"),
    ],
)
def test_options_without_effect_are_named(settings: Any, mechanism: str, options: str, named: str) -> None:
    """Options without effect are named, so that no user relies on them."""
    (note,) = settings(_given(mechanism, options)).notes
    assert named in str(note)
    assert ("sasl.jaas.config",) == note.properties


def test_kerberos_service_in_the_login() -> None:
    """The option applies if the separate setting isn't set."""
    given = _given("GSSAPI", "serviceName=broker")
    assert "broker" == consumer_settings(given).client_settings["sasl_kerberos_service_name"]
    given["sasl.kerberos.service.name"] = "kafka"
    assert "kafka" == consumer_settings(given).client_settings["sasl_kerberos_service_name"]


def test_login_without_options_that_matter() -> None:
    """Other mechanisms don't need options."""
    assert () == consumer_settings({"security.protocol": "SASL_SSL", "sasl.mechanism": "AWS_MSK_IAM"}).notes
