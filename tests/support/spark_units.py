"""Merges a sink's small files on Spark: `python -m tests.support.spark_units SINK BOOTSTRAP`, with two executor processes."""

from __future__ import annotations

import os
import sys

from pyspark.sql import SparkSession

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.compaction import SinkCompaction, verify


def main(sink: str, bootstrap: str) -> None:
    compaction = SinkCompaction(
        load_connect_config(sink), load_worker_config(bootstrap_servers=bootstrap), target_bytes=16 << 10
    )
    units = [unit for topic in compaction.plan() for unit in topic.units]
    run = compaction.run
    spark = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    found = spark.sparkContext.parallelize(units, len(units)).map(lambda unit: (run(unit), os.getpid())).collect()
    spark.stop()
    problems = verify(units, [result for result, _ in found], compaction.storage)
    print(f"units {len(units)}, processes {len({process for _, process in found})}, problems {len(problems)}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
