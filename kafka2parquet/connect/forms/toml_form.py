"""Reads TOML: properties as keys, quoted or not, and in tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from kafka2parquet.connect.forms.document import Document, is_list
from kafka2parquet.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: A key with dots and without quotes, at the start of a line.
_DOTTED_KEY = re.compile(r"^(\s*)([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)(\s*=)", re.MULTILINE)


def read_toml(text: str) -> Document:
    """Read TOML.

    `value.converter` and `value.converter.schemas.enable` can't both be keys in TOML unless they are quoted. If the text
    can't be read for that reason, dotted keys are read as if they were quoted.

    Raises:
        ConfigurationError: the text is not valid.
    """
    try:
        content = tomllib.loads(text, parse_float=str)
    except tomllib.TOMLDecodeError as error:
        try:
            content = tomllib.loads(_DOTTED_KEY.sub(r'\1"\2"\3', text), parse_float=str)
        except tomllib.TOMLDecodeError:
            raise ConfigurationError(f"This is not valid TOML: {error}.") from None
    return Document(_as_texts(content), joins=True)


def _as_texts(value: object) -> object:
    """Replace numbers and dates in a value with texts."""
    if isinstance(value, Mapping):
        return {name: _as_texts(member) for name, member in value.items()}
    if is_list(value):
        return [_as_texts(item) for item in value]
    return value if isinstance(value, bool | str) else str(value)
