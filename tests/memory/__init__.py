"""How much memory a sink takes; see docs/concepts/memory.md."""
