"""The delivery engine against a model of the world: every trouble at every moment, and each row exactly once."""
