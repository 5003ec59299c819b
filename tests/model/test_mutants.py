"""The model has to be able to fail: without any one safeguard it finds the loss or the repetition."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", MUTANTS)
def test_the_model_finds_what_each_safeguard_prevents(name: str, tmp_path: Path) -> None:
    """A copy of the source with the safeguard switched off fails in the model."""
    mutant = MUTANTS[name]
    for folder in ("kafka2parquet", "tests", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)  # with bytecode, which stays valid for all other modules
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    source = tmp_path / mutant.file
    text = source.read_text()
    assert text.count(mutant.original) == 1, f"{mutant.file} has changed: fix the mutant {name!r}"
    source.write_text(text.replace(mutant.original, mutant.replacement))
    is_test = mutant.scenarios[0].startswith("tests/")
    command = ["pytest", "-q", "-x", *mutant.scenarios] if is_test else ["tests.model.hunt", *mutant.scenarios]
    outcome = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1, f"nothing found without {name!r}:\n{outcome.stdout}{outcome.stderr}"
