"""docs/how-to/troubleshooting.md names every error, and every reason for which a file ends."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from kafka2parquet import errors
from tests.docs.blocks import DOCS, ROOT

PAGE = (DOCS / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
#: Their arguments name the reason why a flush ends.
_ENDS = {"Cut", "Due", "_end_flush", "cut_open_flush", "cut_open_flushes"}
#: Flushes without rows: nothing is in a file, except rejects.
_WITHOUT_ROWS = {"idle", "rejects"}
#: Classes of errors that only group others.
_GROUPS = {"Kafka2ParquetError", "AccessError", "RecordError", "TransientError", "DeliveryError"}


def test_every_error_has_a_row() -> None:
    """A table of the page names every error that can be raised; the classes that only group others aren't raised."""
    named = set(re.findall(r"`(\w+Error)`", PAGE))
    raised = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert raised - _GROUPS == named


def _reasons_in(path: Path) -> set[str]:
    """Returns the texts that the module gives as the reason of a cut, or as the end of a flush."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    ends = [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) in _ENDS]
    return {arg.value for call in ends for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}


def test_every_reason_has_a_row() -> None:
    """The table of reasons has each reason of the engine and of the policies."""
    package = ROOT / "kafka2parquet"
    paths = [path for room in ("rotation", "delivery", "task") for path in (package / room).rglob("*.py")]
    given = {reason for path in paths for reason in _reasons_in(path)} | {"range", "boundary"}
    table = PAGE.partition("## Why files end")[2].partition("\n## ")[0]
    assert given - _WITHOUT_ROWS == set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
