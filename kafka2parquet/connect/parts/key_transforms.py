"""The converter of keys, with the transforms of keys that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.converters import make_key_converter
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.string import ByteArrayConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.chain import TransformChain


class TransformedKeys(RecordConverter):
    """Converts keys, and transforms what comes out. A key that a transform takes away is null."""

    def __init__(self, converter: RecordConverter, transforms: Sequence[Transform]) -> None:
        """Take the converter, and the transforms in their order."""
        self._converter = converter
        self._transforms = TransformChain(transforms)

    @property
    def fingerprint(self) -> str:
        """Names converter and transforms."""
        return f"{self._converter.fingerprint}+{self._transforms.fingerprint}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Make each key a row, a reject, or nothing."""
        converted = self._converter.convert(batch)
        transformed = [self._transforms.apply(attrs.evolve(rows, batch=batch)) for rows in converted.groups]
        rejects = [*converted.rejects, *(reject for part in transformed for reject in part.rejects)]
        groups = [rows for part in transformed for rows in part.groups if len(rows) and not rows.tombstones]
        first, *others = groups or [converted.rows.slice(0, 0)]
        return Converted(first, sorted(rejects, key=lambda reject: reject.offset), others)


def make_transformed_keys(config: ConnectConfig) -> RecordConverter | None:
    """The converter of keys; None where keys stay bytes, or aren't written at all. Nothing is connected.

    Raises:
        ConfigurationError: the converter lacks a library, or its settings can't work.
    """
    converter = make_key_converter(config)
    types = [config.given.get(f"transforms.{alias}.type", "") for alias in config.items("transforms")]
    transforms = make_transforms(config).of_keys if any(type_.endswith("$Key") for type_ in types) else ()
    if not transforms:
        return converter
    return TransformedKeys(converter if converter is not None else ByteArrayConverter(), transforms)
