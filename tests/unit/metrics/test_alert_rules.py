"""The alert rules: each fires in its case only, is explained in the runbook, and uses metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from kafka2parquet.metrics.table import INSTRUMENTS
from tests.stack.prometheus import promtool

DOCS = Path(__file__).parents[3] / "docs"
RULES = DOCS / "dashboards" / "kafka2parquet.rules.yml"
CASES = Path(__file__).with_name("alerts.yml")
NAMES = (
    "NearDataLoss",
    "NotFresh",
    "Stuck",
    "StorageDown",
    "Rejects",
    "RebalanceStorm",
    "SmallFiles",
    "TaskGone",
    "TableNotFresh",
)


def alerts() -> list[dict[str, Any]]:
    """Returns the alert rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_promtool_accepts_the_rules() -> None:
    """Prometheus can load the rules."""
    checked = promtool("check", "rules", RULES)
    assert (0, "") == (checked.returncode, checked.stderr), checked.stdout


def test_each_alert_fires_in_its_case_only() -> None:
    """`alerts.yml` has series for which each alert fires at the right time, and series for which it stays silent."""
    tested = promtool("test", "rules", CASES)
    assert 0 == tested.returncode, tested.stdout + tested.stderr


def test_each_alert_has_a_case() -> None:
    """There are nine alerts. For each, a case expects labels and annotations, and one expects silence."""
    assert [f"Kafka2Parquet{name}" for name in NAMES] == [alert["alert"] for alert in alerts()]
    tests = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    expected = {alert["alert"] for alert in alerts()}
    assert expected == {case["alertname"] for case in cases if case["exp_alerts"]}
    assert expected == {case["alertname"] for case in cases if not case["exp_alerts"]}


def test_each_alert_has_a_section_of_the_runbook() -> None:
    """The runbook has one section for each alert, in the same order, and the alert's URL leads there."""
    headings = re.findall(r"^## (\w+)$", (DOCS / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert list(NAMES) == headings
    expected = [f"docs/runbook.md#{name.lower()}" for name in NAMES]
    assert expected == [alert["annotations"]["runbook_url"] for alert in alerts()]


def test_rules_use_metrics_that_exist() -> None:
    """Each metric of a rule, with each of its labels that a rule selects by, is in the table of metrics."""
    labels = {each.prometheus_name: {"sink", *each.labels} for each in INSTRUMENTS}
    used = re.findall(r"(?<!:)\b(kafka2parquet_\w+)(?:\{([^}]*)\})?", RULES.read_text(encoding="utf-8"))
    assert len(used) > 15
    for name, selected in used:
        assert name in labels
        assert set(re.findall(r"(\w+)=", selected)) <= labels[name]
