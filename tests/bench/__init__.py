"""Benchmarks: what the sink costs, beside the floor and beside consumers written by hand. Run by `make bench`, never as a test."""
