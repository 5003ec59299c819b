"""Small tools that several packages share. None of them knows Kafka, Parquet or a store."""
