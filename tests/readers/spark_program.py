"""Reads files with Spark: `python -m tests.readers.spark_program FOLDER`, where FOLDER/files names them.

Writes FOLDER/<n>.arrow with the table of the n-th file, or FOLDER/<n>.error with the reason why Spark doesn't read it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.feather
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession


def main(folder: Path) -> None:
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.timeType.enabled", "true")  # without it Spark reads no file with a time
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    for number, path in enumerate((folder / "files").read_text().splitlines()):
        try:
            table = spark.read.parquet(path).toArrow()
        except PySparkException as error:
            (folder / f"{number}.error").write_text(str(error).splitlines()[0])
        else:
            pyarrow.feather.write_feather(table, folder / f"{number}.arrow")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
