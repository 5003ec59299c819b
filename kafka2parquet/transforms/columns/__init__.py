"""Transforms of columns, with the names that Arrow users know."""
