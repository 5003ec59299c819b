"""The version of this library, for files, logs and metadata."""

VERSION = "0.1.0"
