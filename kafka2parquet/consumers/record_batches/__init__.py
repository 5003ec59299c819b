"""Decodes Kafka's record batches to Arrow columns, with bounded memory."""
