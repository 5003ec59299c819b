"""What is looked at on this machine: the staging disk and the versions of the libraries."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from kafka2parquet import load_connect_config, load_worker_config
from kafka2parquet.doctor.check import Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.staging import file_system, look_at_staging
from kafka2parquet.doctor.versions import TESTED, allows, compare_versions, numbers, requirements
from tests.support.sink_properties import json_sink


def facts(**changes: str) -> Facts:
    given = {name.replace("_", "."): text for name, text in changes.items()}
    config = load_connect_config(json_sink({"kafka2parquet.storage.url": "/unused", **given}))
    return Facts.of(config, load_worker_config(bootstrap_servers="broker:9092"))


def staging(**changes: str) -> list[Finding]:
    return list(look_at_staging(facts(**changes)))


def test_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    """The sink creates the folder, so the folder above decides; the doctor creates nothing."""
    found = staging(kafka2parquet_staging_dir=str(tmp_path / "a" / "b"))
    assert {Level.OK} == {finding.level for finding in found if finding.check.id != "staging-disk"}
    assert [] == list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """A file is not a folder, and nothing else is examined."""
    (tmp_path / "file").touch()
    found = staging(kafka2parquet_staging_dir=str(tmp_path / "file" / "x"))
    assert [("staging-folder", "not-a-folder")] == [(finding.check.id, finding.cause) for finding in found]


def test_less_space_than_memory(tmp_path: Path) -> None:
    """A disk with less room than the memory limit fails."""
    found = staging(kafka2parquet_staging_dir=str(tmp_path), kafka2parquet_memory_bytes=str(1 << 60))
    (space,) = (finding for finding in found if finding.check.id == "staging-space")
    assert ("too-little", Level.FAILED) == (space.cause, space.level)


@pytest.mark.parametrize(
    ("folder", "kind"), [("/", "ext4"), ("/tmp", "tmpfs"), ("/tmp/deeper/still", "tmpfs"), ("/mnt/with blank/x", "nfs4")]
)
def test_kind_of_file_system(tmp_path: Path, folder: str, kind: str) -> None:
    """The longest mount point above a folder counts; the kernel writes blanks as octal numbers."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nnone /tmp tmpfs rw 0 0\nhost:/x /mnt/with\\040blank nfs4 rw 0 0\nbroken line\n")
    assert kind == file_system(Path(folder), mounts)


def test_kind_without_a_table_of_mounts(tmp_path: Path) -> None:
    """On systems without such a table the kind is not known."""
    assert "" == file_system(tmp_path, tmp_path / "none")


@pytest.mark.parametrize(
    ("bounds", "version", "expected"),
    [
        ("", "1.0", True),
        (">=2", "2.0.0", True),
        (">=2.1", "2", False),
        ("<3.1,>=3.0.12", "3.0.12", True),
        ("<3.1,>=3.0.12", "3.1.0", False),
        ("<3.1,>=3.0.12", "3.0.9", False),
        ("==1.2", "1.2.0", True),
        ("<=1.2", "1.2.1", False),
        (">1.2", "1.2", False),
    ],
)
def test_bounds_of_versions(bounds: str, version: str, expected: bool) -> None:
    """Versions are compared number by number, and missing numbers are zeros."""
    assert expected is allows(bounds, version)


def test_numbers_of_a_version() -> None:
    """Suffixes are left out, and a text without a number has none."""
    assert ((3, 0, 12), (1, 2), ()) == (numbers("3.0.12.post1"), numbers("1.2rc1"), numbers("unknown"))


def test_installed_versions() -> None:
    """The libraries of the tests are allowed, and one line names all of them."""
    found = [finding for finding in compare_versions(facts()) if finding.level is not Level.WARNING]
    assert [Level.OK] == [finding.level for finding in found]
    assert f"kafka-python {importlib.metadata.version('kafka-python')}" in found[0].text


def test_each_required_library_has_a_tested_version() -> None:
    """The table of tested versions has each library that is always needed."""
    assert set() == set(requirements()) - set(TESTED)


@pytest.mark.parametrize(("installed", "cause"), [("2.9", "not-allowed"), ("3.0.99", None), ("99.0", "not-allowed")])
def test_a_version_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch, installed: str, cause: str | None) -> None:
    """A version outside of the bounds fails with the command that installs another one."""
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: installed if name == "kafka-python" else real(name))
    failed = [finding for finding in compare_versions(facts()) if finding.level is Level.FAILED]
    assert ([] if cause is None else [cause]) == [finding.cause for finding in failed]
    assert all(finding.paste.startswith("pip install 'kafka-python") for finding in failed)


def test_a_version_that_is_newer_than_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version is a warning with the tested one."""
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9999.1" if name == "s3fs" else real(name))
    newer = [finding.paste for finding in compare_versions(facts()) if finding.cause == "newer-than-tested"]
    assert f"pip install 's3fs=={TESTED['s3fs']}'" in newer  # others may be newer as well
