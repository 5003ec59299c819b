"""Transforms of columns, named as Arrow users name them."""
