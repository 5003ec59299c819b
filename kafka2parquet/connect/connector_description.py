"""What Kafka Connect's REST API shows of a configuration."""

from __future__ import annotations

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.http.connect_rest import ConnectorDescription
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.secrets import HIDDEN, is_secret_name


@checked
def describe_connector(config: ConnectConfig, worker: WorkerConfig, *, worker_id: str = "") -> ConnectorDescription:
    """Describe a connector for a `StatusApp`, with secrets masked.

    As in Kafka Connect, a value that was looked up is shown as its variable, such as `${env:NAME}`.

    Args:
        config: the connector's configuration.
        worker: brokers, security and defaults.
        worker_id: `host:port` of the HTTP server of this process.
    """
    secrets = config.secrets | worker.secrets
    shown = {name: secrets.hide(_shown(config, name, text)) for name, text in config.read.values.items()}
    return ConnectorDescription(config.name, {**shown, "name": config.name}, worker_id, secrets.hide)


def _shown(config: ConnectConfig, name: str, text: str) -> str:
    """Return the text of a property with its variables in place of their values, or masked if the property is secret."""
    variables = (variable for property_name, variable, value in config.read.looked_up if (property_name, value) == (name, text))
    variable = next(variables, None)
    if variable is not None:
        return variable
    option = config.table.find(name)
    if option is not None:
        return config.variables.hide(option.shown(name, text))
    return HIDDEN if is_secret_name(name) else config.variables.hide(text)
