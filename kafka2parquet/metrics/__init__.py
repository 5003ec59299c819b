"""Metrics of running sinks and of followers of tables, for Prometheus and for OpenTelemetry.

`from_status.py`, `from_events.py` and `from_tables.py` are the table of all metrics: name, kind, unit, meaning, and how to read
the value. The adapters `prometheus.py` and `opentelemetry.py` and the page `docs/metrics.md` (`reference.py`) are views of that
table.
"""
