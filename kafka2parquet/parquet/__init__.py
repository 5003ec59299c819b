"""Writes Parquet files: staged locally, row group by row group, with a footer that names their flush."""
