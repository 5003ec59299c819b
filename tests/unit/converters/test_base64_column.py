"""Decoding base64 in a column gives the same bytes as Python's decoder for each text."""

from __future__ import annotations

import base64
import binascii

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.base64_column import decode_base64

_WRITTEN = st.binary(max_size=12).map(lambda content: base64.b64encode(content).decode())


@given(st.lists(st.none() | _WRITTEN, max_size=8))
def test_decodes_what_was_encoded(texts: list[str | None]) -> None:
    """Encoded bytes are decoded, and nulls stay nulls."""
    found, fits = decode_base64(pa.array(texts, pa.string()))
    found.validate(full=True)
    assert fits.all()
    assert [None if text is None else base64.b64decode(text) for text in texts] == found.to_pylist()


@given(st.lists(st.none() | _WRITTEN | st.text("AB+/=-_ \n", max_size=9), max_size=6))
def test_refuses_what_python_refuses(texts: list[str | None]) -> None:
    """A text that is not base64 becomes empty, and the other texts are decoded, whatever is beside them."""
    found, fits = decode_base64(pa.array(texts, pa.string()))
    found.validate(full=True)
    for text, made, is_base64 in zip(texts, found.to_pylist(), fits.tolist(), strict=True):
        try:
            expected = None if text is None else base64.b64decode(text, validate=True)
        except binascii.Error:
            assert (b"", False) == (made, is_base64)
            continue
        if is_base64:
            assert expected == made
        else:
            assert text is not None
            assert len(text) % 4  # Python takes some that lack a character
