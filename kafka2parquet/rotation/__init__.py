"""Rotation: when a flush ends, by its rows or by the clock."""
