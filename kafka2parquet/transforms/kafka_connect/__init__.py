"""Apache Kafka's own transforms of values, by the names of their Java classes.

The transforms do exactly what Kafka's classes do, but on whole columns. If a Java class throws, the record is rejected. As in
Java, the name of a field is the name of a column, not a path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.columns.extract_field import HoistField
from kafka2parquet.transforms.kafka_connect.cast import JavaCast
from kafka2parquet.transforms.kafka_connect.extract_field import JavaExtractField
from kafka2parquet.transforms.kafka_connect.flatten import JavaFlatten
from kafka2parquet.transforms.kafka_connect.insert_field import JavaInsertField
from kafka2parquet.transforms.kafka_connect.mask_field import JavaMaskField
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties
from kafka2parquet.transforms.kafka_connect.replace_field import JavaReplaceField
from kafka2parquet.transforms.kafka_connect.set_schema_metadata import JavaSetSchemaMetadata
from kafka2parquet.transforms.kafka_connect.timestamp_converter import JavaTimestampConverter


def _hoist_field(properties: Mapping[str, str]) -> HoistField:
    """Create a HoistField, which works as in Java, except that unknown properties are ignored."""
    return HoistField(JavaProperties(properties, "HoistField").required("field"))


_NULLS = "replace.null.with.default"
_MAKERS: Mapping[str, tuple[Callable[[Mapping[str, str]], Transform], tuple[str, ...]]] = {
    "Cast": (JavaCast.from_config, ("spec", _NULLS)),
    "ExtractField": (JavaExtractField.from_config, ("field", "field.syntax.version", _NULLS)),
    "Flatten": (JavaFlatten.from_config, ("delimiter",)),
    "HoistField": (_hoist_field, ("field",)),
    "InsertField": (
        JavaInsertField.from_config,
        (
            "topic.field",
            "partition.field",
            "offset.field",
            "timestamp.field",
            "static.field",
            "static.value",
            _NULLS,
        ),
    ),
    "MaskField": (JavaMaskField.from_config, ("fields", "replacement", _NULLS)),
    "ReplaceField": (
        JavaReplaceField.from_config,
        ("exclude", "include", "blacklist", "whitelist", "renames", _NULLS),
    ),
    "SetSchemaMetadata": (JavaSetSchemaMetadata.from_config, ("schema.name", "schema.version", _NULLS)),
    "TimestampConverter": (
        JavaTimestampConverter.from_config,
        ("field", "target.type", "format", "unix.precision", _NULLS),
    ),
}
#: Functions from properties to a transform, by the name of the class without package and without `$Value`.
JAVA: Mapping[str, Callable[[Mapping[str, str]], Transform]] = {name: maker for name, (maker, _) in _MAKERS.items()}
#: The properties of each class. Others are ignored, as Kafka ignores them.
PROPERTIES: Mapping[str, tuple[str, ...]] = {name: properties for name, (_, properties) in _MAKERS.items()}


def make(class_name: str, of_what: str | None, properties: Mapping[str, str]) -> Transform:
    """Create the transform of values with the name of a Java class.

    Args:
        class_name: name of the class without the package, such as `InsertField`.
        of_what: name of the inner class, `Value`.
        properties: the transform's properties, without prefix.

    Raises:
        ConfigurationError: the properties are invalid, or the inner class is not `Value`.
        LookupError: the class doesn't exist.
    """
    maker = JAVA[class_name]
    if of_what != "Value":
        raise ConfigurationError(f"{class_name} is the name of two classes: write {class_name}$Value to transform values.")
    return maker(properties)


__all__ = [
    "JavaCast",
    "JavaExtractField",
    "JavaFlatten",
    "JavaInsertField",
    "JavaMaskField",
    "JavaReplaceField",
    "JavaSetSchemaMetadata",
    "JavaTimestampConverter",
]
