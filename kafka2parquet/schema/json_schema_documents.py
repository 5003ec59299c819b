"""JSON Schema documents that refer to each other and to parts of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote, urljoin

import attrs

from kafka2parquet.schema.refused import SchemaRefused


class RegisteredText(Protocol):
    """What is needed of a schema in the registry."""

    @property
    def text(self) -> str:
        """The document."""

    @property
    def references(self) -> Sequence[tuple[str, Any]]:
        """The documents that it refers to, by the names that it has for them."""


@attrs.frozen(eq=False)
class JsonSchemaDocument:
    """A document.

    Attributes:
        root: as parsed.
        others: the documents that it refers to, by the names that it has for them.
    """

    root: Any
    others: Mapping[str, JsonSchemaDocument] = attrs.field(factory=dict)

    @classmethod
    def of(cls, registered: RegisteredText) -> JsonSchemaDocument:
        """The document of a schema in the registry, with all that it refers to.

        Raises:
            SchemaRefused: one of them is no JSON.
        """
        try:
            root = json.loads(registered.text)
        except (ValueError, RecursionError) as error:
            raise SchemaRefused(f"it is no JSON: {error}") from None
        return cls(root, {name: cls.of(reference) for name, reference in registered.references})

    def resolve(self, reference: str) -> tuple[JsonSchemaDocument, Any]:
        """The document and the part of it that a `$ref` in this one means.

        Raises:
            SchemaRefused: there is none.
        """
        name, _, fragment = reference.partition("#")
        document = self if not name or name == self._id else self._other(name)
        if document is None:
            raise SchemaRefused(f"the schema that {reference!r} refers to is not in the registry")
        return document, document._part(reference, unquote(fragment))

    @property
    def _id(self) -> str:
        return str(self.root.get("$id", "")).rstrip("#") if isinstance(self.root, dict) else ""

    def _other(self, name: str) -> JsonSchemaDocument | None:
        if name in self.others:
            return self.others[name]
        wanted = urljoin(self._id, name)
        return next((other for key, other in self.others.items() if wanted in (urljoin(self._id, key), other._id)), None)

    def _part(self, reference: str, fragment: str) -> Any:
        if fragment and not fragment.startswith("/"):
            found = next((part for part in _parts(self.root) if _is_called(part, fragment)), None)
            if found is None:
                raise SchemaRefused(f"{reference!r} refers to nothing")
            return found
        part = self.root
        for step in fragment.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(part, dict) and name in part:
                part = part[name]
            elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
                part = part[int(name)]
            else:
                raise SchemaRefused(f"{reference!r} refers to nothing")
        return part


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(child)


def _is_called(part: Mapping[str, Any], name: str) -> bool:
    return part.get("$anchor") == name or part.get("$id") == f"#{name}"
