"""Decodes Kafka's record batches to Arrow columns, with bounded memory.

`fetched_batches` holds the bytes of a fetch. `decoding` turns some of them into columns (`columns`) at a time, and
`decompression` limits how large a batch may get.
"""
