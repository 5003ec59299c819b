"""Keys of objects, and the text of headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.converters.record_views import header_text
from kafka2parquet.object_names import view_name as name_of_view
from tests.acceptance.cases import CaseFolder
from tests.acceptance.messages import header_bytes
from tests.acceptance.outcome import NotApplicableError

#: What views are called in cases.
_VALUES = ("value", "values")


def object_key(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the key of a file after parsing it again."""
    config = folder.config(given["config"])
    view = None if given["view"] in _VALUES else given["view"]
    if view is not None and simple_name(config.text(f"{view}.format.class")) != "ParquetFormat":
        raise NotApplicableError(f"{view} are written as Parquet only")
    naming = make_naming(config)
    place = (given["topic"], given["partition"], given["encoded_partition"], given["offset"])
    return {"value": naming.key(*place, view=view)}


def view_name(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the name of a file of keys or headers beside a file of values."""
    view = None if given["view"] in _VALUES else given["view"]
    return {"value": name_of_view(given["name"], view, given["extension"])}


def header_to_string(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the text of a header's value."""
    return {"value": header_text(header_bytes(given["value"]))}
