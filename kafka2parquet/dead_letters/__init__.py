"""Rejects: reported, tolerated or not, and sent to a dead-letter topic."""
