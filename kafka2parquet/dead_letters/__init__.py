"""What becomes of rejects: told, tolerated or not, and sent to a dead-letter topic."""
