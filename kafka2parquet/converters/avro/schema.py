"""Translates Avro schemas to Kafka Connect's schemas, by the rules of Confluent's AvroData.

There are deviations for schemas that Confluent can't handle: decimals based on fixed keep their type, and the precision of a
decimal is always kept. Recursive schemas, records without fields, and null outside a union are refused, because Parquet has no
types for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import pyarrow as pa

from kafka2parquet.converters.avro.defaults import NoDefault, default_value
from kafka2parquet.converters.avro.names import NAME, fields_of, full_name_of, is_null, name_of, shortened
from kafka2parquet.converters.avro.node import AvroMapping, AvroNode, Kind
from kafka2parquet.schema.connect_schema import (
    DATE,
    DECIMAL,
    DECIMAL_PRECISION,
    FIXED_SIZE,
    TIME,
    TIMESTAMP,
    ArrowLogicalSchema,
    ConnectField,
    ConnectSchema,
)
from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json

_NAMESPACE = "io.confluent.connect.avro"
UNION = f"{_NAMESPACE}.Union"
ENUM = f"{_NAMESPACE}.Enum"
_DEFAULT_NAME = f"{_NAMESPACE}.ConnectDefault"
_FIELD_DEFAULT = f"{_NAMESPACE}.field.default"
_FIELD_DOC = f"{_NAMESPACE}.field.doc."
_RECORD_DOC = "connect.record.doc"

_PRIMITIVES = {
    "boolean": "boolean",
    "int": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "bytes": "bytes",
    "string": "string",
}
_NAMED = ("record", "error", "enum", "fixed")
#: Most parts of a schema. A small schema that names its parts repeatedly could mean millions of columns.
_MAX_NODES = 10_000
_MAX_DEPTH = 100

#: Logical types that Kafka Connect knows, by their Avro types.
_CONNECT_LOGICAL = {("int", "date"): DATE, ("int", "time-millis"): TIME, ("long", "timestamp-millis"): TIMESTAMP}
#: Logical types that only Arrow knows.
_ARROW_LOGICAL = {
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}


class _Registered(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def references(self) -> Sequence[tuple[str, Any]]: ...

    @property
    def version(self) -> int | None: ...


def plan_avro(registered: _Registered, mapping: AvroMapping | None = None) -> AvroNode:
    """Plan the conversion of a schema's values. The `schema` of the returned node is the one that Kafka Connect makes.

    Args:
        registered: the schema, with the schemas that it refers to.
        mapping: the settings; by default Confluent's.

    Raises:
        SchemaRefused: the text is not an Avro schema, or Parquet has no types for the schema.
    """
    planner = _Planner(mapping if mapping is not None else AvroMapping())
    try:
        planner.learn_references(registered.references)
        node = planner.plan(_parsed(registered.text), "")
    except RecursionError:
        raise SchemaRefused("the schema is nested too deeply") from None
    if node.schema.version is None and registered.version is not None:
        node = attrs.evolve(node, schema=attrs.evolve(node.schema, version=registered.version))
    return node


def _parsed(text: str) -> Any:
    try:
        return parse_json(text, max_levels=MAX_SCHEMA_LEVELS)
    except ValueError as error:
        raise SchemaRefused(f"it is not JSON: {error}") from None


@attrs.define
class _Planner:
    mapping: AvroMapping
    _types: dict[str, Mapping[str, Any]] = attrs.Factory(dict)
    _namespaces: dict[str, str] = attrs.Factory(dict)
    _around: list[str] = attrs.Factory(list)
    _referenced: set[str] = attrs.Factory(set)
    _nodes: int = 0
    _depth: int = 0

    def learn_references(self, references: Iterable[tuple[str, _Registered]]) -> None:
        """Collect the named types of the schemas that are referred to."""
        for _, reference in references:
            if reference.text not in self._referenced:
                self._referenced.add(reference.text)
                self.learn_references(reference.references)
                self._learn(_parsed(reference.text), "")

    def _learn(self, schema: Any, namespace: str) -> None:
        """Collect all named types of a schema, before any of them is used."""
        if isinstance(schema, list):
            for branch in schema:
                self._learn(branch, namespace)
        if not isinstance(schema, dict):
            return
        if schema.get("type") not in _NAMED:
            for part in ("type", "items", "values"):
                self._learn(schema.get(part), namespace)
            return
        full_name, namespace = self._define(schema, namespace)
        for field in fields_of(schema, full_name) if schema["type"] in ("record", "error") else ():
            self._learn(field["type"], namespace)

    def _define(self, schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
        full_name, namespace = full_name_of(schema, namespace)
        if self._types.setdefault(full_name, schema) != schema:
            raise SchemaRefused(f"{full_name} is defined twice")
        self._namespaces[full_name] = namespace
        return full_name, namespace

    def plan(self, schema: Any, namespace: str, *, optional: bool = False, default: Any = NoDefault) -> AvroNode:
        """Make the node of a type.

        Args:
            schema: the type.
            namespace: the namespace of the enclosing type.
            optional: whether the type forms a union with null.
            default: the default of the field that has the type.
        """
        self._nodes += 1
        self._depth += 1
        if self._nodes > _MAX_NODES:
            raise SchemaRefused(f"the schema has more than {_MAX_NODES} parts")
        if self._depth > _MAX_DEPTH:
            raise SchemaRefused("the schema is nested too deeply")
        node = self._planned(schema, namespace, optional=optional, default=default)
        self._depth -= 1
        return node

    def _planned(self, schema: Any, namespace: str, *, optional: bool, default: Any) -> AvroNode:
        if isinstance(schema, list):
            return self._union(schema, namespace, default)
        if isinstance(schema, str):
            if schema in _PRIMITIVES or schema == "null":
                schema = {"type": schema}
            else:
                full_name = self._resolved(schema, namespace)
                schema, namespace = self._types[full_name], self._namespaces[full_name]
        if not isinstance(schema, dict) or "type" not in schema:
            raise SchemaRefused(f"{shortened(schema)} is not a type")
        kind = schema["type"]
        if not isinstance(kind, str):  # {"type": {"type": ...}}: the inner type counts
            if optional and isinstance(kind, list):
                raise SchemaRefused("a union in a union")
            return self.plan(kind, namespace, optional=optional, default=default)
        if kind in _NAMED:
            node = self._named(schema, namespace)
        elif kind in ("array", "map"):
            node = self._container(schema, namespace)
        elif kind in _PRIMITIVES:
            node = self._primitive(schema)
        elif kind == "null":
            raise SchemaRefused("null outside a union has no column")
        elif self._known(kind, namespace) is not None:
            return self.plan(kind, namespace, optional=optional, default=default)
        else:
            raise SchemaRefused(f"the type {shortened(kind)} is unknown")
        return self._finished(node, schema, optional=optional, default=default)

    def _resolved(self, name: str, namespace: str) -> str:
        found = self._known(name, namespace)
        if found is None:
            raise SchemaRefused(f"the type {shortened(name)} is unknown")
        return found

    def _known(self, name: str, namespace: str) -> str | None:
        candidates = [name] if "." in name or not namespace else [f"{namespace}.{name}", name]
        return next((candidate for candidate in candidates if candidate in self._types), None)

    def _finished(self, node: AvroNode, schema: Mapping[str, Any], *, optional: bool, default: Any) -> AvroNode:
        """Complete the node with what any type may have: name, version, parameters, documentation and default."""
        made = node.schema
        parameters = {**made.parameters, **_own_parameters(schema, self.mapping)}
        connect_default = schema.get("connect.default")
        if default is not NoDefault and connect_default is None and self.mapping.connect_meta_data:
            parameters[_FIELD_DEFAULT] = "true"
        name = schema.get("connect.name", made.name)
        if made.name in (DECIMAL, DATE, TIME, TIMESTAMP):
            name = made.name
        version = schema.get("connect.version", made.version)
        made = attrs.evolve(
            made,
            optional=optional,
            name=None if name is None or str(name).startswith(_DEFAULT_NAME) else str(name),
            version=version if isinstance(version, int) and version >= 0 else None,
            doc=schema.get("connect.doc") if self.mapping.connect_meta_data else None,
            parameters=parameters,
        )
        node = attrs.evolve(node, schema=made)
        value = connect_default if default is NoDefault and connect_default is not None else default
        return attrs.evolve(node, schema=attrs.evolve(made, default=default_value(node, value)))

    def _primitive(self, schema: Mapping[str, Any]) -> AvroNode:
        kind: str = schema["type"]
        logical = str(schema.get("logicalType", ""))
        if kind == "bytes" and logical == "decimal":
            return AvroNode(Kind.BYTES, _decimal(schema, {}))
        if (kind, logical) in _CONNECT_LOGICAL:
            made = ConnectSchema(_PRIMITIVES[kind], name=_CONNECT_LOGICAL[kind, logical], version=1)
        elif self.mapping.logical_types == "arrow" and (kind, logical) in _ARROW_LOGICAL:
            made = ArrowLogicalSchema("int64", parameters={"logicalType": logical}, logical_type=_ARROW_LOGICAL[kind, logical])
        elif kind == "int" and not logical and "connect.type" in schema:
            if schema["connect.type"] not in ("int8", "int16"):
                raise SchemaRefused(f"connect.type is {shortened(schema['connect.type'])}; for an int it must be int8 or int16")
            made = ConnectSchema(schema["connect.type"])
        else:
            made = ConnectSchema(_PRIMITIVES[kind])
        return AvroNode(Kind(kind), made)

    def _named(self, schema: Mapping[str, Any], namespace: str) -> AvroNode:
        full_name, namespace = self._define(schema, namespace)
        if schema["type"] == "fixed":
            return _fixed(schema, full_name)
        if schema["type"] == "enum":
            return self._enum(schema, full_name)
        if full_name in self._around:
            raise SchemaRefused(f"{full_name} contains itself, which Parquet has no type for")
        self._around.append(full_name)
        fields, children, docs = [], [], {}
        for field in fields_of(schema, full_name):
            child = self.plan(field["type"], namespace, default=field.get("default", NoDefault))
            children.append(child)
            fields.append(ConnectField(field["name"], child.schema))
            if field.get("doc") is not None and self.mapping.connect_meta_data:
                docs[f"{_FIELD_DOC}{field['name']}"] = str(field["doc"])
        self._around.pop()
        if not fields:
            raise SchemaRefused(f"{full_name} has no fields, which Parquet has no type for")
        if schema.get("doc") is not None and self.mapping.connect_meta_data:
            docs[_RECORD_DOC] = str(schema["doc"])
        made = ConnectSchema("struct", name=full_name, parameters=docs, fields=tuple(fields))
        return AvroNode(Kind.RECORD, made, children=tuple(children), short_name=name_of(schema), full_name=full_name)

    def _enum(self, schema: Mapping[str, Any], full_name: str) -> AvroNode:
        symbols = schema.get("symbols")
        if (
            not isinstance(symbols, list)
            or not symbols
            or len({*map(str, symbols)}) < len(symbols)
            or not all(isinstance(symbol, str) and NAME.fullmatch(symbol) for symbol in symbols)
        ):
            raise SchemaRefused(f"the symbols of {full_name} are not distinct names")
        parameters = {ENUM: full_name, **{f"{ENUM}.{symbol}": symbol for symbol in symbols}}
        if self.mapping.connect_meta_data:
            for key in ("doc", "default"):
                if schema.get(key) is not None:
                    parameters[f"{_NAMESPACE}.enum.{key}.{name_of(schema)}"] = str(schema[key])
        made = ConnectSchema("string", name=full_name, parameters=parameters)
        return AvroNode(Kind.ENUM, made, symbols=tuple(symbols), short_name=name_of(schema), full_name=full_name)

    def _container(self, schema: Mapping[str, Any], namespace: str) -> AvroNode:
        part = "items" if schema["type"] == "array" else "values"
        if part not in schema:
            raise SchemaRefused(f"a type {schema['type']} has no {part}")
        child = self.plan(schema[part], namespace)
        if part == "values":
            made = ConnectSchema("map", keys=ConnectSchema("string"), values=child.schema)
            return AvroNode(Kind.MAP, made, children=(child,))
        if self._is_map_entry(schema[part], namespace) and [field.name for field in child.schema.fields] == ["key", "value"]:
            key, value = child.schema.fields
            made = ConnectSchema("map", keys=key.schema, values=value.schema)
            return AvroNode(Kind.ENTRIES, made, children=child.children)
        return AvroNode(Kind.ARRAY, ConnectSchema("array", values=child.schema), children=(child,))

    def _is_map_entry(self, schema: Any, namespace: str) -> bool:
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return False
            full_name = self._resolved(schema, namespace)
            return full_name == f"{_NAMESPACE}.MapEntry" or self._is_map_entry(self._types[full_name], namespace)
        if not isinstance(schema, dict) or schema.get("type") != "record":
            return False
        return (
            full_name_of(schema, namespace)[0] == f"{_NAMESPACE}.MapEntry" or schema.get("connect.internal.type") == "MapEntry"
        )

    def _union(self, branches: list[Any], namespace: str, default: Any) -> AvroNode:
        nulls = [is_null(branch) for branch in branches]
        if not branches or all(nulls) or sum(nulls) > 1:
            raise SchemaRefused("a union has no types, only null, or null twice")
        if any(isinstance(branch, list) for branch in branches):
            raise SchemaRefused("a union in a union")
        if len(branches) == 1:
            child = self.plan(branches[0], namespace)
            return AvroNode(Kind.SINGLE, child.schema, children=(child,))
        if len(branches) == 2 and any(nulls):
            child = self.plan(branches[nulls.index(False)], namespace, optional=True)
            return attrs.evolve(child, null_branch=nulls.index(True))
        planned = [
            None if null else self.plan(branch, namespace, optional=True) for branch, null in zip(branches, nulls, strict=True)
        ]
        children = tuple(child for child in planned if child is not None)
        names = [self._branch_name(child) for child in children]
        (name, count), *_ = Counter(names).most_common(1)
        if count > 1:
            raise SchemaRefused(f"several types of a union have the name {name}")
        made = ConnectSchema(
            "struct",
            optional=any(nulls),
            name=UNION,
            fields=tuple(ConnectField(name, child.schema) for name, child in zip(names, children, strict=True)),
        )
        null_branch = nulls.index(True) if any(nulls) else None
        node = AvroNode(Kind.UNION, made, children=children, null_branch=null_branch)
        if default is not NoDefault and self.mapping.connect_meta_data:
            made = attrs.evolve(made, parameters={_FIELD_DEFAULT: "true"})
        return attrs.evolve(node, schema=attrs.evolve(made, default=default_value(node, default)))

    def _branch_name(self, node: AvroNode) -> str:
        if node.full_name is None:
            return "array" if node.kind is Kind.ENTRIES else node.kind.value
        return node.full_name if self.mapping.enhanced_schema_support else str(node.short_name)


def _fixed(schema: Mapping[str, Any], full_name: str) -> AvroNode:
    size = schema.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 2**31:
        raise SchemaRefused(f"the size of {full_name} is {shortened(size)}, not a positive 32-bit integer")
    parameters = {FIXED_SIZE: str(size)}
    if schema.get("logicalType") == "decimal":
        made = _decimal(schema, parameters)
    else:
        made = ConnectSchema("bytes", name=full_name, parameters=parameters)
    return AvroNode(Kind.FIXED, made, size=size, short_name=name_of(schema), full_name=full_name)


def _decimal(schema: Mapping[str, Any], parameters: Mapping[str, str]) -> ConnectSchema:
    scale, precision = schema.get("scale", 0), schema.get("precision")
    found = {**parameters, "scale": str(scale if isinstance(scale, int) else 0)}
    if precision is not None:
        if not isinstance(precision, int) or isinstance(precision, bool):
            raise SchemaRefused(f"the precision of a decimal is {shortened(precision)}, not an integer")
        found[DECIMAL_PRECISION] = str(precision)
    return ConnectSchema("bytes", name=DECIMAL, version=1, parameters=found)


def _own_parameters(schema: Mapping[str, Any], mapping: AvroMapping) -> dict[str, str]:
    found: dict[str, str] = {}
    given = schema.get("connect.parameters")
    if mapping.connect_meta_data and given is not None:
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise SchemaRefused(f"connect.parameters is {shortened(given)}; it must map names to texts")
        found.update(given)
    for key, value in schema.items():
        if key.startswith("avro"):
            found[key] = value if isinstance(value, str) else json.dumps(value)
    return found
