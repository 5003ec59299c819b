"""Recognizes properties that belong to a worker's file, or to the managed connectors of Confluent Cloud."""

from __future__ import annotations

from collections.abc import Mapping

from kafka2parquet.connect.clients.consumer import CONSUMER_TABLE
from kafka2parquet.connect.properties.converters import CONVERTER_OPTIONS
from kafka2parquet.connect.properties.names import CONNECTOR_CLASS

_KAFKA_LOGIN = "the worker's properties (--worker FILE): security.protocol=SASL_SSL, sasl.mechanism=PLAIN and sasl.jaas.config"
_AWS_LOGIN = "aws.access.key.id with aws.secret.access.key, or s3.credentials.provider.class=…AwsAssumeRoleCredentialsProvider"

#: Properties of Confluent Cloud's connectors that the self-managed sinks don't have, and what to use instead.
CLOUD: Mapping[str, str] = {
    "input.data.format": "value.converter: AVRO is io.confluent.connect.avro.AvroConverter, PROTOBUF "
    "io.confluent.connect.protobuf.ProtobufConverter, JSON_SR io.confluent.connect.json.JsonSchemaConverter, each with "
    "value.converter.schema.registry.url; JSON is org.apache.kafka.connect.json.JsonConverter with "
    "value.converter.schemas.enable=false",
    "input.key.format": "key.converter, with the classes of input.data.format",
    "output.data.format": "format.class, which is always ParquetFormat",
    "output.keys.format": "keys.format.class",
    "output.headers.format": "headers.format.class",
    "time.interval": "partitioner.class: HOURLY is io.confluent.connect.storage.partitioner.TimeBasedPartitioner with "
    "partition.duration.ms=3600000, DAILY with 86400000, and path.format as it is",
    "compression.codec": "parquet.codec",
    "gcs.credentials.config": "gcs.credentials.json, or gcs.credentials.path",
    "authentication.method": _AWS_LOGIN,
    "provider.integration.id": _AWS_LOGIN,
    "kafka.auth.mode": _KAFKA_LOGIN,
    "kafka.api.key": _KAFKA_LOGIN,
    "kafka.api.secret": _KAFKA_LOGIN,
    "kafka.service.account.id": _KAFKA_LOGIN,
    "kafka.endpoint": "bootstrap.servers in the worker's properties (--worker FILE), or --bootstrap-server HOST:PORT",
    "schema.context.name": "value.converter.schema.registry.url, with /contexts/.name. at its end",
}
CLOUD_GROUP = (
    "They belong to the consumer group connect-lcc-<id>, where lcc-<id> is the connector's id in Confluent Cloud. Set"
    " consumer.override.group.id to that group to continue at its offsets. Otherwise, reading begins at the first records."
)
#: The classes of the self-managed sinks, by Confluent Cloud's names of its connectors.
_CLOUD_CONNECTORS = {
    "S3_SINK": "io.confluent.connect.s3.S3SinkConnector",
    "GcsSink": "io.confluent.connect.gcs.GcsSinkConnector",
}
_CLIENTS = ("consumer.", "producer.", "admin.")
_LOGIN = ("bootstrap.servers", "security.", "sasl.", "ssl.")
_WORKER = (
    "access.control.",
    "config.providers",
    "config.storage.",
    "connector.client.config.override.policy",
    "group.id",
    "internal.",
    "listeners",
    "offset.",
    "plugin.",
    "rest.",
    "status.storage.",
    "task.shutdown.graceful.timeout.ms",
    "topic.creation.",
)


def cloud_connector(given: Mapping[str, str]) -> str | None:
    """Return the self-managed sink for a configuration of Confluent Cloud; None for other configurations."""
    name = given.get(CONNECTOR_CLASS, "")
    # GcsSink is also an alias in self-managed Connect, which requires a format.class
    if name == "S3_SINK" or (name == "GcsSink" and "format.class" not in given and not CLOUD.keys().isdisjoint(given)):
        return _CLOUD_CONNECTORS[name]
    return None


def belongs_elsewhere(name: str) -> str | None:
    """Return why a property that the sinks don't know has no effect, and what to do; None if the reason isn't known."""
    if name == "compression.type":
        return "it belongs to Kafka's producers and topics. Parquet files are compressed as parquet.codec says"
    if name in CLOUD:
        return f"it belongs to Confluent Cloud's connectors. Use {CLOUD[name]}"
    client = next((prefix for prefix in _CLIENTS if name.startswith(prefix)), None)
    if client is not None:
        override = f"{client}override.{name.removeprefix(client)}"
        return f"it belongs to the worker's properties (--worker FILE). In a connector it is {override}"
    if name.startswith(_LOGIN):
        option = ", or --bootstrap-server HOST:PORT" if name == "bootstrap.servers" else ""
        return f"it belongs to the worker's properties (--worker FILE{option})"
    if name in CONSUMER_TABLE.without_effect:
        return CONSUMER_TABLE.without_effect[name]
    if name in CONSUMER_TABLE.same_name or name in CONSUMER_TABLE.special:
        return f"it is a setting of Kafka's clients. In a connector it is consumer.override.{name}"
    if f"value.converter.{name}" in {option.name for option in CONVERTER_OPTIONS}:
        return f"it is a setting of converters. In a connector it is value.converter.{name}"
    if name.startswith("hive."):
        return "the sink doesn't write to a metastore; query engines find the folders by themselves"
    if name.startswith(_WORKER):
        return "it concerns Connect's workers"
    return None
