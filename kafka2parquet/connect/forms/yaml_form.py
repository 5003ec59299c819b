"""Reads YAML with PyYAML. Scalars stay texts, except null and booleans, which are read as Kubernetes reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kafka2parquet.connect.forms.document import Document, repeated
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem

NO_PARSER = "This is YAML, which needs PyYAML: pip install 'kafka2parquet[yaml]'. Or write JSON."
_BOOLEAN = re.compile(r"(?i:true|yes|on|false|no|off)")
_NULL = re.compile(r"~|null|Null|NULL|")
#: Advice, by a part of PyYAML's reason.
_ADVICE = {
    "'\\t'": " Indent with spaces, not with tabs.",
    "constructor for the tag": " Tags of other tools, such as !Sub and !vault, aren't known: write the value instead.",
    "cannot start any token": " Put the value into double quotes.",
    "expected <block end>": " Put a value that begins with a quote completely into double quotes.",
    "mapping values are not allowed": " Put a value that contains a colon and a space into double quotes.",
}
_MOST_VALUES = 100_000
_TRUE = ("true", "yes", "on")
_BOOLEAN_TAG, _NULL_TAG, _MERGE_TAG = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"


def read_yaml(text: str) -> Document:
    """Read one or more YAML documents; the content of several is a list.

    Raises:
        ConfigurationError: the text is not valid, or PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(NO_PARSER) from None
    loader = _loader(yaml)(text)
    try:
        documents = [content for content in _documents(loader) if content is not None]
        _refuse_huge(documents)
    except yaml.YAMLError as error:
        raise ConfigurationError(_syntax_error(text, error)) from None
    except RecursionError:
        raise ConfigurationError("This YAML can't be read: it is nested too deeply.") from None
    finally:
        loader.dispose()
    content = documents[0] if len(documents) == 1 else documents
    return Document(content, tuple(loader.warnings), joins=True)


def _refuse_huge(documents: list[object]) -> None:
    """Refuse documents with too many values: with aliases of aliases, a few lines could fill the memory."""
    left, values = list(documents), 0
    while left:
        value = left.pop()
        values += 1
        if values > _MOST_VALUES:
            raise ConfigurationError(f"This YAML can't be read: it has more than {_MOST_VALUES:,} values.")
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)


def _documents(loader: Any) -> Iterator[object]:
    while loader.check_data():
        yield loader.get_data()


def _loader(yaml: Any) -> Any:
    """Return a safe loader that reads all scalars but null and booleans as texts."""

    class TextLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        """Loads scalars as texts, and warns about repeated names."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # as PyYAML declares it

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self.warnings: list[Problem] = []

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG]
            self.warnings += repeated(names)
            return {str(name): value for name, value in super().construct_mapping(node, deep).items()}

    TextLoader.add_implicit_resolver(_BOOLEAN_TAG, re.compile(f"(?:{_BOOLEAN.pattern})$"), list("yYnNtTfFoO"))
    TextLoader.add_implicit_resolver(_NULL_TAG, re.compile(f"(?:{_NULL.pattern})$"), ["~", "n", "N", ""])
    TextLoader.add_implicit_resolver(_MERGE_TAG, re.compile("<<$"), ["<"])
    TextLoader.add_constructor(_BOOLEAN_TAG, lambda loader, node: loader.construct_scalar(node).lower() in _TRUE)
    return TextLoader


def _syntax_error(text: str, error: Any) -> str:
    if "{{" in text or "{%" in text:
        return (
            "This YAML can't be read: it is a template. Render it first, for example with `helm template`, and pass the result."
        )
    mark, reason = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    place = f"Line {mark.line + 1}, column {mark.column + 1}: t" if mark is not None else "T"
    advice = next((advice for part, advice in _ADVICE.items() if part in reason), "")
    return f"{place}his is not valid YAML: {reason}.{advice}"
