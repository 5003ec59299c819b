"""Converters: from the bytes of keys and values to Arrow columns, or to rejects with a reason."""
