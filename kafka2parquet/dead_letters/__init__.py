"""Handles rejects: tolerated or not, limited, logged, and sent to a dead-letter topic.

`tolerance` decides, `reject_limit` counts, `log` writes lines, and `kafka_queue` sends dead letters.
"""
