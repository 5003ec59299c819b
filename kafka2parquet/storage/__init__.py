"""Storage: where finished files are published, whole or not at all, never over another one (the only importer of fsspec)."""
