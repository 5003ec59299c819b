"""Proves from footers and committed offsets that every record is in exactly one file: `kafka2parquet audit`.

`read` collects footers and offsets, `coverage` judges each topic-partition, `deep` compares rows with the log, and `report` and
`html` present the result. `flushes` makes a table of all that the footers say.
"""

from kafka2parquet.audit.coverage import Finding, Kind
from kafka2parquet.audit.flushes import read_flushes

__all__ = ["Finding", "Kind", "read_flushes"]
