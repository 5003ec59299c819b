"""Parquet: staged files, the writer that fills them row group by row group, and what their footers say."""
