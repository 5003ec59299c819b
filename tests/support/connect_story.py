"""The configuration of the user's story, as it stands, and the same with five mistakes."""

STORY = """\
{
  "name": "s3-sink-my-topic-parquet-hourly",
  "config": {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "12", // Start with a number <= your topic's partition count
    "topics": "your-source-topic-name",
    // --- Connection & Destination ---
    "s3.bucket.name": "your-data-lake-bucket",
    "s3.region": "us-east-1",
    "topics.dir": "raw/kafka-source", // Base directory within the bucket
    // --- Data Format (Input & Output) ---
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter", // Assuming source is JSON
    "value.converter.schemas.enable": "false", // Set to true if your JSON has a schema
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    // --- Batching / File Rotation Strategy ---
    "flush.size": "100000", // Write a file after 100k records
    "rotate.interval.ms": "3600000", // OR after 1 hour, whichever comes first
    "rotate.schedule.interval.ms": "3600000", // Also align flushes to the top of the hour for clean partitions
    // --- File Partitioning (Crucial for Data Lakes) ---
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "partition.duration.ms": "3600000", // 1 hour per partition
    "locale": "en-US",
    "timezone": "UTC",
    // --- Fault Tolerance & Behavior ---
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "schema.compatibility": "NONE"
  }
}
"""

FIVE_MISTAKES = (
    STORY.replace('"flush.size"', '"flush.sizes"')
    .replace('"us-east-1",', '"us-east-1", "s3.part.size": "5MB",')
    .replace("format.parquet.ParquetFormat", "format.json.JsonFormat")
    .replace("'year'=YYYY", "year=YYYY")
    .replace('"UTC"', '"Mars/Phobos"')
)
