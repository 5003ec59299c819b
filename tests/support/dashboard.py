"""The queries of the dashboard in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

DASHBOARD = Path(__file__).parents[2] / "docs" / "dashboards" / "kafka2parquet.json"


def queries() -> list[tuple[str, str]]:
    """Returns the title of the panel and the expression of each query, for everything there is and short intervals."""
    found = []
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "1m")
            for variable in ("$sink", "$topic", "$table"):
                expression = expression.replace(variable, ".*")
            found.append((panel["title"], expression))
    return found
