"""Turns a batch of records into partitioned rows: convert, transform, add columns, check, partition.

`record_pipeline` holds the steps in their order. `failures` catches what a step raises, `results` checks what a step returns,
and `column_guard` refuses columns that would spoil a file.
"""
