"""Kafka's record batches, decoded to Arrow columns."""
