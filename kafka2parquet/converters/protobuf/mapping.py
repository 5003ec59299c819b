"""ProtobufMapping: the settings of how Protobuf messages become columns."""

from __future__ import annotations

from typing import Any

import attrs

from kafka2parquet.util.arguments import checked

#: Messages around one primitive, which exist to be absent.
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


@checked
@attrs.frozen
class ProtobufMapping:
    """How messages become columns. Defaults are those of Confluent's ProtobufConverter, whose settings these are.

    Attributes:
        enhanced_schema_support: name structs and enums with their package (`enhanced.protobuf.schema.support`).
        optional_for_nullables: only fields that can be absent are optional columns (`optional.for.nullables`); without this
            and `wrapper_for_nullables` all are, though a scalar that isn't declared optional never is null.
        optional_for_proto2: absent optional fields of proto2 are null instead of their default (`optional.for.proto2`).
        wrapper_for_nullables: messages such as `google.protobuf.Int32Value` become optional primitives instead of structs with
            the field `value`, and only what can be absent is optional (`wrapper.for.nullables`).
        wrapper_for_raw_primitives: a value that is such a message as a whole is a primitive (`wrapper.for.raw.primitives`).
        int_for_enums: enums are numbers instead of names (`int.for.enums`).
        index_for_unions: the struct of a oneof is called by its name and index, `choice_0` (`generate.index.for.unions`).
    """

    enhanced_schema_support: bool = False
    optional_for_nullables: bool = False
    optional_for_proto2: bool = True
    wrapper_for_nullables: bool = False
    wrapper_for_raw_primitives: bool = True
    int_for_enums: bool = False
    index_for_unions: bool = True

    def name(self, descriptor: Any) -> str:
        """What a struct or enum is called."""
        return str(descriptor.full_name if self.enhanced_schema_support else descriptor.name)

    def union_name(self, oneof: Any) -> str:
        """What the column of a oneof is called."""
        return f"{oneof.name}_{oneof.index}" if self.index_for_unions else str(oneof.name)

    def unwraps(self, message: Any, *, root: bool = False) -> bool:
        """Whether the message is replaced by the primitive in it."""
        return message.full_name in WRAPPERS and (self.wrapper_for_raw_primitives if root else self.wrapper_for_nullables)
