"""The `Consumer` protocol, through which the engine reads Kafka, and its adapter for kafka-python."""

import warnings

# kafka-python 3.0 reads its messages with importlib.resources.read_text, which Python 3.11 deprecates. This can go when
# kafka-python uses importlib.resources.files.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"(read_text|open_text) is deprecated", DeprecationWarning)
    import kafka  # noqa: F401  # has to run before any module imports a part of the package
