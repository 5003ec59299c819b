"""The documentation has all metrics, as the table describes them."""

from __future__ import annotations

import re
from pathlib import Path

from kafka2parquet.metrics.reference import with_tables
from kafka2parquet.metrics.table import INSTRUMENTS

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_page_is_current() -> None:
    """`docs/metrics.md` agrees with the table of metrics; `with_tables` writes its tables."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page
    assert all(f"`{instrument.prometheus_name}`<br>" in page for instrument in INSTRUMENTS)


def test_metrics_that_pages_name_exist() -> None:
    """Each metric that the prose, the runbook or an example query names is in the table."""
    known = {instrument.prometheus_name for instrument in INSTRUMENTS}
    for page in (PAGE, PAGE.with_name("runbook.md")):
        named = re.findall(r"\bkafka2parquet_[a-z_]+", page.read_text(encoding="utf-8"))
        assert len(named) > 10
        assert [] == [name for name in named if name not in known]
