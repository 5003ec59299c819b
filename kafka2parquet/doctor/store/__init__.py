"""Checks of the object store: rights, guarantees, clock, and what is already there."""
