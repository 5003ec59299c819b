"""What an index page shows of the package, and that it installs beside others."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_of_the_readme_are_absolute() -> None:
    """Links of the README are absolute, because a package index shows the page without its neighbouring files."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert [] == [target for target in targets if not target.startswith("https://")]


def test_files_that_the_readme_names_are_there() -> None:
    """Files that the README names without a link exist."""
    named = re.findall(r"`((?:docs|examples)/[\w./-]+|[A-Z]+\.md)`", README)
    assert len(named) > 5
    assert [] == [name for name in named if not (ROOT / name).is_file()]


def test_extras_that_texts_name_are_there() -> None:
    """Extras that the README and error texts name exist."""
    sources = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "kafka2parquet").rglob("*.py"))]
    named = {
        extra
        for source in sources
        for extras in re.findall(r"kafka2parquet\[([a-z0-9,]+)\]", source)
        for extra in extras.split(",")
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert {"avro", "cli", "protobuf", "registry"} <= named
    assert [] == [extra for extra in named if not re.search(rf"^{extra} = \[", project, re.MULTILINE)]


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_it_installs_beside_boto3() -> None:
    """Pip finds a solution from scratch for the command that the documentation names."""
    assert "pip install 'kafka2parquet[boto3]'" in (ROOT / "docs" / "how-to" / "s3.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", f"{ROOT}[boto3]"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    (installed,) = (line for line in done.stdout.splitlines() if line.startswith("Would install "))
    assert [] == [name for name in ("aiobotocore", "boto3", "kafka2parquet", "s3fs") if f" {name}-" not in installed]


def test_versions_here_are_at_or_above_the_lower_bounds() -> None:
    """The installed versions, with which the tests run, satisfy the declared lower bounds."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = re.findall(r'"(attrs|fsspec|gcsfs|numpy|pyarrow|s3fs)>=([\d.]+)"', text)
    assert 6 == len(bounds)

    def parts(version: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", version)[:3]]

    assert [] == [name for name, bound in bounds if parts(importlib.metadata.version(name)) < parts(bound)]
