"""The dashboard: its JSON is what its program makes, and its queries use metrics and labels that exist."""

from __future__ import annotations

import json
import re
import runpy
import sys
from typing import Any

import pytest

from kafka2parquet.metrics.table import INSTRUMENTS
from tests.support.dashboard import DASHBOARD, queries

#: Of Prometheus itself: of each target, and of histograms.
OTHER_LABELS = {"instance", "le", "sink"}


def panels() -> list[dict[str, Any]]:
    """Returns the panels that show something."""
    return [panel for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"] if panel["type"] != "row"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Grafana's SDK needs Python 3.11")
def test_file_is_current() -> None:
    """`docs/dashboards/generate.py` makes exactly the file beside it."""
    made = runpy.run_path(str(DASHBOARD.with_name("generate.py")))["dashboard_json"]()
    assert made == DASHBOARD.read_text(encoding="utf-8")


def test_queries_use_metrics_and_labels_that_exist() -> None:
    """Each metric of a query is in the table of metrics, and has the labels that the query groups and selects by."""
    labels = {instrument.prometheus_name: set(instrument.labels) for instrument in INSTRUMENTS}
    assert len(queries()) > 30
    for title, query in queries():
        names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"kafka2parquet_\w+", query)}
        assert names, title
        used = set(re.findall(r"(\w+)=~?", query))
        used |= {label for group in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", group)}
        assert used <= OTHER_LABELS | set.union(*(labels[name] for name in names)), title


def test_panels_fit_the_page() -> None:
    """Panels don't overlap, each has a description and its own number, and no two have the same title."""
    cells = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert 24 > max(x for x, _ in cells)
    assert len({panel["id"] for panel in panels()}) == len(panels()) == len({panel["title"] for panel in panels()})
    assert all(panel["description"].endswith(".") for panel in panels())
