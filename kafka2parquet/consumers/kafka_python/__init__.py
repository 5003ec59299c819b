"""The adapter for kafka-python: a consumer whose client runs on a poll thread.

`consumer` is the driver's side and `poll_thread` the other side; `shared_state` is what both sides share, under one lock.
On the poll thread, `assignments` follows rebalances, and `commits` sends offsets. `connection` makes the client and translates
its exceptions.
"""

import warnings

# kafka-python 3.0 reads its messages with importlib.resources.read_text, which Python 3.11 deprecates. This can go when
# kafka-python uses importlib.resources.files.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"(read_text|open_text) is deprecated", DeprecationWarning)
    import kafka  # noqa: F401  # has to run before any module imports a part of the package
