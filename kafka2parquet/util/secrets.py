"""Hides secrets in texts for people: recognizable credentials, and the secret values of a configuration.

Other libraries quote settings in their errors, such as a proxy's URL with its password, or the value of a header. So each text
is searched before people see it: in each error of this library, and on the way to the log and the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

import attrs

HIDDEN = "[hidden]"

#: Parts of the names of secrets. `api.key` covers `api_key`, `apikey` and `Api-Key` too.
_PARTS_OF_NAMES = (
    r"passw(?:or)?d|pasword|passphrase|secret|token|private.?key|api.?key|access.?key|account.?key|customer.?key|keystore\.key|"
    r"credential|user\.info|jaas|authorization|cookie|signature|external\.id"
)
_SECRET_NAME = re.compile(_PARTS_OF_NAMES, re.IGNORECASE)
#: Ends of names that describe a secret's location or kind, instead of holding the secret.
_PLAIN_END = re.compile(
    r"(?:\.|_)(?:class|enable|enabled|endpoint|file|format|id|issuer|location|ms|name|path|port|region|role|scope|seconds|source|type"
    r"|url)$",
    re.IGNORECASE,
)
_ALWAYS_SECRET = re.compile(r"access\.key\.id$|external\.id$|^transforms\..*\bkey$")

#: Only texts with one of these words are searched. Most texts don't have one, and rejected records have many texts.
_HINTS = ("@", "passw", "passphrase", "secret", "token", "key", "signature", "user.info", "authorization", "bearer")
#: `scheme://user:password@` and `scheme://token@`. A password may contain anything but blanks and quotes; `host:80/a@b` has a
#: port instead.
_URL_LOGIN = re.compile(
    r"(?<![\w+.-])(?P<before>[a-z][\w+.-]{1,32}://)"
    r"(?:[^\s/?#\"'<>@:,]{0,256}:(?!\d*(?:[/?#,;\s\"'<>)]|$))(?:(?!,[\w+.-]{1,32}://)[^\s\"'<>]){0,1024}|[^\s/?#\"'<>@:,]{1,256})@",
    re.IGNORECASE,
)
#: `user:password@host` without a scheme; names of AWS and GCP may have that form too.
_BARE_LOGIN = re.compile(r"(?<![\w.%+~:/$\[-])(?!arn:|serviceAccount:|\w+://)[\w.%+~-]{1,128}:[^\s\"'<>@]{1,512}@(?=[\w\[])")
_QUOTED_OR_WORD = r"""(?:\\"(?:(?!\\").)*(?:\\"|$)|"(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)|[^\s,;&"'<>{}()\[\]…\\]+)"""
#: `password="…"` as in JAAS, `"private_key": "…"` as in JSON, `secret=…`; examples and variables stay.
_NAMED = re.compile(
    r"(?P<before>(?:passw(?:or)?d|passphrase|secret|private_?key|api_?key|access_?key|account_?key|token|signature|user\.info)"
    rf"[\w.-]{{0,64}}(?:\\?[\"']?\s*:\s*(?=\\?[\"'])|\s*=\s*))(?![\"']?(?:…|\$\{{|\[hidden|\*\*\*)){_QUOTED_OR_WORD}",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"(?P<before>\bauthorization\b\\?[\"']?\s*[:=]\s*(?:b?\\?[\"'])?(?!(?:\w+ )?\[hidden)(?:(?:basic|bearer)\s+)?"
    r"|\bbearer\s+(?=[\w+/=.~-]{16}))[^\s\"'<>,;\\]+",
    re.IGNORECASE,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[\w+/=]|\\n|\s(?=[\w+/=]{20}|[\w+/=]{0,64}\s*-----END))*"
    r"(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?"
)

_LEAST_CHARACTERS = 4
#: Minimum length of a secret value whose property's name doesn't mark it as a secret. Shorter values may be ordinary words.
_LEAST_OTHER_CHARACTERS = 8
_NUMBER_OR_FLAG = re.compile(r"[+-]?[\d.]*|true|false|null|none", re.IGNORECASE)
_LOGIN_OF_VALUE = re.compile(r"(?:^(?![\w+.-]+://)|://)(?P<login>[^/\s:]*(?::.*)?)@")
_NAMED_PART = re.compile(r"[\"']?(?P<name>[\w.-]+)[\"']?\s*[=:]\s*(?:\"((?:\\.|[^\"\\])*)|'([^']*)|([^\s;,}\"']+))", re.DOTALL)


def is_secret_name(name: str) -> bool:
    """Return whether a property, a member or an option with this name holds a secret."""
    if _ALWAYS_SECRET.search(name):
        return True
    return _SECRET_NAME.search(name) is not None and not has_plain_end(name)


def is_number_or_flag(text: str) -> bool:
    """Return whether a value is a number, true, false or null, which is never a secret."""
    return _NUMBER_OR_FLAG.fullmatch(text) is not None


def has_plain_end(name: str) -> bool:
    """Return whether a name describes, by its end, a secret's location or kind, instead of naming the secret itself."""
    return _PLAIN_END.search(name) is not None


def without_credentials(text: str) -> str:
    """Hide recognizable credentials in a text.

    These are logins in URLs with and without a scheme, passwords in JAAS configurations, secret members of JSON, authorization
    headers, and private keys.
    """
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    if "@" in text:
        text = _URL_LOGIN.sub(rf"\g<before>{HIDDEN}@", text)
        text = _BARE_LOGIN.sub(f"{HIDDEN}@", text)
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    text = _AUTHORIZATION.sub(rf"\g<before>{HIDDEN}", text)
    return _NAMED.sub(rf"\g<before>{HIDDEN}", text)


@attrs.frozen(repr=False)
class Secrets:
    """Texts that must not be shown, each with its replacement.

    Attributes:
        shown_as: replacements by secret text.
    """

    shown_as: Mapping[str, str] = attrs.field(factory=dict)
    _pattern: re.Pattern[str] | None = attrs.field(init=False, eq=False)

    @_pattern.default
    def _compile(self) -> re.Pattern[str] | None:
        texts = sorted(self.shown_as, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, texts))) if texts else None

    @classmethod
    def of(cls, secret: Mapping[str, str], other: Mapping[str, str], public: Mapping[str, str]) -> Secrets:
        """Collect the secret texts of a configuration.

        Ignores values that a public property has too, and values that are short enough to occur in ordinary words.

        Args:
            secret: values of secret properties, by name.
            other: values of properties that may be secret, because they are unknown or refused, by name.
            public: values of the other properties, by name. Only logins in their URLs are secret.
        """
        found = {part for text in secret.values() for part in _parts(text) if len(part) >= _LEAST_CHARACTERS}
        found |= {part for text in other.values() for part in _parts(text) if len(part) >= _LEAST_OTHER_CHARACTERS}
        found |= {part for text in public.values() for part in _login_parts(text)}
        said = "\n".join(map(without_credentials, public.values()))
        return cls({part: HIDDEN for part in found if part not in said and not is_number_or_flag(part)})

    @classmethod
    def of_variables(cls, found: Iterable[tuple[str, str, str]]) -> Secrets:
        """Collect the values of variables, whose replacements are the variables themselves.

        Args:
            found: triples of a property's name, a variable in its value, and the variable's value.
        """
        shown_as = {}
        for _, variable, value in found:
            for part in {value, value.strip(), *(part.strip() for part in value.split(","))}:
                if len(part) >= _LEAST_CHARACTERS and not is_number_or_flag(part):
                    shown_as[part] = variable
        return cls(shown_as)

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets({**self.shown_as, **other.shown_as})

    def __repr__(self) -> str:
        return f"Secrets({len(self.shown_as)} texts)"

    def hide(self, text: str) -> str:
        """Hide these secrets and all recognizable credentials in a text."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self.shown_as[found[0]], text)
        return without_credentials(text)


def _parts(text: str) -> Iterator[str]:
    """Yield the text, and parts of it that other libraries may quote separately."""
    yield text
    yield from _login_parts(text)
    named = [(found["name"], found[2] or found[3] or found[4] or "") for found in _NAMED_PART.finditer(text)]
    if "=" in text or "{" in text:  # JAAS, JSON
        for name, value in named:
            if is_secret_name(name):
                yield from (value, value.replace("\\n", "\n").replace('\\"', '"'))
        return
    yield from (part for part in re.split(r"\s+", text) if len(part) >= _LEAST_OTHER_CHARACTERS)
    _, colon, behind = text.partition(":")
    if colon and not behind.startswith("//"):
        yield behind


def _login_parts(text: str) -> Iterator[str]:
    """Yield the credentials in a URL, and the pieces that result if a password is split at a comma, a slash or an @."""
    found = _LOGIN_OF_VALUE.search(text)
    if found is None:
        return
    _, colon, password = found["login"].partition(":")
    if not colon and "://" not in text:
        return
    whole = password if colon else found["login"]
    for part in (whole, *re.split(r"[,/@\s]", whole)):
        if len(part) >= _LEAST_CHARACTERS:
            yield from (part, unquote(part))
