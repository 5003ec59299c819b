"""Makes the converter of keys, including the transforms of keys."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.converters import make_key_converter
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.connect.properties.names import TRANSFORMS
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.string import ByteArrayConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.chain import TransformChain


class TransformedKeys(RecordConverter):
    """Converts keys, then transforms them. A key that a transform removes is null."""

    def __init__(self, converter: RecordConverter, transforms: Sequence[Transform]) -> None:
        """Combine a converter with transforms, which are applied in their order."""
        self._converter = converter
        self._transforms = TransformChain(transforms)

    @property
    def fingerprint(self) -> str:
        """The fingerprints of converter and transforms, combined."""
        return f"{self._converter.fingerprint}+{self._transforms.fingerprint}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Convert a batch of keys. Each key becomes a row, a reject, or nothing."""
        converted = self._converter.convert(batch)
        transformed = [self._transforms.apply(attrs.evolve(rows, batch=batch)) for rows in converted.groups]
        rejects = [*converted.rejects, *(reject for part in transformed for reject in part.rejects)]
        groups = [rows for part in transformed for rows in part.groups if len(rows) and not rows.tombstones]
        first, *others = groups or [converted.rows.slice(0, 0)]
        return Converted(first, sorted(rejects, key=lambda reject: reject.offset), others)


def make_transformed_keys(config: ConnectConfig) -> RecordConverter | None:
    """Make the converter of keys; None if keys stay bytes or aren't written. Nothing is connected.

    Raises:
        ConfigurationError: the converter needs a library that is not installed, or its settings can't work.
    """
    converter = make_key_converter(config)
    types = [config.given.get(f"transforms.{alias}.type", "") for alias in config.items(TRANSFORMS)]
    transforms = make_transforms(config).of_keys if any(type_.endswith("$Key") for type_ in types) else ()
    if not transforms:
        return converter
    return TransformedKeys(converter if converter is not None else ByteArrayConverter(), transforms)
