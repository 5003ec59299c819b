"""How much memory a sink takes; see docs/operations.md."""
