"""How deep JSON may be nested: the same on every Python, however deep the stack is already."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.connect.text import read_properties
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.lattice import any_field
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.util.json_depth import MAX_VALUE_LEVELS, JsonTooDeep, parse_json, refuse_deep
from tests.support.batches import batch_of

DOCUMENTS = st.recursive(
    st.none() | st.text(st.sampled_from('[]{}"\\a'), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('[]{}"\\a'), max_size=3), inner, max_size=3)
    ),
)


def _levels(document: Any) -> int:
    if not isinstance(document, dict | list):
        return 0
    return 1 + max(map(_levels, document.values() if isinstance(document, dict) else document), default=0)


@given(DOCUMENTS, st.booleans())
def test_levels_are_counted_outside_of_texts(document: Any, as_bytes: bool) -> None:
    """A document with as many as may be passes, and not one more."""
    levels = _levels(document)
    text = json.dumps(document)
    given = text.encode() if as_bytes else text
    assert document == parse_json(given, max_levels=levels)
    if levels:
        with pytest.raises(JsonTooDeep, match=f"nested more than {levels - 1} levels deep"):
            refuse_deep(given, levels - 1)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '["\\\\",' * 100_000, "[1,\n" * 50_000 + "]" * 50_000])
def test_very_deep(text: str) -> None:
    """A very deep document is refused at once, complete or not."""
    with pytest.raises(JsonTooDeep):
        parse_json(text, max_levels=MAX_VALUE_LEVELS)


@pytest.mark.parametrize("text", ['\\"' * 500_000, '"' + "\\" * 1_000_001, "[]" * 500_000, '"[",' * 300_000])
def test_strange_texts_take_no_longer_than_others(text: str) -> None:
    """Unusual texts take no longer than others, even if they are not JSON."""
    refuse_deep(text, 1)


def _nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("frames", [0, 300])
def test_values_at_the_limit(frames: int) -> None:
    """A value at the limit is converted, and one more level is a reject, even deep in a stack."""
    _deeper(frames)


def _deeper(frames: int) -> None:
    if frames:
        _deeper(frames - 1)
    else:
        _check_values()


def _check_values() -> None:
    converter = JsonConverter(learned=LearnedSchema(pa.schema([any_field("a")])), on_misfit="string")
    converted = converter.convert(batch_of([_nested(MAX_VALUE_LEVELS), _nested(MAX_VALUE_LEVELS + 1)]))
    assert [0] == converted.rows.offsets.to_pylist()
    assert ["nested more than 128 levels deep"] == [reject.reason for reject in converted.rejects]


def test_envelopes() -> None:
    """Envelopes have separate levels, and are rejects beyond the limit."""
    messages = [b'{"schema":' + b"[" * 5000 + b"]" * 5000 + b',"payload":1}', b"[" * 5000]
    rejects = JsonEnvelopeConverter().convert(batch_of(messages)).rejects
    assert [True] * 2 == [bool(re.search("nested more than 128 levels deep$", reject.reason)) for reject in rejects]


def test_configurations() -> None:
    """A configuration that is nested too deeply is refused with an error."""
    with pytest.raises(ConfigurationError, match=r"^This JSON can't be read: nested more than 500 levels deep\.$"):
        read_properties('{"a":' * 5000)
