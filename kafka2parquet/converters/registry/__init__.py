"""Schemas of record values that a registry keeps, and the converter for values that name one."""
