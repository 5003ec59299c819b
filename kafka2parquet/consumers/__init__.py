"""Consumers: the protocol that the engine reads Kafka through, and its adapter for kafka-python (the only importer of kafka)."""
