#!/usr/bin/env bash
set -euo pipefail

curl -sS -X PUT -H 'Content-Type: application/json' "${CONNECT_URL}/connectors/orders/config" -d @- <<JSON
{
  "connector.class": "io.confluent.connect.s3.S3SinkConnector",
  "topics": "shop.orders",
  "s3.bucket.name": "${BUCKET}"
}
JSON
