"""Tables in AWS Glue's Data Catalog, which Athena, Spark, Trino and Hive read, through boto3.

`target` registers the folders of new files as partitions. `partitions` moves partitions to the folders of merged files. `table`
is what both need of a table.
"""

from kafka2parquet.tables.glue.partitions import GluePartitions
from kafka2parquet.tables.glue.table import GlueTable
from kafka2parquet.tables.glue.target import GlueTarget

__all__ = ["GluePartitions", "GlueTable", "GlueTarget"]
