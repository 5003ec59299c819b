-- Orders into the lake.
CREATE SINK CONNECTOR IF NOT EXISTS ORDERS_TO_S3 WITH (
  'connector.class' = 'io.confluent.connect.s3.S3SinkConnector',
  'topics'          = 'shop.orders',
  'path.format'     = '''year''=YYYY'
);
