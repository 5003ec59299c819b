"""A one-node Kafka broker in memory, for tests and trials; see `broker.EmbeddedBroker`."""
