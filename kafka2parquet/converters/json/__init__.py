"""Parses JSON record values without a schema to columns.

`parse_batch` parses whole batches with pyarrow; `parse_record` examines single records that a batch refuses. The columns are
given (`fixed_schema`) or learned (`learned_schema`, kept in the store by `contract`).
"""
