"""Reads the properties of a Connect worker from a file in any of its forms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kafka2parquet.connect.forms.connectors import Connector, connector_properties
from kafka2parquet.connect.forms.container import (
    properties_of_kafka_connect,
    properties_of_variables,
    variables_in_document,
    variables_in_file,
)
from kafka2parquet.connect.forms.json_form import is_json
from kafka2parquet.connect.forms.properties import read_source, source_name
from kafka2parquet.connect.forms.recognition import first_line, read_document
from kafka2parquet.errors import ConfigurationError


def read_worker(source: str | os.PathLike[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Read the properties of a worker. Variables in them are not looked up yet.

    Raises:
        ConfigurationError: the source can't be read; the message says what to do.
    """
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return _of_mapping(source)
    try:
        text = read_source(source)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{source_name(source)} can't be read: {error}.") from error
    try:
        return _of_text(text, Path(source).suffix)
    except ConfigurationError as error:
        where = f"The worker's configuration in {source_name(source)}"
        raise ConfigurationError([problem.within(where) for problem in error.details]) from error


def _of_text(text: str, suffix: str) -> dict[str, str]:
    begin = first_line(text)
    if not begin:
        return {}
    in_file = {} if is_json(text) else variables_in_file(text)
    if in_file and (begin.startswith("export ") or suffix == ".env"):  # elsewhere, a text that begins with `export` is a script
        return properties_of_variables(in_file)
    document = read_document(text, suffix)
    content = document.content
    of_strimzi = properties_of_kafka_connect(content)
    if of_strimzi is not None:
        return _of_mapping(of_strimzi)
    if isinstance(content, Mapping) and not any(isinstance(value, Mapping | list) for value in content.values()):
        return _of_mapping({**content, **({} if document.joins else in_file)})  # Java properties would lose backslashes
    variables = variables_in_document(content)
    if variables:
        return properties_of_variables(variables)
    if isinstance(content, Mapping):
        return _of_mapping(content, joins=document.joins)
    raise ConfigurationError("it has no properties of a worker, such as bootstrap.servers.")


def _of_mapping(content: Mapping[str, object], *, joins: bool = False) -> dict[str, str]:
    read = connector_properties(Connector(None, content), joins=joins)
    if read.problems:
        raise ConfigurationError(read.problems)
    return properties_of_variables(read.values)
