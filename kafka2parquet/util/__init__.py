"""Small tools that several rooms share. None of them knows Kafka, Parquet or a store."""
