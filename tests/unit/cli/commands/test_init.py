"""`kafka2parquet init`: what it writes works."""

from __future__ import annotations

from pathlib import Path

import pyarrow.dataset as ds
import pytest

from kafka2parquet import build_task, load_connect_config, load_worker_config
from kafka2parquet.cli.execute import EXIT_OK
from kafka2parquet.cli.main import main
from kafka2parquet.connect.example import NOTATIONS, STORES
from kafka2parquet.connect.text import read_properties
from kafka2parquet.testing import EmbeddedBroker

BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    return tmp_path


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("store", STORES)
def test_what_it_writes_passes_the_check(store: str, notation: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The file for each store and notation passes the check without findings."""
    assert 0 == main(["init", "--store", store, "--format", notation, "--topic", "orders"])
    assert f"  kafka2parquet check sink.{notation}\n" in capsys.readouterr().out
    assert EXIT_OK == main(["check", f"sink.{notation}"])
    said = capsys.readouterr().out

    assert "the topic orders as members of the consumer group connect-orders-to-parquet." in said
    assert "Look at this:" not in said


@pytest.mark.parametrize("store", STORES)
def test_notations_agree(store: str) -> None:
    """All notations have the same configuration, with comments."""
    for notation in NOTATIONS:
        main(["init", f"a.{notation}", "--store", store])
        text = Path(f"a.{notation}").read_text()
        assert 10 < sum(line.lstrip().startswith(("#", "//")) for line in text.splitlines()) < len(text.splitlines()) / 2
    first, *others = (read_properties(Path(f"a.{notation}").read_text()).values for notation in NOTATIONS)

    assert [first] * len(others) == others


def test_options() -> None:
    """Each option is in the file."""
    main(["init", "s3.yml", "--store", "s3", "--bucket", "lake", "--region", "eu-west-1", "--name", "mine", "--topic", "a,b"])
    config = load_connect_config("s3.yml")

    assert ("mine", ("a", "b"), "s3://lake") == (config.name, config.items("topics"), config.destination)
    assert "eu-west-1" == config.text("s3.region")
    main(["init", "m.json", "--store", "minio", "--endpoint-url", "http://store:9000"])
    assert '"store.url": "http://store:9000"' in Path("m.json").read_text()


def test_standard_output(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The output contains only the configuration, and no file is written."""
    assert 0 == main(["init", "-", "--format", "properties"])
    out = capsys.readouterr().out

    assert ("# The name decides", []) == (out[:18], list(folder.iterdir()))
    assert out.endswith("errors.tolerance=none\n")


def test_files_are_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """An existing file is not overwritten."""
    Path("sink.json").write_text("mine")
    assert 1 == main(["init"])
    assert "sink.json exists already, and was not changed." in capsys.readouterr().err
    assert "mine" == Path("sink.json").read_text()
    assert 1 == main(["init", "nowhere/sink.json"])
    assert "nowhere/sink.json can't be written: No such file or directory.\n" == capsys.readouterr().err


def test_local_one_runs(folder: Path) -> None:
    """The local configuration runs unchanged against a broker, in a folder whose name may have blanks."""
    main(["init", "--folder", "my files"])
    with EmbeddedBroker() as broker:
        broker.create_topic("events", partitions=1)
        broker.append_values("events", 0, [b'{"n":%d}' % n for n in range(100)], [BEGIN_MS] * 100)
        task = build_task(load_connect_config("sink.json"), load_worker_config(bootstrap_servers=broker.bootstrap))
        while task.step().open_rows < 100:
            pass
        task.close()
    found = sorted((folder / "my files").rglob("*.parquet"))

    assert ["topics/events/year=2026/month=05/day=17/hour=10/events+0+0000000000.snappy.parquet"] == [
        str(path.relative_to(folder / "my files")) for path in found
    ]
    assert 100 == ds.dataset(found, format="parquet").count_rows()
