"""Writes the plots of docs/how-to/explore-the-files.md: two figures of examples/notebook.py, over its demo.

`PYTHONPATH=. python docs/how-to/plots.py` writes the SVG files beside this script. It needs the dependency group docs.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "examples" / "notebook.py"
PLOTS = {"hours_chart": "explore-hours.svg", "delays_chart": "explore-delays.svg"}
#: Colours of the light theme, and what the dark one has instead.
_GROUND, _TEXT, _LINES = "#ffffff", "#17212b", "#d3dae1"
_DARK = {_GROUND: "#14191f", _TEXT: "#eef3f7", _LINES: "#37424d"}


def charts() -> dict[str, Any]:
    """Run the notebook over its demo, and return the charts."""
    spec = importlib.util.spec_from_file_location("notebook", NOTEBOOK)
    assert spec is not None
    assert spec.loader is not None
    notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebook)
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
    for name, chart in charts().items():
        (HERE / PLOTS[name]).write_text(svg_of(chart), encoding="utf-8")
