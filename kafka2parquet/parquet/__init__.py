"""Writes Parquet files: staged locally, row group by row group, with a footer that names their flush.

`writer` collects tables in the types of `types`, and `part` encodes them. `staging` is the local folder, and `footer` our
metadata.
"""
