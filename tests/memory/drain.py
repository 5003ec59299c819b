"""Drains a topic in a separate process: `python -m tests.memory.drain JSON`. The last line reports the memory."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

_TIMEOUT_S = 240.0
#: A rebalance moves rows from one task to another, and for a moment both count them.
_LOOKS = 50


def peak_mib() -> int:
    """Most memory that this process has had resident, in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


def main(bootstrap: str, rows: int, config: dict[str, str]) -> None:
    """Run a connector until it has committed a number of rows."""
    from kafka2parquet import build_runner, load_connect_config, load_worker_config

    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "name": "memory",
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "topics": "topic",
            "s3.bucket.name": "bucket",
            "kafka2parquet.storage.url": folder,
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "flush.size": "1000000",
            **config,
        }
        runner = build_runner(load_connect_config(settings), load_worker_config({"bootstrap.servers": bootstrap}))
        runner.start()
        deadline = time.monotonic() + _TIMEOUT_S
        looks = 0
        while not runner.failed and looks < _LOOKS and time.monotonic() < deadline:
            looks = looks + 1 if runner.progress.taken_rows >= rows else 0
            time.sleep(0.02)
        runner.stop()
        runner.join(60)
        print(json.dumps({"rows": runner.progress.committed_rows, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
