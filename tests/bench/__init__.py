"""Measurements; see docs/benchmarks."""
