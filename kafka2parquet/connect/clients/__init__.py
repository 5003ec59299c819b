"""Settings of Kafka's Java clients, translated for kafka-python."""
