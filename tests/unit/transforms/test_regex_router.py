"""Names of topics as Java's regular expressions change them."""

from __future__ import annotations

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.regex_router import RegexRouter


@pytest.mark.parametrize(
    ("regex", "replacement", "topic", "expected"),
    [
        ("soe-(.*)", "$1", "soe-Order", "Order"),
        (".*", "acme_$0", "Order", "acme_Order"),
        ("(.*)Stream_(.*)", "$1$2", "Order_Stream_Data", "Order_Data"),
        ("Order", "x", "Orders", "Orders"),
        (r"([^.]+)\.([^.]+)\.([^.]+)", "$3", "shop.public.users", "users"),
        ("(?<db>[^.]+).(?<table>.+)", "${table}_${db}", "shop.users", "users_shop"),
        ("(a)(b)?", "$1$2", "a", "a"),
        ("(a)b", "$10", "ab", "a0"),
        ("(a)b", r"\$1\\", "ab", "$1\\"),
        ("a|ab", "x", "ab", "xb"),
        ("a*", "", "aaa", ""),
    ],
)
def test_routed(regex: str, replacement: str, topic: str, expected: str) -> None:
    """The pattern has to match the whole name; then its first match is replaced, like Java's `matches` and `replaceFirst`."""
    assert expected == RegexRouter.from_config({"regex": regex, "replacement": replacement}).routed(topic)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"replacement": "x"}, "RegexRouter needs regex"),
        ({"regex": "x"}, "RegexRouter needs replacement"),
        ({"regex": "(", "replacement": "x"}, "regex: '\\(' is not a regular expression that Python reads as Java does"),
        ({"regex": "x", "replacement": "$1"}, "replacement: .* the regular expression doesn't have a group 1"),
        ({"regex": "x", "replacement": "${n}"}, "replacement: .* the regular expression doesn't have a group {n}"),
        ({"regex": "x", "replacement": "$"}, "replacement: .* has to be followed by a group"),
        ({"regex": "x", "replacement": "a\\"}, "replacement: .* has to follow the backslash"),
    ],
)
def test_problems(properties: dict[str, str], message: str) -> None:
    """The error names the property, and is raised when the configuration is read."""
    with pytest.raises(ConfigurationError, match=message):
        RegexRouter.from_config(properties)
