"""The adapter for kafka-python: a consumer that polls on a thread of its own."""
