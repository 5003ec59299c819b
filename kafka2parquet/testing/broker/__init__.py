"""A Kafka broker with one node in memory, for tests and demos. See `broker.EmbeddedBroker`."""
