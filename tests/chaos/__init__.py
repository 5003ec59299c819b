"""Faults on real servers: `make chaos MINUTES=30`."""
