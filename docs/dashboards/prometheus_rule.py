"""Makes the alert rules for the Prometheus operator of those for Prometheus: `python docs/dashboards/prometheus_rule.py`."""

from __future__ import annotations

import textwrap
from pathlib import Path

RULES = Path(__file__).with_name("kafka2parquet.rules.yml")
TARGET = Path(__file__).parents[2] / "examples" / "kubernetes" / "prometheus-rule.yaml"
_HEAD = """\
# docs/dashboards/prometheus_rule.py makes this file of kafka2parquet.rules.yml. The rules hold for all sinks: apply them once.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kafka2parquet
spec:
"""


def prometheus_rule_yaml() -> str:
    """Return the alert rules as a resource of the Prometheus operator."""
    return _HEAD + textwrap.indent(RULES.read_text(encoding="utf-8"), "  ")


if __name__ == "__main__":
    TARGET.write_text(prometheus_rule_yaml(), encoding="utf-8")
