"""Reads the properties of a connector from the text of a configuration, or from a mapping."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kafka2parquet.connect.forms.connectors import choose_connector, connector_properties, find_connectors
from kafka2parquet.connect.forms.document import Document
from kafka2parquet.connect.forms.properties import Properties
from kafka2parquet.connect.forms.recognition import read_document


def read_properties(text: str, *, name: str | None = None, suffix: str = "") -> Properties:
    """Read the text of a connector configuration.

    Args:
        text: JSON, YAML, TOML or Java properties, in any of the forms that Kafka Connect and the tools around it use.
        name: name of the connector; required if the text has several.
        suffix: suffix of the file's name, for texts that are valid in two notations.

    Raises:
        ConfigurationError: the text can't be read, or doesn't contain the connector.
    """
    return _chosen(read_document(text, suffix), name)


def flatten(document: Mapping[str, object], *, name: str | None = None) -> Properties:
    """Return the properties in a mapping, either flat or in a wrapper such as `{"name": …, "config": {…}}`.

    Raises:
        ConfigurationError: the mapping has no connector called `name`, or several and `name` is None.
    """
    return _chosen(Document(document), name) if document else Properties({})


def _chosen(document: Document, name: str | None) -> Properties:
    connector = choose_connector(find_connectors(document), name)
    read = connector_properties(connector, joins=document.joins)
    return attrs.evolve(read, findings=(*document.warnings, *read.findings))
