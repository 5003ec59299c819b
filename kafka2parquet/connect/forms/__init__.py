"""The forms in which people keep configurations: JSON, YAML, TOML, Java properties, and what others wrap around them."""
