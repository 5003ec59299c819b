"""Protobuf record values, decoded to columns."""
