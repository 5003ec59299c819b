"""Schemas: the lattice of types along which a learned schema grows."""
