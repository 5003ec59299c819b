"""Decodes Protobuf record values to columns.

`schema` translates descriptors to Kafka Connect's schemas, and thereby to columns. `columns` decodes whole batches with ptars;
`values` decodes single messages that ptars doesn't read exactly.
"""
