"""`kafka2parquet audit` after a run, on the embedded broker and a local folder; and after someone has changed the files."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.cli.main import main
from kafka2parquet.testing import EmbeddedBroker
from tests.support.html_pages import parse_html, text_of, with_class
from tests.support.sink_properties import json_sink

TOPIC = "events"
BEGIN_MS = 1_779_012_000_000


@pytest.fixture(scope="module", params=["offset", ""], ids=["with offsets", "without offsets"])
def columns(request: pytest.FixtureRequest) -> str:
    """The metadata columns of the files."""
    return str(request.param)


@pytest.fixture(scope="module")
def finished(columns: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedBroker, Path]]:
    """A broker, and the configuration of a sink that has read it; to be looked at only."""
    with EmbeddedBroker() as broker:
        path = configure(tmp_path_factory.mktemp("finished"), columns)
        run_sink(broker, path)
        yield broker, path


@pytest.fixture
def broker(finished: tuple[EmbeddedBroker, Path]) -> EmbeddedBroker:
    """The broker of `finished`."""
    return finished[0]


@pytest.fixture
def sink(finished: tuple[EmbeddedBroker, Path], columns: str, tmp_path: Path) -> Path:
    """The configuration of the sink of `finished`, with copies of its files to meddle with."""
    shutil.copytree(finished[1].parent / "files", tmp_path / "files")
    return configure(tmp_path, columns)


def configure(folder: Path, columns: str) -> Path:
    """Write the configuration of a sink with files in this folder."""
    config = json_sink(
        {
            "name": "audited",
            "topics": TOPIC,
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "locale": "en",
            "timezone": "UTC",
            "behavior.on.null.values": "ignore",
            "consumer.override.fetch.min.bytes": "1",
            "kafka2parquet.storage.url": str(folder / "files"),
            "kafka2parquet.metadata.columns": columns,
        }
    )
    path = folder / "sink.json"
    path.write_text(json.dumps(config))
    return path


def run_sink(broker: EmbeddedBroker, path: Path) -> None:
    """Let it take 500 records of two partitions, with a tombstone in each."""
    broker.create_topic(TOPIC, partitions=2)
    for partition in (0, 1):
        values: list[bytes | None] = [b'{"number":%d}' % number for number in range(250)]
        values[120] = None
        times = [BEGIN_MS + number % 2 * 3_600_000 for number in range(250)]
        broker.append_values(TOPIC, partition, values, times)
    task = build_task(load_connect_config(path), load_worker_config(bootstrap_servers=broker.bootstrap))
    committed, taken = 0, 0
    while taken < 2 * 249:
        result = task.step()
        committed += result.committed_rows
        taken = committed + result.open_rows
    task.close()


def audit(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker, *options: str) -> tuple[int, Any]:
    code = main(["audit", str(sink), "--bootstrap-server", broker.bootstrap, "--json", *options])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("options", [(), ("--deep",)])
def test_a_good_run_is_exact(
    capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker, options: tuple[str, ...]
) -> None:
    """A good run is exact by its footers, and in comparison with the log."""
    code, found = audit(capsys, sink, broker, *options)

    assert (0, True) == (code, found["exact"])
    assert [(0, 250, 250, 249), (0, 250, 250, 249)] == [
        (part["start"], part["end"], part["committed"], part["rows"]) for part in found["partitions"]
    ]


def test_an_audit_without_findings_says_so(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker) -> None:
    """An audit that finds no files, for a wrong group or folder, is not called exact."""
    sink.write_text(json.dumps({**json.loads(sink.read_text()), "name": "another", "topics.dir": "elsewhere"}))
    code, found = audit(capsys, sink, broker)
    assert (0, []) == (code, found["partitions"])
    assert found["verdict"].startswith("NOTHING FOUND: the topics have no files, and the group has no committed offsets.")


def test_a_lost_file_is_found(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker) -> None:
    """A lost sibling is found by its anchor's list, and a lost anchor by the gap."""
    files = sorted((sink.parent / "files").rglob("*.parquet"))
    sibling = next(path for path in files if "+0+0000000001" in path.name)
    sibling.unlink()
    code, found = audit(capsys, sink, broker)
    assert 4 == code
    assert ["missing file"] == [finding["kind"] for finding in found["partitions"][0]["findings"]]
    next(path for path in files if "+1+0000000000" in path.name).unlink()
    _, found = audit(capsys, sink, broker)
    assert ["unlisted file"] == [finding["kind"] for finding in found["partitions"][1]["findings"]]


def test_the_records_of_a_lost_file_are_found_deep(
    capsys: pytest.CaptureFixture[str], columns: str, sink: Path, broker: EmbeddedBroker
) -> None:
    """A comparison with the log goes on after a file that does not exist, and names the records that are missing."""
    lost = next(path for path in sorted((sink.parent / "files").rglob("*.parquet")) if "+0+0000000001" in path.name)
    rows = pq.read_metadata(lost).num_rows
    lost.unlink()
    code, found = audit(capsys, sink, broker, "--deep")
    findings = {finding["kind"]: finding["text"] for finding in found["partitions"][0]["findings"]}

    assert (4, ["missing file", "missing records"]) == (code, sorted(findings))
    assert [] == found["partitions"][1]["findings"]
    expected = f"not in its files: {rows} records, offsets 1, 3, 5" if columns else " records in the log, "
    assert expected in findings["missing records"]


def test_a_copied_file_is_found(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker) -> None:
    """A copied file is a finding, because its flush overlaps with the original."""
    original = next(path for path in (sink.parent / "files").rglob("*.parquet") if "+0+0000000000" in path.name)
    shutil.copy(original, original.with_name(original.name.replace("+0+0000000000", "+0+0000000077")))
    code, found = audit(capsys, sink, broker)

    assert 4 == code
    assert "overlap" in [finding["kind"] for finding in found["partitions"][0]["findings"]]


@pytest.mark.parametrize("options", [(), ("--deep",)])
def test_files_that_are_not_of_the_sink_are_found(
    capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker, options: tuple[str, ...]
) -> None:
    """Renamed copies and Parquet files of other programs are findings, because queries over the folder read them."""
    folder = sink.parent / "files" / "topics" / TOPIC
    original = next(path for path in folder.rglob("*.parquet") if "+0+0000000000" in path.name)
    shutil.copy(original, original.with_name("events+0+0000000000 (copy).snappy.parquet"))
    shutil.copy(original, folder / "backup.PARQUET")
    shutil.copy(original, original.with_name(f"{original.name}.bak"))
    pq.write_table(pa.table({"n": [1]}), folder / "part-00000.parquet")
    for name in (".part-00000.parquet.crc", "_SUCCESS", "notes.txt"):
        (folder / name).touch()
    code, found = audit(capsys, sink, broker, *options)

    assert (4, False) == (code, found["exact"])
    assert [[], []] == [part["findings"] for part in found["partitions"]]
    assert ["stray file"] * 4 == [stray["kind"] for stray in found["strays"]]
    copies = [stray["text"] for stray in found["strays"] if "is a copied or renamed file of events-0" in stray["text"]]
    assert 3 == len(copies)
    assert found["verdict"].startswith("NOT EXACT: 4 findings")


def test_committed_records_without_a_file_are_found_deep(
    capsys: pytest.CaptureFixture[str], columns: str, tmp_path: Path
) -> None:
    """A gap is a finding by footers; the log shows whether it contained records."""
    sink = configure(tmp_path, columns)
    with EmbeddedBroker() as broker:
        run_sink(broker, sink)
        broker.append_values(TOPIC, 0, [None] * 10, [BEGIN_MS] * 10)
        _commit(broker, 260)
        code, found = audit(capsys, sink, broker)
        assert (4, ["gap"]) == (code, [finding["kind"] for finding in found["partitions"][0]["findings"]])
        code, _ = audit(capsys, sink, broker, "--deep")
        assert 0 == code
        broker.append_values(TOPIC, 0, [b"{}"] * 10, [BEGIN_MS] * 10)
        _commit(broker, 270)
        code, found = audit(capsys, sink, broker, "--deep")
        assert (4, ["missing records"]) == (code, [finding["kind"] for finding in found["partitions"][0]["findings"]])


def test_the_page_and_the_table(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker) -> None:
    """Page and table have the same verdict. The page says what was checked, how, and when."""
    page = sink.parent / "coverage.html"
    began = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    assert 0 == main(["audit", str(sink), "--bootstrap-server", broker.bootstrap, "--deep", "--html", str(page)])
    ended = datetime.datetime.now(datetime.timezone.utc)
    printed = capsys.readouterr().out
    root = parse_html(page.read_text(encoding="utf-8"))
    facts = {text_of(each[0]): text_of(each[1]) for each in next(with_class(root, "facts"))}
    (checked,) = root.iter("time")

    assert "EXACT: every offset is covered once; 498 rows in 12 files of 2 topic-partitions, compared with the log." in printed
    assert printed.splitlines()[-1] == text_of(next(root.iter("h1")))
    assert (TOPIC, "connect-audited", "2 of 2") == (
        facts["Topics"],
        facts["Consumer group"],
        facts["Ranges compared with the log"],
    )
    assert f"{sink.parent}/files/topics/" == facts["Files"]
    assert began <= datetime.datetime.fromisoformat(checked.get("datetime", "").replace("Z", "+00:00")) <= ended


def test_a_page_needs_its_folder(capsys: pytest.CaptureFixture[str], sink: Path, broker: EmbeddedBroker) -> None:
    """An audit that can't write its page ends before it has read anything."""
    page = sink.parent / "missing" / "coverage.html"
    assert 1 == main(["audit", str(sink), "--bootstrap-server", broker.bootstrap, "--html", str(page)])
    printed = capsys.readouterr()
    assert ("", True) == (printed.out, f"--html {page}: the folder does not exist" in printed.err)


def _commit(broker: EmbeddedBroker, offset: int) -> None:
    from kafka import TopicPartition
    from kafka.structs import OffsetAndMetadata

    from tests.support.kafka_clients import python_consumer

    partition = TopicPartition(TOPIC, 0)
    with python_consumer(broker.bootstrap, group_id="connect-audited") as consumer:
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})


def test_workers_and_shards_find_what_one_process_finds(
    capsys: pytest.CaptureFixture[str], columns: str, tmp_path: Path
) -> None:
    """Worker processes and shards compare the same units as one process, and together find the same."""
    sink = configure(tmp_path, columns)
    with EmbeddedBroker() as broker:
        run_sink(broker, sink)
        broker.append_values(TOPIC, 0, [b"{}"] * 10, [BEGIN_MS] * 10)
        _commit(broker, 260)
        code, whole = audit(capsys, sink, broker, "--deep")
        assert (4, ["missing records"]) == (code, [finding["kind"] for finding in whole["partitions"][0]["findings"]])
        assert whole["planned_units"] == whole["units"]
        assert ["events-0@0", "events-1@0"] == whole["units"]
        _, by_workers = audit(capsys, sink, broker, "--deep", "--workers", "2")
        assert whole == by_workers
        shards = [audit(capsys, sink, broker, "--deep", "--shard", f"{index}/3") for index in range(3)]
        assert sorted(whole["units"]) == sorted(unit for _, found in shards for unit in found["units"])
        assert [[0, 0, 4], [whole["planned_units"]] * 3] == [
            sorted(code for code, _ in shards),
            [found["planned_units"] for _, found in shards],
        ]
        findings = [each for _, found in shards for part in found["partitions"] for each in part["findings"]]
        assert whole["partitions"][0]["findings"] == findings
        assert 1 == main(["audit", str(sink), "--bootstrap-server", broker.bootstrap, "--shard", "0/3"])
        assert "--workers and --shard are for --deep" in capsys.readouterr().err


def test_a_log_without_records_is_not_compared(capsys: pytest.CaptureFixture[str], columns: str, tmp_path: Path) -> None:
    """If Kafka has deleted all records, nothing is compared, and nothing counts as repeated."""
    sink = configure(tmp_path, columns)
    with EmbeddedBroker() as broker:
        run_sink(broker, sink)
        for partition in range(2):
            broker.delete_records(TOPIC, partition, 250)
        assert 0 == audit(capsys, sink, broker, "--deep")[0]
