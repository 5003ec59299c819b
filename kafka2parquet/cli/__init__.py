"""The command line: `kafka2parquet run`, `check`, `init`, `schema`, `audit` and `demo`.

`main` parses the arguments and sets the exit code. Larger commands have modules with their names. Everything that is printed
goes through `terminal`.
"""
