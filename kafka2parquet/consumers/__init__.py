"""The protocol that the engine reads Kafka through, and its adapter for kafka-python (the only place that imports it)."""

import warnings

with warnings.catch_warnings():  # on Python 3.11 kafka-python reads its own files in a way that is deprecated there
    warnings.filterwarnings("ignore", r"(read_text|open_text) is deprecated", DeprecationWarning)
    import kafka  # noqa: F401  # before any module that imports a part of it
