"""Mask: hides the values of fields."""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.schema.field_paths import FieldPaths
from kafka2parquet.transforms.columns.paths import change_column, resolve_all
from kafka2parquet.transforms.columns.refusals import ColumnTransform, Refusals
from kafka2parquet.transforms.columns.values import TypeRefused, cast_exactly, is_bytes, texts_of
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import SecretText, checked
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

Replacement = str | int | float | bool


@checked
class Mask(ColumnTransform):
    """Replaces the values of fields with null, a constant, or their hashes. A null stays null.

    A row whose value can't be hashed, or has another type than the replacement, is rejected, so it is never written unmasked.

    Equal values have equal hashes, so masked columns can still be joined and counted.
    """

    def __init__(
        self,
        fields: FieldPaths,
        *,
        replacement: Replacement | None = None,
        hashed: Literal["sha256"] | None = None,
        key: SecretText = "",
    ) -> None:
        """Choose the fields and how to mask them.

        Args:
            fields: dotted paths of the fields.
            replacement: a value that fits the type of the fields. A text is parsed as a value of that type.
            hashed: `sha256` replaces a value with its hash, as 64 hexadecimal digits. Plain values that are neither text nor
                bytes are hashed as text.
            key: secret key for the hashes (HMAC). Without a key, anyone who can guess a value can recognize its hash.

        Raises:
            ConfigurationError: the fields are missing, or the settings exclude each other.
        """
        self._fields = tuple(fields)
        if hashed is not None and replacement is not None:
            raise ConfigurationError("Mask: a value is replaced or hashed, not both.")
        if key and hashed is None:
            raise ConfigurationError("Mask: key has no effect without a hash.")
        self._replacement = replacement
        self._hashed = hashed
        self._key = key.encode()

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Mask:
        """Read the properties `fields`, and `replacement` or `hash` (`sha256`) with `hash.key`."""
        given = TransformProperties(properties, "Mask", "fields", "replacement", "hash", "hash.key")
        hashed = given.text("hash")
        if hashed not in (None, "sha256"):
            raise ConfigurationError(Problem("hash", f"hash: {hashed!r} is unknown. The only hash is sha256."))
        return cls(
            given.items("fields"),
            replacement=given.text("replacement"),
            hashed="sha256" if hashed is not None else None,
            key=given.text("hash.key") or "",
        )

    @property
    def fingerprint(self) -> str:
        """Text that identifies the fields and their masks, with only a digest of the key."""
        key = hashlib.sha256(b"fingerprint" + self._key).hexdigest() if self._key else ""
        return f"mask-{sorted(self._fields)}-{self._replacement!r}-{self._hashed}-{key}"

    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with masked values."""
        for parts in resolve_all(table.schema, self._fields):
            table = change_column(table, parts, functools.partial(self._masked, ".".join(parts), refusals))
        return table

    def _masked(self, path: str, refusals: Refusals, field: pa.Field, values: pa.Array) -> tuple[pa.Field, pa.Array]:
        try:
            if self._hashed is not None:
                return field.with_type(pa.string()), self._hash(values)
            if self._replacement is None:
                return field.with_nullable(True), pa.nulls(len(values), field.type)
            return field, pc.if_else(values.is_valid(), self._constant(field.type), pa.scalar(None, field.type))
        except TypeRefused:
            if self._hashed is not None:
                why = "can't be hashed. Name the fields in it, or replace it with null"
            else:
                why = f"the replacement {self._replacement!r} can't become"
            refusals.add(values.is_valid(), f"{path} is {field.type}, which {why}.")
            type_ = pa.string() if self._hashed is not None else field.type
            return field.with_type(type_), pa.nulls(len(values), type_)

    def _constant(self, type_: pa.DataType) -> pa.Scalar:
        """Convert the replacement to a type.

        Raises:
            TypeRefused: the replacement doesn't fit the type.
        """
        try:
            (constant,) = cast_exactly(pa.array([self._replacement]), type_)
        except ARROW_DATA_ERRORS as error:
            raise TypeRefused from error
        if not constant.is_valid:
            raise TypeRefused
        return constant

    def _hash(self, values: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not is_bytes(values.type):
            values = texts_of(values)
        encoded = values.cast(pa.binary()).dictionary_encode()
        digests = [self._digest(value) for value in encoded.dictionary.to_pylist()]  # hashes each distinct value once
        return pa.array(digests, pa.string()).take(encoded.indices)

    def _digest(self, value: bytes) -> str:
        if self._key:
            return hmac.new(self._key, value, hashlib.sha256).hexdigest()
        return hashlib.sha256(value).hexdigest()
