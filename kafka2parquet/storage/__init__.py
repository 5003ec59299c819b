"""Storage: where finished files are published, whole or not at all, and never over another file.

`FsspecStorage` serves S3, Google Cloud Storage, local folders and the other stores of fsspec, which only this package imports.
Another store implements the `Storage` protocol.
"""

from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published, Storage
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import AssumedRole, GcsOptions, S3Options

__all__ = [
    "AlreadyExists",
    "AssumedRole",
    "FsspecStorage",
    "GcsOptions",
    "Published",
    "S3Options",
    "StagedFile",
    "Storage",
]
