"""Writes the plots of docs/how-to/explore-the-files.md, and the example of an audit's page that docs/operations.md links.

Both are of the demo of examples/notebook.py. `PYTHONPATH=. python docs/how-to/plots.py` writes the files into the
documentation. It needs the dependency group docs.
"""

from __future__ import annotations

import datetime
import importlib.util
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from kafka2parquet import FsspecStorage, ObjectNaming
from kafka2parquet.audit import read_flushes
from kafka2parquet.audit.html.page import page
from kafka2parquet.audit.html.summary import Subject
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.records import TopicPartition

HERE = Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "examples" / "notebook.py"
AUDIT_PAGE = HERE.parent / "_static" / "audit-example.html"
PLOTS = {"hours_chart": "explore-hours.svg", "delays_chart": "explore-delays.svg"}
#: Colours of the light theme, and what the dark one has instead.
_GROUND, _TEXT, _LINES = "#ffffff", "#17212b", "#d3dae1"
_DARK = {_GROUND: "#14191f", _TEXT: "#eef3f7", _LINES: "#37424d"}


def load_notebook() -> Any:
    """Import the notebook."""
    spec = importlib.util.spec_from_file_location("notebook", NOTEBOOK)
    assert spec is not None
    assert spec.loader is not None
    notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebook)
    return notebook


def audit_page(folder: Path) -> str:
    """Return the page of an audit that finds a lost flush, a lost file and a copy among the files of the demo.

    Args:
        folder: the files of the demo. Some are deleted and copied.
    """
    naming, storage = ObjectNaming(), FsspecStorage(str(folder))
    flushes = [row for row in read_flushes(storage, "orders").to_pylist() if row["is_anchor"]]
    committed = {
        TopicPartition("orders", partition): max(row["flush_end"] for row in flushes if row["partition"] == partition)
        for partition in range(3)
    }
    of_lost = next(row["flush_start"] for row in flushes if row["partition"] == 1 and row["flush_start"] > 8000)
    for row in read_flushes(storage, "orders").to_pylist():
        if row["partition"] == 1 and row["flush_start"] == of_lost:
            (folder / row["key"]).unlink()
    late = [row for row in read_flushes(storage, "orders").to_pylist() if row["partition"] == 0 and not row["is_anchor"]]
    (folder / late[20]["key"]).unlink()
    copied = folder / flushes[0]["key"]
    shutil.copy(copied, copied.with_name(f"{copied.name}.bak"))
    found = read_coverage(storage, naming, "orders", committed)
    checked_at = datetime.datetime(2026, 5, 18, 0, 30, tzinfo=datetime.timezone.utc)
    return page(Subject("orders", "orders", "connect-orders", "s3://lake/topics/", checked_at), found, deep=False)


def charts(notebook: Any) -> dict[str, Any]:
    """Run the notebook over its demo, and return the charts."""
    sys.argv = [str(NOTEBOOK)]
    _, defined = notebook.app.run()
    return {name: defined[name] for name in PLOTS}


def svg_of(chart: Any) -> str:
    """Return a chart as SVG that is legible in light and dark, like the drawings of the other pages."""
    import vl_convert

    font = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
    axis = {"labelColor": _TEXT, "titleColor": _TEXT, "gridColor": _LINES, "domainColor": _LINES, "tickColor": _LINES}
    config = {
        "axis": axis | {"labelFont": font, "titleFont": font, "labelFontSize": 12, "titleFontSize": 12},
        "legend": {"labelColor": _TEXT, "titleColor": _TEXT, "labelFont": font, "titleFont": font},
        "title": {"color": _TEXT, "font": font, "fontSize": 15},
        "view": {"stroke": _LINES},
    }
    drawn = str(vl_convert.vegalite_to_svg({**chart.to_dict(), "background": _GROUND, "padding": 18, "config": config}))
    colors = [(name, light, dark) for light, dark in _DARK.items() for name in ("fill", "stroke")]
    rules = "".join(f'[{name}="{light}"] {{ {name}: {dark}; }} ' for name, light, dark in colors)
    style = f"<style>@media (prefers-color-scheme: dark) {{ {rules}}}</style>"
    return re.sub(r"(<svg [^>]*>)", rf"\1{style}", drawn, count=1) + "\n"


if __name__ == "__main__":
    loaded = load_notebook()
    for name, chart in charts(loaded).items():
        (HERE / PLOTS[name]).write_text(svg_of(chart), encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        loaded.write_demo(Path(temporary))
        AUDIT_PAGE.write_text(audit_page(Path(temporary)), encoding="utf-8")
