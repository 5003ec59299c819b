"""Proves from footers and committed offsets that every record is in exactly one file: `kafka2parquet audit`."""
