"""The connection to Kafka through kafka-python: a client with the settings and repairs that delivery needs, and its errors."""
