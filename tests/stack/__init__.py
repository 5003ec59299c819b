"""Real servers for tests, without containers: Apache Kafka, an S3 server, a GCS emulator, and what breaks them."""
