"""Base64 of a column is what Python makes of each text."""

from __future__ import annotations

import base64
import binascii

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.base64_column import decode_base64

_WRITTEN = st.binary(max_size=12).map(lambda content: base64.b64encode(content).decode())


@given(st.lists(st.none() | _WRITTEN, max_size=8))
def test_decodes_what_was_encoded(texts: list[str | None]) -> None:
    """Nulls stay."""
    found = decode_base64(pa.array(texts, pa.string()))
    found.validate(full=True)
    assert [None if text is None else base64.b64decode(text) for text in texts] == found.to_pylist()


@given(st.lists(_WRITTEN | st.text("AB+/=-_ \n", max_size=9), min_size=1, max_size=3))
def test_refuses_what_python_refuses(texts: list[str]) -> None:
    """Nothing that is no base64 becomes bytes."""
    try:
        expected = [base64.b64decode(text, validate=True) for text in texts]
    except binascii.Error:
        with pytest.raises(ValueError, match="not base64"):
            decode_base64(pa.array(texts))
        return
    try:
        assert expected == decode_base64(pa.array(texts)).to_pylist()
    except ValueError:
        assert any(len(text) % 4 for text in texts)  # Python takes some that lack a character
