"""Avro record values, decoded to columns."""
