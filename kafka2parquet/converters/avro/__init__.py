"""Decodes Avro record values to columns.

`columns` decodes whole batches with pyruhvro; `values` decodes single values with fastavro, where pyruhvro can't.
"""
