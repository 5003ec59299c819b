"""Decodes Protobuf record values to columns.

`columns` decodes whole batches with ptars; `values` decodes single messages that ptars doesn't read exactly.
"""
