"""The adapter for kafka-python: a consumer whose client runs on a poll thread.

`consumer` is the driver's side and `poll_thread` the other side; `shared_state` is what both sides share, under one lock.
"""
