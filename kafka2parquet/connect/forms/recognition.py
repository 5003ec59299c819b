"""Recognizes the notation of a text by its content, or by the file's name if the content is ambiguous."""

from __future__ import annotations

import re

from kafka2parquet.connect.forms.document import Document
from kafka2parquet.connect.forms.json_form import is_json, read_json
from kafka2parquet.connect.forms.other_languages import name_other_language, name_shell_quotes
from kafka2parquet.connect.forms.properties import parse_java_properties
from kafka2parquet.connect.forms.toml_form import read_toml
from kafka2parquet.connect.forms.yaml_form import read_yaml
from kafka2parquet.errors import ConfigurationError

#: A YAML key (its colon is followed by a space or ends the line), an item of a list, or the start of a document.
_YAML_LINE = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|[\w$./-]+)\s*:(?:\s|$)|-\s|---|%YAML""")
#: A table of TOML, or a key with a value that only TOML allows.
_TOML_LINE = re.compile(r"""\[\[?[\w."' -]+\]\]?\s*(?:#.*)?$|["']?[\w.-]+["']?\s*=\s*["'\[{\d+tf-]""")
#: A key that is indented or without a value, or an item of a list. Java properties with colons don't have such lines.
_ONLY_YAML = re.compile(r"^(?:\s+[\w.$-]+:(?:\s|$)|[\w.$-]+:\s*$|\s*- |---)", re.MULTILINE)
_YAML_SUFFIXES = (".yaml", ".yml")
_PROPERTIES_SUFFIX = ".properties"


def read_document(text: str, suffix: str = "") -> Document:
    """Recognize the notation of a text, and read the text.

    Args:
        text: JSON, YAML, TOML or Java properties.
        suffix: suffix of the file's name, such as `.toml`; decides if the content is valid in two notations.

    Raises:
        ConfigurationError: the text is not valid, or its language can't be read; the message says what to do.
    """
    suffix = suffix.lower()
    begin = first_line(text)
    if not begin:
        raise ConfigurationError("The configuration is empty. Write a connector's properties; `kafka2parquet init` makes one.")
    as_json, as_yaml = is_json(text), _YAML_LINE.match(begin) is not None
    language = None if as_json or as_yaml else name_other_language(text, begin, suffix)
    if language is None:
        language = name_shell_quotes(text)
    if language is not None:
        raise ConfigurationError(language)
    if as_json:
        return read_json(text)
    if suffix == _PROPERTIES_SUFFIX and not _ONLY_YAML.search(text):
        return Document(parse_java_properties(text))
    if as_yaml or (suffix in _YAML_SUFFIXES and "=" not in begin):
        return read_yaml(text)
    if suffix == ".toml" or _TOML_LINE.match(begin):
        return _toml_or_properties(text, suffix)
    return Document(parse_java_properties(text))


def first_line(text: str) -> str:
    """Return the first line that is neither empty nor a comment."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not line.startswith(("#", "!", "//"))), "")


def _toml_or_properties(text: str, suffix: str) -> Document:
    """Read TOML. If that fails, read Java properties: a property's value may happen to look like TOML."""
    try:
        return read_toml(text)
    except ConfigurationError:
        if suffix == ".toml":
            raise
        return Document(parse_java_properties(text))
