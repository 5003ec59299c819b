"""Decodes JSON record values with a schema: Kafka Connect's envelope, and JSON Schema from a registry.

`columns` decodes whole batches; `values` decodes single values where a batch is refused.
"""
