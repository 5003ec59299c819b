"""JSON record values without a schema, parsed to columns."""
