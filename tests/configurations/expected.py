"""Configurations in the forms in which people have them, and whether each runs."""

from __future__ import annotations

from pathlib import Path

import attrs

FILES = Path(__file__).parent / "files"


@attrs.frozen
class Configuration:
    """A file, and what is to be made of it.

    Attributes:
        file: its name.
        name: of the intended connector.
        topics: that are read, or the pattern.
        destination: where the files go.
        option: whether the name has to be given.
        worker: file of the worker, where the configuration needs one.
        secrets: number of variables that can't be looked up on a machine without its secrets; a check needs none of them.
        refused: for one that can't run, what is said: for each problem a part of its sentence.
    """

    file: str
    name: str = ""
    topics: str = "shop.orders"
    destination: str = "s3://shop-lake"
    option: bool = False
    worker: str | None = None
    secrets: int = 0
    refused: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it is."""
        return FILES / self.file

    @property
    def worker_path(self) -> Path | None:
        """Where its worker's file is."""
        return FILES / self.worker if self.worker else None

    @property
    def given_name(self) -> str | None:
        """The name that has to be given."""
        return self.name if self.option else None

    def __str__(self) -> str:
        return f"{self.file}:{self.name}" if self.option else self.file


RUN = (
    Configuration("s3_hourly.json", "orders-hourly"),
    Configuration("s3_put_body.json", "clicks-to-s3", "shop.clicks", option=True),
    Configuration("s3_standalone.properties", "s3-sink-standalone", "shop.payments"),
    Configuration("s3_standalone_colons.properties", "s3-sink-colons", "shop.payments"),
    Configuration("connectors_expand_info.json", "users-to-s3", "shop.users", option=True),
    Configuration("connectors_expand_info.json", "users-to-gcs", "shop.users", "gs://shop-lake", option=True),
    Configuration("strimzi_connector.yaml", "inventory-to-s3", "shop.inventory"),
    Configuration("strimzi_several.yaml", "orders-sink", option=True, worker="strimzi_several.yaml"),
    Configuration("strimzi_several.yaml", "returns-sink", "shop.returns", option=True),
    Configuration("kubectl_list.json", "carts-sink", "shop.carts"),
    Configuration("msk_create_connector.json", "shipments-to-s3", "shop.shipments"),
    Configuration("cloudformation.yaml", "refunds-to-s3", "shop.refunds"),
    Configuration("confluent_for_kubernetes.yaml", "reviews-to-s3", "shop.reviews"),
    Configuration("gcs_daily.yaml", "sessions-to-gcs", "shop.sessions", "gs://shop-lake-gcs"),
    Configuration("gcs_key_file.json", "sessions-with-key", "shop.sessions", "gs://shop-lake-gcs", secrets=1),
    Configuration("flat.toml", "searches-to-s3", "shop.searches"),
    Configuration("tables.toml", "searches-of-tables", "shop.searches, shop.suggestions", worker="docker-compose.yml"),
    Configuration("field_partitioner.json", "visits-by-country", "shop.visits"),
    Configuration("field_and_time.json", "visits-by-country-and-hour", "shop.visits"),
    Configuration("daily_berlin.json", "visits-daily", "shop.visits, shop.visits.retry"),
    Configuration("record_field.json", "events-by-their-own-time", "shop.events"),
    Configuration("minio.json", "minio-sink", secrets=2),
    Configuration("avro_registry.json", "avro-to-parquet", "shop.orders.avro", secrets=1),
    Configuration("protobuf_registry.properties", "protobuf-to-parquet", "shop.orders.protobuf"),
    Configuration("json_schema_registry.json", "json-schema-to-parquet", "shop.orders.jsonsr"),
    Configuration("json_with_schemas.json", "envelopes-to-s3", "shop.envelopes"),
    Configuration("dead_letters.json", "with-dead-letters"),
    Configuration("keys_and_headers.json", "with-keys-and-headers"),
    Configuration("assumed_role.json", "in-another-account"),
    Configuration("topics_regex.json", "all-of-the-shop", r"shop\.(?<what>[a-z]+)(\.v[0-9]{1,2})?$"),
    Configuration("secure_consumer.json", "secure", secrets=1),
    Configuration("byte_order_mark.json", "written-on-windows", "shop.visits"),
    Configuration("utf_16.properties", "written-by-powershell", "shop.visits"),
    Configuration("several.json", "gifts-to-s3", "shop.gifts", option=True),
    Configuration("compose_worker.json", "stock-to-s3", "shop.stock", worker="docker-compose.yml"),
    Configuration("insert_field.json", "with-kafka-columns", "shop.logins"),
    Configuration("day_of_a_field.json", "by-the-day-of-a-field", "shop.trips"),
    Configuration("route_by_pattern.json", "routed", r"shop-eu\.(.+)"),
    Configuration("debezium.json", "changes", "shop.changes"),
    Configuration("predicates.json", "without-tombstones", "shop.logins"),
    Configuration("own_folder.json", "into-a-folder", destination="file:///var/lib/lake"),
)
REFUSED = (
    Configuration("s3_put_body.json", refused=('Missing required configuration "name"',)),
    Configuration("connectors_expand_info.json", refused=("3 connectors: jdbc-source, users-to-s3, users-to-gcs.",)),
    Configuration(
        "connectors_expand_info.json",
        "jdbc-source",
        option=True,
        refused=("connector.class=io.confluent.connect.jdbc.JdbcSourceConnector is not supported.",),
    ),
    Configuration("several.json", "to-s3", option=True, refused=("Its connectors: wishes-to-s3, gifts-to-s3.",)),
    Configuration("tables.toml", refused=("value.converter is set neither here nor in the worker's properties.",)),
    Configuration("terraform_msk.tf", refused=("This is Terraform (HCL)",)),
    Configuration("terraform_map.txt", refused=("This is Terraform (HCL)",)),
    Configuration("create_connector.sql", refused=("localhost:8083/connectors/ORDERS_TO_S3 > sink.json",)),
    Configuration("create_connector.sh", refused=("between <<JSON and JSON, lines 5 to 9.",)),
    Configuration("helm_template.yaml", refused=("it is a template.",)),
    Configuration("docker-compose.yml", refused=("These are properties of a worker: pass this file with --worker",)),
    Configuration("names_only.json", refused=("GET /connectors?expand=info has their configurations.",)),
    Configuration(
        "unfilled.json",
        refused=(
            "topics={{ topic }} is a placeholder",
            "s3.region=${AWS_REGION} is a placeholder",
            "s3.bucket.name=<YOUR_BUCKET> is a placeholder",
            "aws.access.key.id",
            "aws.secret.access.key is a placeholder",
        ),
    ),
    Configuration("json_lines.json", refused=("Only Parquet is written",)),
    Configuration("strftime.json", refused=("Write 'year'=YYYY/'month'=MM/'day'=dd.",)),
    Configuration("glue.json", refused=("AWS Glue's schema registry is not supported",)),
    Configuration("avro_files.json", refused=("Only Parquet is written",)),
    Configuration("vault.json", refused=("aws.access.key.id: ${vault:", "aws.secret.access.key: ${vault:")),
    Configuration("quoted.json", refused=("Remove the quotes around it.",)),
    Configuration("confluent_cloud.json", refused=("connector.class=S3_SINK is a connector of Confluent Cloud",)),
    Configuration("other_connector.json", refused=("io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector is not",)),
)
