"""Looks up schemas in a schema registry, and decodes values that name such a schema.

`base` is the protocol of a registry, `confluent` its client, and `converter` the base class of the formats' converters.
"""
