"""JSON record values with a schema: Kafka Connect's envelope, and JSON Schema from a registry."""
