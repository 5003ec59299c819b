resource "aws_mskconnect_connector" "orders" {
  name                 = "orders-to-s3"
  kafkaconnect_version = "2.7.1"

  connector_configuration = {
    "connector.class" = "io.confluent.connect.s3.S3SinkConnector"
    "tasks.max"       = "2"
    "topics"          = "shop.orders"
    "s3.bucket.name"  = aws_s3_bucket.lake.id
    "flush.size"      = "1000"
    "storage.class"   = "io.confluent.connect.s3.storage.S3Storage"
    "format.class"    = "io.confluent.connect.s3.format.parquet.ParquetFormat"
  }
}
