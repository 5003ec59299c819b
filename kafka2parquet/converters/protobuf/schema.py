"""Translates Protobuf descriptors to Kafka Connect's schemas, by the rules of Confluent's ProtobufData.

Each message type is planned once. Its `ProtobufNode` has the schema, and describes where each value is in a message.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FieldDescriptor

from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.schema.connect_schema import (
    DATE,
    DECIMAL,
    DECIMAL_PRECISION,
    TIME,
    TIMESTAMP,
    ConnectField,
    ConnectSchema,
)
from kafka2parquet.schema.refused import SchemaRefused

#: Most fields of a plan. A small schema could mean millions of columns: a message of ten fields, each a message of ten fields,
#: and so on.
_MAX_NODES = 10_000
_MAX_DEPTH = 100

_NAMESPACE = "io.confluent.connect.protobuf"
ENUM = f"{_NAMESPACE}.Enum"
UNION = f"{_NAMESPACE}.Union"
#: The parameters with a field's number, and with its Protobuf type if Connect's type doesn't show it.
TAG = f"{_NAMESPACE}.Tag"
TYPE = f"{_NAMESPACE}.Type"

_PRIMITIVES: Mapping[int, str] = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_SINT32: "int32",
    FieldDescriptor.TYPE_SFIXED32: "int32",
    FieldDescriptor.TYPE_UINT32: "int64",
    FieldDescriptor.TYPE_FIXED32: "int64",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "int64",
    FieldDescriptor.TYPE_SINT64: "int64",
    FieldDescriptor.TYPE_FIXED64: "int64",
    FieldDescriptor.TYPE_SFIXED64: "int64",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_BOOL: "boolean",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}
#: Protobuf types that Connect's type doesn't show.
_TYPE_NAMES: Mapping[int, str] = {
    FieldDescriptor.TYPE_SINT32: "sint32",
    FieldDescriptor.TYPE_SFIXED32: "sfixed32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_FIXED32: "fixed32",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_SINT64: "sint64",
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_SFIXED64: "sfixed64",
}
#: Messages that represent one value of a logical type.
LOGICAL: Mapping[str, tuple[str, str]] = {
    "confluent.type.Decimal": ("bytes", DECIMAL),
    "google.type.Date": ("int32", DATE),
    "google.type.TimeOfDay": ("int32", TIME),
    "google.protobuf.Timestamp": ("int64", TIMESTAMP),
}


class Kind(enum.Enum):
    """The kinds of nodes."""

    PLAIN = "plain"
    UNSIGNED32 = "unsigned32"
    UNSIGNED64 = "unsigned64"
    ENUM = "enum"
    LOGICAL = "logical"
    WRAPPER = "wrapper"
    STRUCT = "struct"
    UNION = "union"
    LIST = "list"
    MAP = "map"


_UNSIGNED = {
    FieldDescriptor.TYPE_UINT32: Kind.UNSIGNED32,
    FieldDescriptor.TYPE_FIXED32: Kind.UNSIGNED32,
    FieldDescriptor.TYPE_UINT64: Kind.UNSIGNED64,
    FieldDescriptor.TYPE_FIXED64: Kind.UNSIGNED64,
}


@attrs.frozen(eq=False)
class ProtobufNode:
    """The plan of a value: where it is in a message, and its schema.

    Attributes:
        kind: the kind of value; a `UNION` is a oneof, and a `WRAPPER` has the primitive as its child.
        name: the name of the field or oneof.
        schema: the schema of the value.
        nullable: whether the value is null if the field is absent; otherwise it is the field's default.
        children: the unions and fields of a struct, the cases of a union, the item of a list, or the key and value of a map.
        enum: the descriptor of an enum.
        proto3: whether everything in the value is proto3.
    """

    kind: Kind
    name: str
    schema: ConnectSchema
    nullable: bool = False
    children: tuple[ProtobufNode, ...] = ()
    enum: Any = None
    proto3: bool = True

    def enum_name(self, number: int) -> str:
        """Return the name of an enum's value, as Java's Protobuf does."""
        value = self.enum.values_by_number.get(number)
        return str(value.name) if value is not None else f"UNKNOWN_ENUM_VALUE_{self.enum.name}_{number}"


def plan_message(message: Any, mapping: ProtobufMapping, version: int | None = None) -> ProtobufNode:
    """Plan the conversion of a message type.

    Args:
        message: the descriptor of the type.
        mapping: the settings.
        version: the version of the schema in the registry.

    Raises:
        SchemaRefused: the message contains itself, a message without fields, or too many parts.
    """
    planner = _Planner(mapping)
    if mapping.unwraps(message, root=True):
        value = planner.primitive(message.fields_by_name["value"])
        schema = ConnectSchema(value.schema.type, version=version)
        return ProtobufNode(Kind.WRAPPER, "", schema, children=(attrs.evolve(value, schema=schema),))
    return planner.struct(message, (), version=version)


@attrs.define
class _Planner:
    mapping: ProtobufMapping
    _nodes: int = 0
    _protos: dict[str, Any] = attrs.Factory(dict)
    _syntaxes: dict[str, str] = attrs.Factory(dict)

    def struct(self, message: Any, around: tuple[str, ...], **more: Any) -> ProtobufNode:
        if message.full_name in around:
            raise SchemaRefused(f"the message {message.full_name} contains itself, and Parquet has no recursive types")
        if not message.fields:
            raise SchemaRefused(f"the message {message.full_name} has no fields, and Parquet has no empty structs")
        if len(around) >= _MAX_DEPTH:
            raise SchemaRefused("the schema is nested too deeply")
        around = (*around, message.full_name)
        proto = self._proto(message)
        syntax = self._syntax(message.file)
        unions, fields = [], []
        for oneof in message.oneofs:
            if not proto.field[oneof.fields[0].index].proto3_optional:
                unions.append(self._union(oneof, proto, syntax, around))
        for field in message.fields:
            if field.containing_oneof is None or proto.field[field.index].proto3_optional:
                fields.append(self._field(field, proto.field[field.index], syntax, around))
        members = [ConnectField(self.mapping.union_name(oneof), union.schema) for oneof, union in unions]
        members += [ConnectField(field.name, field.schema) for field in fields]
        children = (*(union for _, union in unions), *fields)
        return ProtobufNode(
            Kind.STRUCT,
            "",
            ConnectSchema("struct", name=self.mapping.name(message), fields=tuple(members), **more),
            nullable=True,
            children=children,
            proto3=syntax == "proto3" and all(child.proto3 for child in children),
        )

    def _union(self, oneof: Any, proto: Any, syntax: str, around: tuple[str, ...]) -> tuple[Any, ProtobufNode]:
        cases = tuple(self._field(field, proto.field[field.index], syntax, around) for field in oneof.fields)
        name = f"{oneof.containing_type.full_name}.{oneof.name}" if self.mapping.enhanced_schema_support else oneof.name
        members = tuple(ConnectField(case.name, case.schema) for case in cases)
        schema = ConnectSchema("struct", optional=True, name=f"{UNION}.{name}", fields=members)
        proto3 = all(case.proto3 for case in cases)
        return oneof, ProtobufNode(Kind.UNION, oneof.name, schema, nullable=True, children=cases, proto3=proto3)

    def _proto(self, message: Any) -> Any:
        if message.full_name not in self._protos:
            proto = self._protos[message.full_name] = descriptor_pb2.DescriptorProto()
            message.CopyToProto(proto)
        return self._protos[message.full_name]

    def _syntax(self, file: Any) -> str:
        if file.name not in self._syntaxes:
            proto = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(proto)
            self._syntaxes[file.name] = proto.syntax or "proto2"
        return self._syntaxes[file.name]

    def _field(self, field: Any, proto: Any, syntax: str, around: tuple[str, ...]) -> ProtobufNode:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise SchemaRefused(f"the schema has more than {_MAX_NODES} parts")
        node = self._single(field, around)
        repeated = field.is_repeated and node.kind is not Kind.MAP
        if repeated:
            item = attrs.evolve(node, schema=attrs.evolve(node.schema, optional=True), nullable=False)
            schema = ConnectSchema("array", optional=True, values=item.schema)
            node = ProtobufNode(Kind.LIST, "", schema, children=(item,), proto3=item.proto3)
        proto2_optional = syntax == "proto2" and proto.label == proto.LABEL_OPTIONAL and field.containing_oneof is None
        has_keyword = proto.proto3_optional or proto2_optional
        optional = has_keyword if self.mapping.optional_for_nullables else not self.mapping.wrapper_for_nullables
        null_if_absent = proto.proto3_optional or (proto2_optional and self.mapping.optional_for_proto2)
        schema = attrs.evolve(
            node.schema,
            optional=node.schema.optional or optional or null_if_absent,
            parameters={**node.schema.parameters, TAG: str(field.number)},
        )
        return attrs.evolve(node, name=field.name, schema=schema, nullable=node.nullable or null_if_absent)

    def _single(self, field: Any, around: tuple[str, ...]) -> ProtobufNode:
        if field.type == FieldDescriptor.TYPE_ENUM:
            return self._enum(field.enum_type)
        if field.type not in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP):
            return self.primitive(field)
        message = field.message_type
        if field.is_repeated and message.GetOptions().map_entry:
            return self._map(message, around)
        if message.full_name in LOGICAL:
            kind, name = LOGICAL[message.full_name]
            parameters = _decimal_parameters(field) if name == DECIMAL else {}
            schema = ConnectSchema(kind, optional=True, name=name, version=1, parameters=parameters)
            return ProtobufNode(Kind.LOGICAL, "", schema, nullable=True)
        if self.mapping.unwraps(message):
            value = self.primitive(message.fields_by_name["value"])
            schema = ConnectSchema(value.schema.type, optional=True)
            return ProtobufNode(Kind.WRAPPER, "", schema, nullable=True, children=(attrs.evolve(value, schema=schema),))
        return self.struct(message, around, optional=True)

    def primitive(self, field: Any) -> ProtobufNode:
        kind = _PRIMITIVES[field.type]
        if kind == "int32":
            kind = {"int8": "int8", "int16": "int16"}.get(_field_parameters(field).get("connect.type", ""), kind)
        parameters = {TYPE: _TYPE_NAMES[field.type]} if field.type in _TYPE_NAMES and kind in ("int32", "int64") else {}
        return ProtobufNode(_UNSIGNED.get(field.type, Kind.PLAIN), field.name, ConnectSchema(kind, parameters=parameters))

    def _enum(self, enum: Any) -> ProtobufNode:
        symbols = {f"{ENUM}.{value.name}": str(value.number) for value in enum.values}
        schema = ConnectSchema(
            "int32" if self.mapping.int_for_enums else "string",
            optional=True,
            name=self.mapping.name(enum),
            parameters={ENUM: enum.name, **symbols},
        )
        return ProtobufNode(Kind.ENUM, "", schema, enum=enum, proto3=self._syntax(enum.file) == "proto3")

    def _map(self, entry: Any, around: tuple[str, ...]) -> ProtobufNode:
        proto = self._proto(entry)
        syntax = self._syntax(entry.file)
        key, value = (
            self._field(field, proto.field[field.index], "proto3" if syntax == "proto2" else syntax, around)
            for field in (entry.fields_by_name["key"], entry.fields_by_name["value"])
        )
        schema = ConnectSchema(
            "map",
            optional=True,
            name=_map_field_name(self.mapping.name(entry)),
            keys=key.schema,
            values=value.schema,
        )
        return ProtobufNode(Kind.MAP, "", schema, children=(key, value), proto3=key.proto3 and value.proto3)


def _decimal_parameters(field: Any) -> dict[str, str]:
    parameters = _field_parameters(field)
    precision, scale = parameters.get("precision", ""), parameters.get("scale", "")
    found = {"scale": scale if scale.removeprefix("-").isdecimal() else "0"}
    return {**found, DECIMAL_PRECISION: precision} if precision.isdecimal() else found


def _field_parameters(field: Any) -> Mapping[str, str]:
    """Return the parameters of Confluent's field option `field_meta`, if the schema imports it."""
    pool = field.file.pool
    try:
        extension = pool.FindExtensionByName("confluent.field_meta")
    except KeyError:
        return {}
    options = message_factory.GetMessageClass(extension.containing_type)
    return dict(options.FromString(field.GetOptions().SerializeToString()).Extensions[extension].params)


def _map_field_name(entry: str) -> str:
    """Return the name of the field that a map entry belongs to: `foo_bar` for `FooBarEntry`."""
    if not entry.endswith("Entry"):
        return entry
    name = entry.removesuffix("Entry")
    return "".join(f"_{letter.lower()}" if letter.isupper() and i else letter.lower() for i, letter in enumerate(name))
