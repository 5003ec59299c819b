"""`python -m kafka2parquet`: the command line."""

import sys

from kafka2parquet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
