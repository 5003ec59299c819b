"""Metrics of running sinks, for Prometheus and for OpenTelemetry.

`from_status.py` and `from_events.py` are the table of all metrics: name, kind, unit, meaning, and how to read the value. The
adapters `prometheus.py` and `opentelemetry.py` and the page `docs/metrics.md` (`reference.py`) are views of that table.
"""
