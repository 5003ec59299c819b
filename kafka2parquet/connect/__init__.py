"""Kafka Connect configurations: the table of their properties, reading and checking them, building tasks from them."""
