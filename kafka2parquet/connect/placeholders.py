"""Finds placeholders that nobody filled in, and quotes that became part of a value."""

from __future__ import annotations

import re

#: Placeholders within a text. A group of a regular expression, `(?<name>…)`, is not a placeholder.
_WITHIN = re.compile(
    r"\$\{\w[\w.-]*(?::[-?][^}]*)?\}"  # ${NAME} of shells, Compose and Terraform; providers' variables have a colon
    r"|\{\{[^{}]*\}\}"  # of Jinja, Helm and mustache
    r"|\{%[^{}]*%\}"
    r"|\$\([A-Z_][A-Z0-9_]*\)"  # of Kubernetes
    r"|%\(\w+\)s"
    r"|(?<![?P\\])<[A-Za-z][\w .:/-]*>"
    r"|#\{\w[\w.]*\}#?"
    r"|\(\([\w./-]+\)\)"
)
#: Placeholders that are the whole text.
_WHOLE = re.compile(
    r"\$[A-Za-z_][A-Za-z0-9_]*"
    r"|%[A-Z_][A-Z0-9_]*%"
    r"|@[A-Za-z_][\w.]*@"
    r"|__[A-Z][A-Z0-9_]*__"
    r"|(?i:change|replace|fill)[_ -]?(?i:me|this|in)"
    r"|REPLACE_WITH_\w+|INSERT_\w+_HERE|YOUR_[A-Z0-9_]+"
    r"|TODO|FIXME|TBD|(?i:x{3,})|\w*X{6,}"
    r"|<[^<>]+>|\[[A-Za-z][\w -]*\]|\{[A-Za-z][\w.-]*\}"
    r"|\*{3,}"
)
#: Properties whose values may contain any characters, so only a whole text counts as a placeholder.
_SECRETS = re.compile("password|secret|token")
#: `$ecret` may be a password; `$SECRET` is hardly one.
_LIKE_PASSWORDS = re.compile(r"\$\w*[a-z]\w*")
_LOGIN = "sasl.jaas.config"
_QUOTED = re.compile(r"""["']([^"']*)["']""")
_ENVIRONMENT = re.compile(r"\$\{?(\w+)\}?")
#: Properties whose values are patterns, or refer to groups of one.
_PATTERNS = ("topics.regex", ".regex", ".replacement", ".pattern", "path.format")
#: Variables that routers fill in for each record, and the ending of the name of the property that has them.
_OF_RECORDS, _ROUTED = re.compile(r"\$\{(?:topic|timestamp)\}"), ".topic.format"


def find_placeholder(name: str, text: str) -> str | None:
    """Return the placeholder in the value of the property `name`; None if the value has none."""
    if name.endswith(_PATTERNS):
        return None
    if name.endswith(_LOGIN):
        return next(filter(None, (_placeholder(option, whole=True) for option in _QUOTED.findall(text))), None)
    if may_be_secret(name):
        return None if _LIKE_PASSWORDS.fullmatch(text) else _placeholder(text, whole=True)
    return _placeholder(_OF_RECORDS.sub("", text) if name.endswith(_ROUTED) else text, whole=False)


def may_be_secret(name: str) -> bool:
    """Return whether the value of the property `name` may contain any characters, and must not be shown."""
    return _SECRETS.search(name) is not None


def _placeholder(text: str, *, whole: bool) -> str | None:
    found = _WHOLE.fullmatch(text) or (_WITHIN.fullmatch(text) if whole else _WITHIN.search(text))
    return None if found is None else found[0]


def fill_in(placeholder: str) -> str:
    """Return advice about what to write instead of a placeholder."""
    variable = _ENVIRONMENT.fullmatch(placeholder)
    if variable is not None:
        return f"Write the value, or ${{env:{variable[1]}}} for the environment variable of that name."
    return "Write the value, or ${env:NAME} for an environment variable, ${file:PATH:KEY} for a property of a file."


def is_quoted(name: str, text: str) -> bool:
    """Return whether the whole value of the property `name` is in quotes, which then are part of the value."""
    if name.endswith(_PATTERNS) or len(text) < 2:
        return False
    return text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]
