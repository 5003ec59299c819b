"""Delivery: the engine that makes flushes of rows and gets each of them published and committed exactly once."""
