"""The command line: `kafka2parquet run`, `check`, `init`, `schema`, `audit` and `demo`."""
