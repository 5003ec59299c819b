"""The documentation has all metrics, as the table describes them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from kafka2parquet.metrics.reference import with_tables
from kafka2parquet.metrics.table import INSTRUMENTS
from tests.stack.prometheus import promtool

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_page_is_current() -> None:
    """`docs/metrics.md` agrees with the table of metrics; `with_tables` writes its tables."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page
    assert all(f"`{instrument.prometheus_name}`<br>" in page for instrument in INSTRUMENTS)


def test_prometheus_accepts_the_configuration(tmp_path: Path) -> None:
    """Prometheus can load the configuration that the page shows, with the alert rules beside it."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (configuration,) = [block for block in blocks if "scrape_configs" in block]
    (tmp_path / "prometheus.yml").write_text(configuration, encoding="utf-8")
    shutil.copy(PAGE.parent / "dashboards" / "kafka2parquet.rules.yml", tmp_path)
    checked = promtool("check", "config", tmp_path / "prometheus.yml")
    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert "SUCCESS: 11 rules found" in checked.stdout


def test_metrics_that_pages_name_exist() -> None:
    """Each metric that the prose, the runbook or an example query names is in the table."""
    known = {instrument.prometheus_name for instrument in INSTRUMENTS}
    for page in (PAGE, PAGE.with_name("runbook.md")):
        named = re.findall(r"\bkafka2parquet_[a-z_]+", page.read_text(encoding="utf-8"))
        assert len(named) > 10
        assert [] == [name for name in named if name not in known]
