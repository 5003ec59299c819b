"""The settings that control how Protobuf messages become columns."""

from __future__ import annotations

from typing import Any

import attrs

from kafka2parquet.util.arguments import checked

#: Messages that wrap one primitive, so that it can be absent.
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


@checked
@attrs.frozen
class ProtobufMapping:
    """How messages become columns. The settings and their defaults are those of Confluent's ProtobufConverter.

    Attributes:
        enhanced_schema_support: whether the names of structs and enums include their package
            (`enhanced.protobuf.schema.support`).
        optional_for_nullables: whether only fields that can be absent are optional columns (`optional.for.nullables`). Without
            this setting and `wrapper_for_nullables`, all columns are optional, although a scalar that isn't declared optional
            is never null.
        optional_for_proto2: whether absent optional fields of proto2 are null instead of their default
            (`optional.for.proto2`).
        wrapper_for_nullables: whether messages such as `google.protobuf.Int32Value` become optional primitives instead of
            structs with the field `value`; then only fields that can be absent are optional (`wrapper.for.nullables`).
        wrapper_for_raw_primitives: whether a value that is such a message becomes a primitive (`wrapper.for.raw.primitives`).
        int_for_enums: whether enums are numbers instead of names (`int.for.enums`).
        index_for_unions: whether the struct of a oneof is named by its name and index, such as `choice_0`
            (`generate.index.for.unions`).
    """

    enhanced_schema_support: bool = False
    optional_for_nullables: bool = False
    optional_for_proto2: bool = True
    wrapper_for_nullables: bool = False
    wrapper_for_raw_primitives: bool = True
    int_for_enums: bool = False
    index_for_unions: bool = True

    def name(self, descriptor: Any) -> str:
        """Return the name of a struct or enum."""
        return str(descriptor.full_name if self.enhanced_schema_support else descriptor.name)

    def union_name(self, oneof: Any) -> str:
        """Return the name of the column of a oneof."""
        return f"{oneof.name}_{oneof.index}" if self.index_for_unions else str(oneof.name)

    def unwraps(self, message: Any, *, root: bool = False) -> bool:
        """Whether the message is replaced by the primitive that it wraps."""
        return message.full_name in WRAPPERS and (self.wrapper_for_raw_primitives if root else self.wrapper_for_nullables)
