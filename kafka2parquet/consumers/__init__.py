"""The protocol that the engine reads Kafka through, and its adapter for kafka-python (the only place that imports it)."""
