"""What came out, by other ways than the one it went: boto3, DuckDB, an ordinary consumer, and our own audit."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet import FsspecStorage, ObjectNaming
from kafka2parquet.audit.coverage import Kind as FindingKind
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.records import TopicPartition
from kafka2parquet.storage.options import S3Options
from tests.chaos.log import read_letters, read_records
from tests.chaos.records import ALL_GOOD, PERIOD, RECORDS_OF_A_FIELD, Kind
from tests.chaos.setups import Setup
from tests.chaos.truncated_rows import Truncated, count_truncations
from tests.stack.s3 import S3
from tests.support.http_proxy import Request


@attrs.frozen
class Verdict:
    """The counts of a run; `is_exact` says whether they are correct.

    Attributes:
        records_in: in the log.
        rows_out: in files of values; a tombstone in files of keys and headers is one, too.
        rejects_out: in files of rejects.
        letters_out: dead letters; some may be repeated.
        files: of all roles.
        schema_versions: of the learned schema.
        reports: truncations that members have reported; several of them may report the same.
        older: rows inside the reported ranges that hold records which the log had there before.
        left_out: offsets inside the reported ranges that no row has: a flush was published in part when its log was truncated.
        lost_by_log: records that a truncated log had acknowledged and no longer has, and that no file has.
        not_in_log: records that were produced and aren't in a log that must not lose any.
        lost: records that should be in files of values, or tombstones in those of keys, and aren't.
        repeated: rows of records that are there already.
        unwanted: rows of records that should be elsewhere, or nowhere.
        misplaced: rows in a wrong folder, or with wrong contents.
        unreported: rows that hold another record than the log has there now, and no report says so.
        unequal: rows whose key or headers aren't beside them.
        rejects_lost: bad records that should be in files of rejects.
        rejects_repeated: rows of bad records that are there already, or aren't bad.
        rejects_changed: rows of bad records with other bytes than were sent.
        letters_lost: bad records without dead letter.
        letters_unwanted: dead letters of records that are good, or of other bytes than those of the record.
        partial_objects: objects that are not whole Parquet files.
        overwritable: uploads that would have replaced an object.
        abandoned_uploads: multipart uploads that nobody ended.
        audit_findings: what our own audit finds.
    """

    records_in: int = 0
    rows_out: int = 0
    rejects_out: int = 0
    letters_out: int = 0
    files: int = 0
    schema_versions: int = 0
    reports: int = 0
    older: int = 0
    left_out: int = 0
    lost_by_log: int = 0
    not_in_log: int = 0
    lost: int = 0
    repeated: int = 0
    unwanted: int = 0
    misplaced: int = 0
    unreported: int = 0
    unequal: int = 0
    rejects_lost: int = 0
    rejects_repeated: int = 0
    rejects_changed: int = 0
    letters_lost: int = 0
    letters_unwanted: int = 0
    partial_objects: int = 0
    overwritable: int = 0
    abandoned_uploads: int = 0
    audit_findings: int = 0

    #: What the world is allowed to have.
    GOOD = (
        "records_in",
        "rows_out",
        "rejects_out",
        "letters_out",
        "files",
        "schema_versions",
        "reports",
        "older",
        "left_out",
        "lost_by_log",
    )

    @property
    def is_exact(self) -> bool:
        return not any(count for name, count in attrs.asdict(self).items() if name not in self.GOOD)

    def plus(self, other: Verdict) -> Verdict:
        """Adds the counts of another group."""
        theirs = attrs.asdict(other)
        return Verdict(**{name: count + theirs[name] for name, count in attrs.asdict(self).items()})


def verify(
    s3: S3,
    bucket: str,
    bootstrap: str,
    topic: str,
    dead_letters: str,
    setup: Setup,
    counts: list[int],
    uploads: list[Request],
    truncated: Truncated | None = None,
) -> Verdict:
    """Compares all files and dead letters with the records that were produced.

    Args:
        s3: the store.
        bucket: of the store.
        bootstrap: past all proxies.
        topic: whose records they are.
        dead_letters: the topic of those that are rejected.
        setup: says what happens to each kind of record.
        counts: how many records each partition was sent.
        uploads: all requests that would have made an object.
        truncated: None for a log that must not lose any record.
    """
    client = s3.client()
    database = duckdb.connect()
    with tempfile.TemporaryDirectory() as folder:
        kinds, partial = _download(client, bucket, topic, Path(folder))
        records = read_records(bootstrap, topic)
        database.register("log", records)
        _tables(database, folder, setup, kinds)
    letters = read_letters(bootstrap, dead_letters)
    database.register("letters", letters)
    abandoned = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    versions = keys(client, bucket, f"topics/_kafka2parquet/{topic}/schema-")
    client.close()

    def number(query: str) -> int:
        return int(database.execute(query).fetchall()[0][0])

    def missing(wanted: str, found: str, *, are_reported: bool = False) -> int:
        """Offsets that no row has: those that no report of a truncation covers, or those that one does."""
        gone = f"(SELECT p, o FROM expected WHERE {wanted} EXCEPT SELECT p, o FROM {found})"
        covered = "reports.p = gone.p AND gone.o >= reports.o AND gone.o < reports.position"
        reported = f"SELECT count(*) FROM {gone} AS gone SEMI JOIN reports ON {covered}"
        return number(reported) if are_reported else number(f"SELECT count(*) FROM {gone}") - number(reported)

    def unwanted(wanted: str, found: str) -> int:
        return number(f"SELECT count(*) FROM {found} ANTI JOIN (SELECT p, o FROM expected WHERE {wanted}) USING (p, o)")

    def repeated(found: str) -> int:
        return number(f"SELECT count(*) - count(DISTINCT (p, o)) FROM {found}")

    rows = {_among(setup.written): "rows"}
    rejects, quarantined = _among(setup.rejected), "false"
    if setup.views:
        rows["kind = 'tombstone'"] = "tombstones"
    if setup.quarantine:
        quarantined = rejects
    truncations = count_truncations(database, truncated)
    return Verdict(
        records_in=len(records),
        rows_out=sum(number(f"SELECT count(*) FROM {found}") for found in rows.values()),
        rejects_out=number("SELECT count(*) FROM rejects"),
        letters_out=len(letters),
        files=sum(kinds.values()),
        schema_versions=len(versions),
        reports=truncations.reports,
        older=truncations.older,
        lost_by_log=truncations.lost_by_log,
        not_in_log=0 if truncated else sum(counts) - number("SELECT count(DISTINCT (p, i)) FROM log"),
        left_out=sum(missing(wanted, found, are_reported=True) for wanted, found in rows.items()),
        lost=sum(missing(wanted, found) for wanted, found in rows.items()),
        repeated=sum(repeated(found) for found in rows.values()),
        unwanted=sum(unwanted(wanted, found) for wanted, found in rows.items()),
        misplaced=number(f"SELECT count(*) FROM rows WHERE NOT coalesce({_right(setup)}, false)"),
        unreported=truncations.unreported,
        unequal=number(_UNEQUAL) if setup.views else 0,
        rejects_lost=missing(quarantined, "rejects"),
        rejects_repeated=repeated("rejects") + unwanted(quarantined, "rejects"),
        rejects_changed=number(_CHANGED),
        letters_lost=missing(rejects, "letters"),
        letters_unwanted=number(f"SELECT count(*) FROM letters ANTI JOIN (FROM expected WHERE {rejects}) USING (p, o, i)"),
        partial_objects=partial,
        overwritable=sum(request.headers.get("if-none-match") != "*" for request in uploads),
        abandoned_uploads=len(abandoned),
        audit_findings=_audit_findings(s3, bucket, topic, records, setup, truncated),
    )


def _among(kinds: Iterable[Kind]) -> str:
    return "kind IN (" + ", ".join(f"'{kind.name.lower()}'" for kind in sorted(kinds, key=lambda kind: kind.name)) + ")"


#: Rows of values and of keys (or headers) that aren't the same, row by row.
_UNEQUAL = """
SELECT (SELECT count(*) FROM rows FULL JOIN (SELECT * FROM keys WHERE NOT tombstone) AS k USING (file, row)
        WHERE rows.p IS DISTINCT FROM k.p OR rows.i IS DISTINCT FROM k.i)
     + (SELECT count(*) FROM keys FULL JOIN headers USING (file, row)
        WHERE keys.i IS DISTINCT FROM headers.i OR headers.source IS DISTINCT FROM 'chaos')
"""

#: Of rejects, those whose value isn't the one that was sent: each has its number in it.
_CHANGED = """
SELECT count(*) FROM rejects LEFT JOIN expected USING (p, o)
WHERE NOT coalesce(contains(value, hex(encode('"half":' || (i // 2) || CASE WHEN i % 2 = 0 THEN ',' ELSE '.5,' END))), false)
   OR topic IS NULL OR reason = '' OR stage NOT IN ('decode', 'timestamp', 'write')
"""


def _right(setup: Setup) -> str:
    """Returns the condition for a row with the right contents in the right folder."""
    right = [
        "partition = p AND half = index / 2.0",
        "strftime(t, '%H') = hour",
    ]
    if setup.contract:
        right.append("field = index AND fields = 1")
    if not setup.views:
        right.append("(CASE WHEN kind = 'no_key' THEN key IS NULL ELSE key = p || '-' || index END)")
    return " AND ".join(right)


def _tables(database: duckdb.DuckDBPyConnection, folder: str, setup: Setup, files: Mapping[str, int]) -> None:
    """Makes the tables `expected`, `rows`, `tombstones`, `keys`, `headers` and `rejects`."""
    numbers = range(ALL_GOOD, ALL_GOOD + PERIOD)
    kinds = [setup.kind_of(number).name.lower() for number in numbers]
    database.register("period", pa.table({"number": numbers, "kind": kinds}))
    database.execute(
        f"CREATE TABLE expected AS SELECT p, o, i, coalesce(kind, 'good') AS kind FROM log"
        f" LEFT JOIN period ON i >= {ALL_GOOD} AND number = {ALL_GOOD} + (i - {ALL_GOOD}) % {PERIOD}"
    )

    def source(role: str) -> str:
        name = "regexp_extract(filename, '([^/]+)\\.parquet', 1) AS file, file_row_number AS row"
        many = "filename=true, file_row_number=true, union_by_name=true"
        return f"{name} FROM read_parquet('{folder}/{role}/*.parquet', {many})"

    given = database.execute(f"DESCRIBE SELECT * FROM read_parquet('{folder}/values/*.parquet', union_by_name=true)").fetchall()
    known = [name for name, *_ in given if name.startswith("f")] if setup.contract else []
    cases = " ".join(f"WHEN '{field}' THEN {field}" for field in known)
    field = f"CASE 'f' || (i // {RECORDS_OF_A_FIELD}) {cases} END" if known else "NULL"
    some = " + ".join(f"({field} IS NOT NULL)::INT" for field in known) or "0"
    time = "to_timestamp(time / 1000.0) AT TIME ZONE 'UTC'" if setup.contract else "time AT TIME ZONE 'UTC'"
    key = "NULL" if setup.views else "decode(_kafka_key)"
    database.execute(
        f"CREATE TABLE rows AS SELECT p, o, i, kind, partition, index, half, {time} AS t, {key} AS key, {field} AS field,"
        f" {some} AS fields, regexp_extract(file, 'hour=([0-9]+)', 1) AS hour, file, row FROM ("
        f"SELECT *, _kafka_partition::BIGINT AS p, _kafka_offset AS o, {source('values')}"
        f") LEFT JOIN expected USING (p, o)"
    )
    if files["keys"]:
        database.execute(
            f"CREATE TABLE keys AS SELECT *, split_part(k, '-', 1)::BIGINT AS p, split_part(k, '-', 2)::BIGINT AS i,"
            f" file LIKE 'tombstone%' AS tombstone FROM (SELECT decode(key) AS k, {source('keys')})"
        )
        database.execute(
            f"CREATE TABLE headers AS SELECT headers[1].value AS source, headers[2].value::BIGINT AS i, {source('headers')}"
        )
        database.execute(
            "CREATE TABLE tombstones AS SELECT p, o FROM ("  # those of one number, one after the other
            " SELECT p, i, row_number() OVER (PARTITION BY p, i) AS nth FROM keys WHERE tombstone) LEFT JOIN ("
            " SELECT p, i, o, row_number() OVER (PARTITION BY p, i) AS nth FROM expected) USING (p, i, nth)"
        )
    columns = 'partition::BIGINT AS p, "offset" AS o, topic, hex(value) AS value, stage, reason'
    if files["rejects"]:
        database.execute(f"CREATE TABLE rejects AS SELECT {columns}, {source('rejects')}")
    else:
        database.execute("CREATE TABLE rejects (p BIGINT, o BIGINT, topic TEXT, value TEXT, stage TEXT, reason TEXT)")


def _download(client: Any, bucket: str, topic: str, folder: Path) -> tuple[collections.Counter[str], int]:
    """Downloads all files to folders by role, and returns how many there are and how many are partial."""
    naming = ObjectNaming()
    found: collections.Counter[str] = collections.Counter()
    names: dict[str, str] = {}
    partial = 0
    for prefix in (naming.prefix(topic), naming.quarantine_prefix(topic)):
        for key in keys(client, bucket, prefix):
            content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            try:
                pq.ParquetFile(pa.BufferReader(content))
            except pa.ArrowInvalid:
                partial += 1
                continue
            name = naming.parse(key)
            if name is None:
                raise ValueError(f"what is {key}?")
            role = "rejects" if name.encoded_partition is None else name.view or "values"
            place = (name.encoded_partition or "rejects").split("/")[-1]
            beside = key.replace(f".{name.view}.", ".") if name.view else key
            local = names.setdefault(beside, f"{place}.{len(names)}")
            (folder / role).mkdir(exist_ok=True)
            (folder / role / f"{local}.parquet").write_bytes(content)
            found[role] += 1
    return found, partial


def _audit_findings(s3: S3, bucket: str, topic: str, records: pa.Table, setup: Setup, truncated: Truncated | None) -> int:
    """Returns the findings of the library's audit after everything is committed."""
    options = S3Options(endpoint_url=s3.url, access_key_id=s3.key, secret_access_key=s3.secret, region="us-east-1")
    ends = records.group_by("p").aggregate([("o", "max")]).to_pylist()
    committed = {TopicPartition(topic, end["p"]): end["o_max"] + 1 for end in ends}
    judged = read_coverage(FsspecStorage(f"s3://{bucket}", options), ObjectNaming(), topic, committed)
    reports = [(report["partition"], report["offset"], report["position"]) for report in truncated.reports] if truncated else []
    findings = [
        finding
        for coverage in judged.coverages
        for finding in coverage.findings
        if finding.kind is not FindingKind.WRONG_ROWS  # but of a flush that was published in part when its log was truncated
        or not any(
            partition == coverage.topic_partition.partition and start < finding.end and finding.start < end
            for partition, start, end in reports
        )
    ]
    if not setup.quarantine:  # records that are in no file may make a gap; whether any is missing is counted elsewhere
        findings = [finding for finding in findings if finding.kind is not FindingKind.GAP]
    return len(findings) + len(judged.strays)


def keys(client: Any, bucket: str, prefix: str) -> list[str]:
    """Returns all keys below a prefix."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
