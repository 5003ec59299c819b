"""Translates JSON Schemas to Kafka Connect's schemas, by the rules of Confluent's JsonSchemaData.

There are two deviations: fields without `connect.index` are in the order of the document, and objects with only
`additionalProperties` are maps. Recursive schemas, objects without properties, and places where anything is allowed are
refused, because Parquet has no types for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from kafka2parquet.converters.json_with_schema.json_schema_documents import JsonSchemaDocument, RegisteredText
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.arguments import checked

_NAMESPACE = "io.confluent.connect.json"
ONE_OF = f"{_NAMESPACE}.OneOf"
ENUM = f"{_NAMESPACE}.Enum"

_MAX_NODES = 10_000
_MAX_DEPTH = 100
#: Most keywords and properties that are copied to merge the parts of `allOf`s.
_MAX_MERGED = 1_000_000
_NUMBERS = {
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "float32": "float",
    "float64": "double",
    "bytes": "bytes",
}
#: Keywords that imply the type of a schema without `type`.
_KEYWORDS = {
    "properties": "object",
    "additionalProperties": "object",
    "required": "object",
    "items": "array",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "format": "string",
    "minimum": "number",
    "maximum": "number",
    "multipleOf": "number",
}


@checked
@attrs.frozen
class JsonSchemaMapping:
    """How JSON Schemas become columns. The settings and their defaults are those of Confluent's JsonSchemaConverter.

    Attributes:
        optional_for_nonrequired: whether properties that aren't `required` are optional (`use.optional.for.nonrequired`).
            Otherwise only properties that may be null are optional, and a message that lacks another property is rejected.
        generalized_sum_types: whether the fields of a union's struct have the names `connect_union_0` and so on, and the struct
            the name `connect_union` (`generalized.sum.type.support`).
    """

    optional_for_nonrequired: bool = False
    generalized_sum_types: bool = False


@attrs.frozen
class OneOfSchema(ConnectSchema):
    """The struct of a union, with one optional field for each type. Exactly one field is set."""


def plan_json_schema(
    registered: RegisteredText,
    version: int | None,
    mapping: JsonSchemaMapping,
    default_value: Callable[[ConnectSchema, Any], Any],
) -> ConnectSchema:
    """Translate a JSON Schema to Kafka Connect's schema.

    Args:
        registered: the schema, with the schemas that it refers to.
        version: the schema's version in the registry.
        mapping: the settings.
        default_value: converts a default from parsed JSON to a value of its schema, or raises ValueError.

    Raises:
        SchemaRefused: the text is not a JSON Schema, or Parquet has no types for the schema.
    """
    planner = _Planner(mapping, default_value)
    document = JsonSchemaDocument.of(registered)
    schema = planner.plan(_Place(document, document.root))
    return schema if schema.version is not None else attrs.evolve(schema, version=version)


@attrs.frozen(eq=False)
class _Place:
    """A schema in a document.

    Attributes:
        document: the document.
        node: the schema itself.
        path: the path of the property, for messages.
    """

    document: JsonSchemaDocument
    node: Any
    path: str = ""

    def at(self, node: Any, step: str = "") -> _Place:
        return attrs.evolve(self, node=node, path=f"{self.path}{step}")

    def refused(self, why: str) -> SchemaRefused:
        return SchemaRefused(f"{self.path.lstrip('.') or 'the schema'}: {why}")


@attrs.define
class _Planner:
    mapping: JsonSchemaMapping
    default_value: Callable[[ConnectSchema, Any], Any]
    _around: list[int] = attrs.Factory(list)
    _nodes: int = 0
    #: The original documents of schemas that were merged into another document, by the `id()` of the schemas.
    _homes: dict[int, JsonSchemaDocument] = attrs.Factory(dict)
    #: Schemas with an `allOf` and the results of merging them, by the `id()` of the schemas, which are kept here so that no
    #: `id()` is reused. The result is None while the merge is in progress.
    _merges: dict[int, tuple[Any, dict[str, Any] | None]] = attrs.Factory(dict)
    _copied: int = 0

    def plan(self, place: _Place, *, optional: bool = False) -> ConnectSchema:
        """Translate the schema at a place.

        Args:
            place: the place.
            optional: whether the value may be null or missing, whatever the schema says.
        """
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise SchemaRefused(f"the schema has more than {_MAX_NODES} parts")
        if len(self._around) > _MAX_DEPTH:
            raise place.refused("nested too deeply")
        if not isinstance(place.node, dict):
            raise place.refused("anything is allowed, which has no column" if place.node is True else "not a schema")
        if id(place.node) in self._around:
            raise place.refused("it contains itself, and Parquet has no recursive types")
        self._around.append(id(place.node))
        try:
            return self._planned(place, optional)
        finally:
            self._around.pop()

    def _planned(self, place: _Place, optional: bool) -> ConnectSchema:
        node = place.node
        place = attrs.evolve(place, document=self._homes.get(id(node), place.document))
        if "$ref" in node:
            document, target = place.document.resolve(str(node["$ref"]))
            return self.plan(attrs.evolve(place, document=document, node=target), optional=optional)
        if "allOf" in node:
            return self.plan(self._merged(place), optional=optional)
        kind, symbols = node.get("type"), _symbols(node)
        if symbols is not None:
            optional = optional or (isinstance(kind, list) and "null" in kind) or None in symbols
            return self._finished(place, _enum(symbols), optional)
        for keyword in ("oneOf", "anyOf"):
            if keyword in node and "properties" not in node:  # else the keyword only says which properties are required
                return self._union(place, _list(place, node[keyword]), optional)
        if isinstance(kind, list):
            return self._union(place, [{**_without_names(node), "type": each} for each in kind], optional)
        return self._finished(place, self._of_kind(place, kind), optional)

    def _of_kind(self, place: _Place, kind: Any) -> ConnectSchema:
        node, connect_type = place.node, place.node.get("connect.type")
        if kind is None:
            kind = next((implied for keyword, implied in _KEYWORDS.items() if keyword in node), None)
        if kind == "boolean":
            return ConnectSchema("boolean")
        if kind in ("integer", "number"):
            if connect_type is not None and connect_type not in _NUMBERS:
                raise place.refused(f"Unsupported type {connect_type}")
            return ConnectSchema(_NUMBERS[connect_type] if connect_type else "int64" if kind == "integer" else "double")
        if kind == "string":
            return ConnectSchema("bytes" if connect_type == "bytes" else "string")
        if kind == "array":
            return self._array(place, connect_type == "map")
        if kind == "object":
            return self._object(place, connect_type == "map")
        if kind == "null":
            raise place.refused("null outside a union has no column")
        raise place.refused("anything is allowed, which has no column" if kind is None else f"Unsupported schema type {kind}")

    def _array(self, place: _Place, is_map: bool) -> ConnectSchema:
        items = place.node.get("items")
        if items is None or isinstance(items, list):
            raise place.refused("Array schema did not specify the items type")
        if not is_map:
            return ConnectSchema("array", values=self.plan(place.at(items, "[]")))
        entries = self._resolved(place.at(items))
        properties = entries.node.get("properties", {}) if isinstance(entries.node, dict) else {}
        if "key" not in properties or "value" not in properties:
            raise place.refused("the items of a map need the properties key and value")
        keys, values = (self.plan(entries.at(properties[name], "{}")) for name in ("key", "value"))
        return ConnectSchema("map", keys=keys, values=values)

    def _object(self, place: _Place, is_map: bool) -> ConnectSchema:
        properties = place.node.get("properties") or {}
        others = place.node.get("additionalProperties")
        if is_map or (not properties and isinstance(others, dict)):
            if not isinstance(others, dict):
                raise place.refused("a map needs a schema as its additionalProperties")
            return ConnectSchema("map", keys=ConnectSchema("string"), values=self.plan(place.at(others, "{}")))
        if not isinstance(properties, dict) or not properties:
            raise place.refused("an object without properties, and Parquet has no empty structs")
        required = place.node.get("required")
        fields = []
        for name, child in _in_order(properties):
            is_optional = self.mapping.optional_for_nonrequired and name not in (required if isinstance(required, list) else ())
            fields.append(ConnectField(name, self.plan(place.at(child, f".{name}"), optional=is_optional)))
        return ConnectSchema("struct", fields=tuple(fields))

    def _union(self, place: _Place, branches: Sequence[Any], optional: bool) -> ConnectSchema:
        others = [branch for branch in branches if not _is_null(branch)]
        has_null = len(others) < len(branches)
        if not others:
            raise place.refused("null outside a union has no column")
        if len(others) == 1:
            only = others[0]
            outer = {**_names(place.node), **only} if isinstance(only, dict) and "$ref" not in only else only
            return self.plan(place.at(outer), optional=optional or has_null)
        prefix = "connect_union" if self.mapping.generalized_sum_types else f"{ONE_OF}.field"
        separator = "_" if self.mapping.generalized_sum_types else "."
        fields = tuple(
            ConnectField(f"{prefix}{separator}{index}", self.plan(place.at(branch), optional=True))
            for index, branch in enumerate(others)
        )
        name = "connect_union" if self.mapping.generalized_sum_types else ONE_OF
        return self._finished(place, OneOfSchema("struct", name=name, fields=fields), optional or has_null)

    def _merged(self, place: _Place) -> _Place:
        """Merge the parts of an `allOf` to one schema: the properties of all parts, and other keywords of the first part."""
        node = place.node
        if id(node) not in self._merges:
            self._merges[id(node)] = node, None
            self._merges[id(node)] = node, self._merge(place)
        merged = self._merges[id(node)][1]
        if merged is None:
            raise place.refused("its allOf contains itself")
        return place.at(merged)

    def _merge(self, place: _Place) -> dict[str, Any]:
        merged: dict[str, Any] = {key: value for key, value in place.node.items() if key != "allOf"}
        for branch in _list(place, place.node["allOf"]):
            part = self._resolved(place.at(branch))
            if not isinstance(part.node, dict):
                continue
            node = self._merged(part).node if "allOf" in part.node else part.node
            for key, value in node.items():
                for schema in (value, *(value.values() if isinstance(value, dict) else ())):
                    self._homes.setdefault(id(schema), part.document)
                if key == "properties" and isinstance(value, dict):
                    merged[key] = {**value, **merged.get(key, {})}
                elif key == "required" and isinstance(value, list):
                    known = {str(name) for name in merged.get(key, [])}
                    merged[key] = [*merged.get(key, []), *(name for name in value if str(name) not in known)]
                elif key not in ("$id", "$schema", "definitions", "$defs"):
                    merged.setdefault(key, value)
                self._copied += 1 + sum(len(each) for each in (value, merged.get(key)) if isinstance(each, dict | list))
                if self._copied > _MAX_MERGED:
                    raise SchemaRefused("its allOf combines too many parts")
        return merged

    def _resolved(self, place: _Place) -> _Place:
        for _ in range(_MAX_DEPTH):
            if not isinstance(place.node, dict) or "$ref" not in place.node:
                return place
            document, target = place.document.resolve(str(place.node["$ref"]))
            place = attrs.evolve(place, document=document, node=target)
        raise place.refused("its references are circular")

    def _finished(self, place: _Place, made: ConnectSchema, optional: bool) -> ConnectSchema:
        """Complete the schema with what any type may have: name, version, documentation, parameters and default."""
        node = place.node
        title, description, version = (node.get(key) for key in ("title", "description", "connect.version"))
        parameters = node.get("connect.parameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise place.refused("connect.parameters is not an object")
        made = attrs.evolve(
            made,
            optional=optional,
            name=title if isinstance(title, str) else made.name,
            version=version if type(version) is int else None,
            doc=description if isinstance(description, str) else None,
            parameters={**made.parameters, **{str(name): str(value) for name, value in (parameters or {}).items()}},
        )
        if node.get("default") is None:
            return made
        try:
            return attrs.evolve(made, default=self.default_value(made, node["default"]))
        except ValueError as error:
            raise place.refused(f"the default doesn't fit: {error}") from None


def _symbols(node: Mapping[str, Any]) -> list[Any] | None:
    """Return the texts, and perhaps None, that an enum allows; None if the schema is not an enum of texts."""
    symbols = node["enum"] if "enum" in node else [node["const"]] if "const" in node else None
    if not isinstance(symbols, list) or not all(isinstance(symbol, str | None) for symbol in symbols):
        return None
    return symbols if any(symbol is not None for symbol in symbols) else None


def _enum(symbols: Sequence[str | None]) -> ConnectSchema:
    names = {f"{ENUM}.{symbol}": symbol for symbol in symbols if symbol is not None}
    return ConnectSchema("string", parameters={ENUM: "", **names})


def _in_order(properties: Mapping[str, Any]) -> list[tuple[str, Any]]:
    def index(item: tuple[int, tuple[str, Any]]) -> int:
        position, (_, child) = item
        given = child.get("connect.index") if isinstance(child, dict) else None
        return given if type(given) is int else position

    return [item for _, item in sorted(enumerate(properties.items()), key=index)]


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and (branch.get("type") == "null" or branch.get("const", "") is None)


def _list(place: _Place, node: Any) -> list[Any]:
    if not isinstance(node, list) or not node:
        raise place.refused("an empty list of schemas or values")
    return node


def _names(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("title", "description", "default", "connect.index") if key in node}


def _without_names(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key not in ("title", "description", "default", "enum")}
