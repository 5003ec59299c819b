"""Decodes Avro record values to columns.

`schema` translates Avro schemas to Kafka Connect's, and thereby to columns. `columns` decodes whole batches with pyruhvro;
`values` decodes single values with fastavro, where pyruhvro can't.
"""
