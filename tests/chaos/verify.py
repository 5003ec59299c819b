"""What came out, by other ways than the one it went: boto3, DuckDB, Kafka's admin requests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet import FsspecStorage, ObjectNaming
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.options import S3Options
from tests.stack.s3 import S3


@attrs.frozen
class Verdict:
    """Counts of what must not be; all zero in a good world."""

    records_in: int
    rows_out: int
    files: int
    lost: int
    repeated: int
    misplaced: int
    partial_objects: int
    abandoned_uploads: int
    audit_findings: int

    @property
    def is_exact(self) -> bool:
        bad = (self.lost, self.repeated, self.misplaced, self.partial_objects, self.abandoned_uploads, self.audit_findings)
        return not any(bad)


def verify(s3: S3, bucket: str, topic: str, counts: list[int]) -> Verdict:
    """Compare all files with the records that were produced: `counts[p]` in partition p, value n at offset n."""
    client = s3.client()
    partial = 0
    with tempfile.TemporaryDirectory() as folder:
        files = 0
        for key in keys(client, bucket, f"topics/{topic}/"):
            content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            try:
                pq.ParquetFile(pa.BufferReader(content))
            except pa.ArrowInvalid:
                partial += 1
                continue
            hour = key.split("hour=")[1][:2]
            (Path(folder) / f"{hour}.{files}.parquet").write_bytes(content)
            files += 1
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        client.close()
        database = duckdb.connect()
        database.execute(
            f"CREATE TABLE rows AS SELECT * FROM read_parquet('{folder}/*.parquet', filename=true, union_by_name=true)"
        )
        database.execute("CREATE TABLE counts (p BIGINT, n BIGINT)")
        database.executemany("INSERT INTO counts VALUES (?, ?)", list(enumerate(counts)))
        database.execute("CREATE TABLE expected AS SELECT p, unnest(range(n)) AS o FROM counts")

        def number(query: str) -> int:
            return int(database.execute(query).fetchall()[0][0])

        distinct = "(SELECT DISTINCT _kafka_partition AS p, _kafka_offset AS o FROM rows)"
        rows_out = number("SELECT count(*) FROM rows")
        return Verdict(
            records_in=sum(counts),
            rows_out=rows_out,
            files=files,
            lost=number(f"SELECT count(*) FROM (SELECT p, o FROM expected EXCEPT SELECT p, o FROM {distinct})"),
            repeated=rows_out - number(f"SELECT count(*) FROM {distinct}"),
            misplaced=number(
                "SELECT count(*) FROM rows WHERE partition <> _kafka_partition OR index <> _kafka_offset"
                " OR strftime(_kafka_timestamp::TIMESTAMP, '%H') <> regexp_extract(filename, '([0-9]+)\\.[0-9]+\\.parquet', 1)"
            ),
            partial_objects=partial,
            abandoned_uploads=len(uploads),
            audit_findings=_audit_findings(s3, bucket, topic, counts),
        )


def _audit_findings(s3: S3, bucket: str, topic: str, counts: list[int]) -> int:
    """What our own audit finds in the footers, when everything is committed."""
    options = S3Options(endpoint_url=s3.url, access_key_id=s3.key, secret_access_key=s3.secret, region="us-east-1")
    committed = {TopicPartition(topic, partition): count for partition, count in enumerate(counts)}
    judged = read_coverage(FsspecStorage(f"s3://{bucket}", options), ObjectNaming(), topic, committed)
    return sum(len(coverage.findings) for coverage in judged)


def keys(client: Any, bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
