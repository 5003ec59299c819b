"""Reads the login in `sasl.jaas.config` as Kafka's Java clients do, by the rules of `java.io.StreamTokenizer`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import attrs

_TOKEN = re.compile(
    r"""
    (?P<nothing> [\x00-\x20]+ | /\*.*?(?:\*/|\Z) | /[^\n\r]* )
    | (?P<number> -?[0-9.]+ )
    | (?P<word> [A-Za-z_$*\u00a0-\U0010ffff-][A-Za-z0-9._$*\u00a0-\U0010ffff-]* )
    | "(?P<double> (?:\\.|[^"\\\n\r])* )(?:"|\Z|(?=[\n\r]))
    | '(?P<single> (?:\\.|[^'\\\n\r])* )(?:'|\Z|(?=[\n\r]))
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?P<code>[0-3][0-7]{0,2}|[4-7][0-7]?|.)", re.DOTALL)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FLAGS = ("required", "requisite", "sufficient", "optional")


@attrs.frozen
class Login:
    """A login module and its options.

    Attributes:
        module: Java class of the module.
        options: options by name; a repeated name has its last value.
    """

    module: str
    options: Mapping[str, str] = attrs.field(repr=False)


def read_jaas(text: str) -> Login:
    """Read `Module required name="value" name='value';`, with comments as in Java.

    Text that Java refuses is refused, except for a missing semicolon at the end.

    Raises:
        ValueError: the text has another form. The message says why, without the values.
    """
    tokens = _tokens(text)
    module, flag = next(tokens, None), next(tokens, None)
    if module is None or module.text is None:
        raise ValueError("it names no login module")
    if flag is None or (flag.text or "").lower() not in _FLAGS:
        raise ValueError(f"the login module has to be followed by one of {', '.join(_FLAGS)}")
    options: dict[str, str] = {}
    for name in tokens:
        if name.sign == ";":
            break
        equals, value = next(tokens, None), next(tokens, None)
        if name.text is None or equals is None or equals.sign != "=" or value is None or value.text is None:
            raise ValueError(
                f"the text after {_last(options)} is not an option with a value that Java can read: a value that is not"
                " a plain word (letters, digits, . _ $ -, and no digit first) has to be in quotes"
            )
        options[name.text] = value.text
    if next(tokens, None) is not None:
        raise ValueError("it names more than one login module, and only one can be used")
    return Login(module.text, options)


def _last(options: dict[str, str]) -> str:
    return f"the option {next(reversed(options))}" if options else "the control flag"


@attrs.frozen
class _Token:
    """A word, a quoted text, or a sign. A number has neither text nor sign, because Java gives it no text."""

    text: str | None = None
    sign: str = ""


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            yield _Token(match["word"])
        elif kind in ("double", "single"):
            yield _Token(_ESCAPE.sub(_unescaped, match[kind]))
        elif kind != "nothing":
            yield _Token(sign=match["sign"] or "")


def _unescaped(match: re.Match[str]) -> str:
    code = match["code"]
    return chr(int(code, 8)) if code[0] in "01234567" else _CONTROL.get(code, code)
