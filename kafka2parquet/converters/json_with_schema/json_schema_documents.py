"""Resolves references between JSON Schema documents, and to parts of the same document."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote, urljoin

import attrs

from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json


class RegisteredText(Protocol):
    """The part of a registered schema that is needed here."""

    @property
    def text(self) -> str:
        """The document."""

    @property
    def references(self) -> Sequence[tuple[str, Any]]:
        """The documents that it refers to, each with the name used in the reference."""


@attrs.frozen(eq=False)
class JsonSchemaDocument:
    """A parsed JSON Schema document.

    Attributes:
        root: the parsed JSON.
        others: the documents that it refers to, by the names used in the references.
    """

    root: Any
    others: Mapping[str, JsonSchemaDocument] = attrs.field(factory=dict)

    @classmethod
    def of(cls, registered: RegisteredText) -> JsonSchemaDocument:
        """Parse a registered schema and all documents that it refers to.

        Raises:
            SchemaRefused: a document is not JSON.
        """
        known: dict[int, JsonSchemaDocument] = {}  # a document that others share is parsed once

        def document(schema: RegisteredText) -> JsonSchemaDocument:
            if id(schema) not in known:
                try:
                    root = parse_json(schema.text, max_levels=MAX_SCHEMA_LEVELS)
                except (ValueError, RecursionError) as error:
                    raise SchemaRefused(f"it is not JSON: {error}") from None
                known[id(schema)] = cls(root, {name: document(reference) for name, reference in schema.references})
            return known[id(schema)]

        return document(registered)

    def resolve(self, reference: str) -> tuple[JsonSchemaDocument, Any]:
        """Return the document and the part of it that a `$ref` in this document refers to.

        Raises:
            SchemaRefused: the document or the part doesn't exist.
        """
        name, _, fragment = reference.partition("#")
        document = self if not name or name == self._id else self._other(name)
        if document is None:
            raise SchemaRefused(f"the schema that {reference!r} refers to is not in the registry")
        return document, document._part(reference, unquote(fragment))

    @property
    def _id(self) -> str:
        return str(self.root.get("$id", "")).rstrip("#") if isinstance(self.root, dict) else ""

    @functools.cached_property
    def _anchors(self) -> dict[str, Any]:
        """The parts of the document by the names in their `$anchor` or `$id`; the first part of each name."""
        anchors: dict[str, Any] = {}
        for part in _parts(self.root):
            for name, prefix in ((part.get("$anchor"), ""), (part.get("$id"), "#")):
                if isinstance(name, str) and name.startswith(prefix):
                    anchors.setdefault(name.removeprefix(prefix), part)
        return anchors

    def _other(self, name: str) -> JsonSchemaDocument | None:
        return self.others.get(name) or self._others_by_url.get(urljoin(self._id, name))

    @functools.cached_property
    def _others_by_url(self) -> dict[str, JsonSchemaDocument]:
        """The other documents by the URLs of references to them and of their own `$id`; the first document of each URL."""
        found: dict[str, JsonSchemaDocument] = {}
        for key, other in self.others.items():
            for url in (urljoin(self._id, key), other._id):
                found.setdefault(url, other)
        return found

    def _part(self, reference: str, fragment: str) -> Any:
        if fragment and not fragment.startswith("/"):
            if fragment not in self._anchors:
                raise SchemaRefused(f"{reference!r} refers to nothing")
            return self._anchors[fragment]
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
