"""Readers of Parquet files, a zoo of types for them to read, and the table of what each makes of which type."""
