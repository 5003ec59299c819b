"""The transforms of values that Apache Kafka brings, by the names of their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.cast import Cast
from kafka2parquet.transforms.extract_field import ExtractField, HoistField
from kafka2parquet.transforms.flatten import Flatten
from kafka2parquet.transforms.insert_field import InsertField

#: By the name of the class without package and without `$Value`.
JAVA: Mapping[str, Callable[[Mapping[str, str]], Transform]] = {
    "Cast": Cast.from_config,
    "ExtractField": ExtractField.from_config,
    "Flatten": Flatten.from_config,
    "HoistField": HoistField.from_config,
    "InsertField": InsertField.from_config,
}


def make(class_name: str, of_what: str | None, properties: Mapping[str, str]) -> Transform:
    """The transform of values that has the name of a Java class.

    Args:
        class_name: without package, such as `InsertField`.
        of_what: `Value` or `Key`: the class inside that one.
        properties: those of the transform, without prefix.

    Raises:
        ConfigurationError: they don't fit.
        LookupError: there is no such class.
    """
    return JAVA[class_name](properties)
