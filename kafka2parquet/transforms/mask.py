"""Mask: values that nobody may see."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.transforms.base import TableTransform
from kafka2parquet.transforms.paths import change_column, checked_paths, resolve_all
from kafka2parquet.transforms.properties import TransformProperties

Replacement = str | int | float | bool


class Mask(TableTransform):
    """Replaces the values of fields: by null, by one value for all, or by their hashes. A null stays null.

    Equal values have equal hashes, so that masked columns can still be joined and counted.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        replacement: Replacement | None = None,
        hashed: Literal["sha256"] | None = None,
        key: str = "",
    ) -> None:
        """Choose the fields and what they become.

        Args:
            fields: their dotted paths.
            replacement: a value that fits the type of the fields; a text is read as a value of that type.
            hashed: `sha256` makes texts of 64 hexadecimal digits of texts, bytes and other plain values (of their texts).
            key: secret for the hashes (HMAC). Without one, whoever can guess values can recognise their hashes.

        Raises:
            ConfigurationError: no field, or settings that exclude each other.
        """
        self._fields = checked_paths(fields, "Mask")
        if hashed not in (None, "sha256"):
            raise ConfigurationError(f"Mask: {hashed!r} is no known hash; it knows sha256.")
        if hashed is not None and replacement is not None:
            raise ConfigurationError("Mask: a value is replaced or hashed, not both.")
        if key and hashed is None:
            raise ConfigurationError("Mask: key has no effect without a hash.")
        self._replacement = replacement
        self._hashed = hashed
        self._key = key.encode()

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Mask:
        """Properties: `fields`, and `replacement` or `hash` (`sha256`) with `hash.key`."""
        given = TransformProperties(properties, "Mask", "fields", "replacement", "hash", "hash.key")
        hashed = given.text("hash")
        if hashed not in (None, "sha256"):
            raise ConfigurationError(f"hash: {hashed!r} is not known; it is sha256.")
        return cls(
            given.items("fields"),
            replacement=given.text("replacement"),
            hashed="sha256" if hashed is not None else None,
            key=given.text("hash.key") or "",
        )

    @property
    def fingerprint(self) -> str:
        """Names the fields and what they become; of a key only a digest."""
        key = hashlib.sha256(b"fingerprint" + self._key).hexdigest() if self._key else ""
        return f"mask-{sorted(self._fields)}-{self._replacement!r}-{self._hashed}-{key}"

    def transform(self, table: pa.Table) -> pa.Table:
        """The table with masked values.

        Raises:
            UsageError: the replacement doesn't fit a field's type, or its values can't be hashed.
        """
        for parts in resolve_all(table.schema, self._fields):
            table = change_column(table, parts, self._masked)
        return table

    def _masked(self, field: pa.Field, values: pa.Array) -> tuple[pa.Field, pa.Array]:
        if self._hashed is not None:
            return field.with_type(pa.string()), self._hash(field, values)
        if self._replacement is None:
            return field.with_nullable(True), pa.nulls(len(values), field.type)
        return field, pc.if_else(values.is_valid(), self._constant(field), pa.scalar(None, field.type))

    def _constant(self, field: pa.Field) -> pa.Scalar:
        try:
            given = pa.scalar(self._replacement)
            return given.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise UsageError(f"Mask: the replacement of {field.name} is no {field.type}: {error}.") from error

    def _hash(self, field: pa.Field, values: pa.Array) -> pa.Array:
        if pa.types.is_nested(field.type):
            raise UsageError(f"Mask: {field.name} is {field.type}, which can't be hashed. Name the fields in it, or null it.")
        if pa.types.is_dictionary(field.type):
            values = values.dictionary_decode()
        is_binary = pa.types.is_binary(values.type) or pa.types.is_fixed_size_binary(values.type)
        encoded = values.cast(pa.binary() if is_binary else pa.string()).cast(pa.binary()).dictionary_encode()
        digests = [self._digest(value) for value in encoded.dictionary.to_pylist()]  # of the distinct values only
        return pa.array(digests, pa.string()).take(encoded.indices)

    def _digest(self, value: bytes) -> str:
        if self._key:
            return hmac.new(self._key, value, hashlib.sha256).hexdigest()
        return hashlib.sha256(value).hexdigest()
