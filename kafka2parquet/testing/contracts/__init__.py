"""Contract tests for your own consumers, storages, converters, partitioners, rotation policies and transforms.

Subclass a contract in a test module and define its fixtures; pytest then runs every check. `kafka2parquet.testing` doesn't
import this package, because it needs pytest.
"""

import pytest

# A failed assertion then shows the values that differ, as in a test module.
pytest.register_assert_rewrite(
    *(f"{__name__}.{name}" for name in ("consumer", "converter", "partitioner", "rotation", "samples", "storage", "transform"))
)

from kafka2parquet.testing.contracts.consumer import ConsumerContract, KafkaUnderTest  # noqa: E402
from kafka2parquet.testing.contracts.converter import ConverterContract  # noqa: E402
from kafka2parquet.testing.contracts.partitioner import PartitionerContract  # noqa: E402
from kafka2parquet.testing.contracts.rotation import RotationPolicyContract  # noqa: E402
from kafka2parquet.testing.contracts.samples import rows_of  # noqa: E402
from kafka2parquet.testing.contracts.storage import StorageContract  # noqa: E402
from kafka2parquet.testing.contracts.transform import TransformContract  # noqa: E402

__all__ = [
    "ConsumerContract",
    "ConverterContract",
    "KafkaUnderTest",
    "PartitionerContract",
    "RotationPolicyContract",
    "StorageContract",
    "TransformContract",
    "rows_of",
]
