"""Kafka Connect configurations: read and check them, and build tasks from them."""

from kafka2parquet.connect.build import TaskPlan, build_runner, build_task
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.connector_description import describe_connector
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.variables import ConfigProviders
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config

__all__ = [
    "ConfigProviders",
    "ConnectConfig",
    "TaskPlan",
    "WorkerConfig",
    "build_runner",
    "build_task",
    "describe_connector",
    "load_connect_config",
    "load_worker_config",
]
